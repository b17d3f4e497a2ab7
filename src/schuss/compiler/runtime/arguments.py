"""Where the inputs of a call lie: noted by one call of machine code, which looks at the arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from schuss.compiler.graph.graph import Node
from schuss.compiler.runtime.guards import address_of
from schuss.core import Array
from schuss.lowering.ir_builder import I64, Function
from schuss.native.cpython import (
    NumPyArray,
    are_arrays,
    argument,
    builtin,
    is_possible,
    keep,
    library,
    pointer,
)
from schuss.native.cpython import address_of as address_of_function
from schuss.native.jit import Library

__all__ = ["note", "taker"]

_AXES = 8
# The words: how many inputs, the type of arrays, where their addresses go, what is returned for
# yes and no, what counts a reference; for each input its dtype, number of axes, and lengths.
_COUNT, _ARRAY, _TABLE, _NO, _YES, _KEEP, _INPUTS = range(7)
_EACH = 2 + _AXES


def taker(inputs: Sequence[Node], table: int) -> Callable[..., bool]:
    """Return a function of arrays that notes where they lie, if they are as they should be.

    Args:
        inputs: of the program.
        table: the address of the word for the first one.

    Returns:
        A function that returns whether the arrays have the shapes and dtypes of the inputs, and
        lie in memory in order; it notes nothing otherwise. The caller keeps hold of the arrays.
    """
    if not is_possible() or any(len(node.shape) > _AXES for node in inputs):
        return lambda *arrays: _take(inputs, table, arrays)
    words = [
        len(inputs), id(np.ndarray), table, id(False), id(True),
        address_of_function(ctypes.pythonapi.Py_IncRef),
    ]  # fmt: skip
    for node in inputs:
        # Of the dtypes in use there is one object each.
        lengths = [*node.shape, *[0] * (_AXES - len(node.shape))]
        words += [id(np.dtype(node.dtype.str)), len(node.shape), *lengths]
    found: Callable[..., bool] = builtin(_library(), "schuss_take", words)
    return found


def note(arrays: Sequence[Array], table: int) -> list[Array]:
    """Note where arrays lie that may not be in order; return what has to be kept meanwhile."""
    kept = []
    for i, array in enumerate(arrays):
        if not array.flags.c_contiguous or not array.flags.aligned:
            array = np.ascontiguousarray(array)
        kept.append(array)
        ctypes.c_int64.from_address(table + 8 * i).value = address_of(array)
    return kept


def _take(inputs: Sequence[Node], table: int, arrays: Sequence[Array]) -> bool:
    for node, array in zip(inputs, arrays, strict=True):
        if array.shape != node.shape or array.dtype != node.dtype:
            return False
        if not array.flags.c_contiguous or not array.flags.aligned:
            return False
    note(arrays, table)
    return True


@cache
def _library() -> Library:
    return library({"schuss_take": _write})


def _write(f: Function) -> None:
    own = pointer(NumPyArray(f, "%own").data())

    def word(place: Any) -> Any:
        return f.load(own, place, I64)

    f.store(word(_NO), "%place", 0)
    count = word(_COUNT)
    with f.when(are_arrays(f, count, word(_ARRAY))):
        right = f.reserve(I64)
        f.store(f.number(1), right, 0)
        with f.loop(0, count) as i:
            array, first = argument(f, i), i * _EACH + _INPUTS
            good = array.is_plain(word(first)) & array.ndim().eq(word(first + 1))
            f.store(f.load(right, 0, I64) & good.to(I64), right, 0)
            with f.when(good), f.loop(0, word(first + 1)) as axis:
                same = f.load(array.shape(), axis, I64).eq(word(first + axis + 2))
                f.store(f.load(right, 0, I64) & same.to(I64), right, 0)
        with f.when(f.load(right, 0, I64).eq(1)):
            table = pointer(word(_TABLE))
            with f.loop(0, count) as i:
                f.store(argument(f, i).data(), table, i)
            f.store(word(_YES), "%place", 0)
    keep(f, word(_KEEP))
