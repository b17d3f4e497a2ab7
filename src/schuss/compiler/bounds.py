"""Whether integers name what is there, looked up in machine code."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np

from schuss.lowering.ir_builder import I64, Function, Scalar
from schuss.native.cpython import (
    NumPyArray,
    address_of,
    argument,
    builtin,
    keep,
    library,
    pointer,
)
from schuss.native.jit import Library

__all__ = ["all_within", "bind_within"]

_ARRAY, _KIND, _NONE, _KEEP, _COUNT = range(5)


def bind_within() -> Any:
    """Return a function of an array and an integer.

    Returns:
        A function that gives the array back if all in it are from 0 on and below the integer;
        None for others, and for arrays of another dtype than int64, or not contiguous.
    """
    words = [
        id(np.ndarray), id(np.dtype(np.int64)), id(None), address_of(ctypes.pythonapi.Py_IncRef),
        address_of(ctypes.pythonapi.PyLong_AsLongLong),
    ]  # fmt: skip
    return builtin(_library(), "schuss_within", words)


@cache
def _library() -> Library:
    return library({"schuss_within": _write})


def _write(f: Function) -> None:
    own = pointer(NumPyArray(f, "%own").data())
    f.store(f.load(own, _NONE, I64), "%place", 0)
    array = argument(f, 0)
    with f.when(array.type().eq(f.load(own, _ARRAY, I64))):
        read = pointer(f.load(own, _COUNT, I64))
        count = f.make(f"call i64 {read}(ptr {argument(f, 1).pointer})", I64)
        right = array.is_plain(f.load(own, _KIND, I64))
        size = right.where(array.size(), 0)
        # Nothing is read that may be other than integers.
        right &= all_within(f, pointer(array.data()), size, count)
        with f.when(right):
            f.store(f.load("%arguments", 0, I64), "%place", 0)
    keep(f, f.load(own, _KEEP, I64))


def all_within(f: Function, numbers: str, size: Scalar, count: Scalar) -> Scalar:
    """Return whether all of `size` integers are from 0 on and below `count`."""
    right = f.reserve(I64)
    f.store(f.number(1), right, 0)
    with f.loop(0, size) as place:
        one = f.load(numbers, place, I64)
        f.store(f.load(right, 0, I64) & (one.ge(0) & one.lt(count)).to(I64), right, 0)
    return f.load(right, 0, I64).eq(1)
