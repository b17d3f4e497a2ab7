"""Adding few rows to those of a table that integers name, in machine code."""

from __future__ import annotations

import ctypes
from functools import cache, partial
from typing import Any

import numpy as np

from schuss.compiler.bounds import all_within
from schuss.lowering.ir_builder import F32, F64, I64, Function, kind_of
from schuss.native.cpython import (
    NumPyArray,
    address_of,
    are_arrays,
    argument,
    builtin,
    keep,
    library,
    pointer,
)
from schuss.native.jit import Library

__all__ = ["bind_scatter"]

_ARRAY, _KIND, _INDEX_KIND, _NONE, _KEEP = range(5)


def bind_scatter(dtype: Any) -> Any:
    """Return a function of a table, of rows, and of int64 indices, one for each row.

    Returns:
        A function that adds each row, in order, to the one that its index names, and gives the
        table back; or None when it did nothing: when the arrays are not contiguous, of other
        dtypes or lengths, or an index is negative or names no row.
    """
    words = [
        id(np.ndarray), id(np.dtype(dtype)), id(np.dtype(np.int64)), id(None),
        address_of(ctypes.pythonapi.Py_IncRef),
    ]  # fmt: skip
    return builtin(_library(), f"schuss_scatter_{kind_of(dtype)}", words)


@cache
def _library() -> Library:
    return library({f"schuss_scatter_{kind}": partial(_write, kind) for kind in (F32, F64)})


def _write(kind: str, f: Function) -> None:
    own = pointer(NumPyArray(f, "%own").data())
    word = partial(f.load, own, kind=I64)
    f.store(word(_NONE), "%place", 0)
    with f.when(are_arrays(f, f.number(3), word(_ARRAY))):
        table, rows, indices = (argument(f, place) for place in range(3))
        right = table.is_plain(word(_KIND)) & rows.is_plain(word(_KIND))
        right &= indices.is_plain(word(_INDEX_KIND)) & table.ndim().gt(0)
        with f.when(right & table.size().gt(0)):
            count = f.load(table.shape(), 0, I64)
            length = f.make(f"sdiv {table.size().typed}, {count.name}", I64)
            with f.when((indices.size() * length).eq(rows.size())):
                named = pointer(indices.data())
                with f.when(all_within(f, named, indices.size(), count)):
                    out, numbers = pointer(table.data()), pointer(rows.data())
                    with f.loop(0, indices.size()) as row:
                        start = f.load(named, row, I64) * length
                        with f.loop(0, length) as place:
                            total = f.load(out, start + place, kind)
                            total += f.load(numbers, row * length + place, kind)
                            f.store(total, out, start + place)
                    f.store(f.load("%arguments", 0, I64), "%place", 0)
    keep(f, word(_KEEP))
