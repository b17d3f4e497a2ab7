"""Who holds the states' arrays: programs write in place only what nobody else can look at."""

from __future__ import annotations

import ctypes
import math
import sys
import weakref
from typing import Any

import numpy as np

from schuss.compiler.graph.abi import ALIGNMENT
from schuss.compiler.runtime.guards import address_of, references_to
from schuss.core import Array, Tensor, leaf

__all__ = ["BorrowedArrays", "aligned", "give_ownership", "guarded_words", "is_owned"]


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a new array at an address that is a multiple of 64.

    Its memory belongs to something that is no array, so that every view of it keeps hold of the
    array itself, and who else uses it can be counted.
    """
    nbytes = math.prod(shape) * dtype.itemsize
    raw = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -address_of(raw) % ALIGNMENT
    return np.ndarray(shape, dtype, raw.data, start)


# The array that programs gave to a tensor, by the tensor's id; and how often one was given.
_OWNED: dict[int, tuple[weakref.ref[Tensor], Array]] = {}
_ownerships_given = ctypes.c_int64(0)
# How many programs read an array, by its id; they keep hold of it, but look at it only when they
# run, and then want what is in it by then.
_READERS: dict[int, int] = {}


def give_ownership(tensor: Tensor, array: Array) -> None:
    """Make `array` the tensor's, and note that programs may write into it."""
    tensor.array = array
    key = id(tensor)
    _OWNED[key] = (weakref.ref(tensor, lambda _: _OWNED.pop(key, None)), array)
    _ownerships_given.value += 1


def is_owned(tensor: Tensor) -> bool:
    """Return whether its array was given to it, and only it and programs hold the array."""
    known = _OWNED.get(id(tensor))
    mine = known is not None and known[1] is tensor.array
    del known
    return mine and _holders(tensor) <= _ALONE + _READERS.get(id(tensor.array), 0)


def guarded_words(tensors: list[Tensor]) -> list[tuple[int | None, int]]:
    """Return the words of memory that stay as they are while arrays are owned; see `MemoryGuard`.

    An array that was given to a tensor lives until another is given; so that comes first.
    """
    keys = [id(tensor.array) for tensor in tensors]
    counts = [(references_to(key), _ALONE_WORD + _READERS.get(key, 0)) for key in keys]
    return [(ctypes.addressof(_ownerships_given), _ownerships_given.value), *counts]


def _holders(tensor: Tensor) -> int:
    """Return the reference count of a tensor's array, counted in the one way used here."""
    return next(map(sys.getrefcount, [tensor.array]))


def _alone() -> tuple[int, int]:
    """Return what `_holders` says when only a tensor and this file hold an array; and the word."""
    held = leaf(np.empty(()))
    give_ownership(held, aligned((1,), np.dtype(np.float32)))
    word = references_to(id(held.array))
    return _holders(held), 0 if word is None else ctypes.c_int64.from_address(word).value


_ALONE, _ALONE_WORD = _alone()


class BorrowedArrays:
    """The arrays that a program reads: it keeps them, and their owners know.

    Args:
        size: how many there are.
    """

    def __init__(self, size: int) -> None:
        self._arrays: list[Array | None] = [None] * size
        weakref.finalize(self, _let_go, self._arrays)

    def hold(self, place: int, array: Array) -> None:
        """Keep an array, in the place of the one before."""
        before = self._arrays[place]
        if before is array:
            return
        _READERS[id(array)] = _READERS.get(id(array), 0) + 1
        self._arrays[place] = array
        if before is not None:
            _forget(before)


def _let_go(arrays: list[Array | None]) -> None:
    for array in arrays:
        if array is not None:
            _forget(array)
    arrays.clear()


def _forget(array: Array) -> None:
    left = _READERS[id(array)] - 1
    if left:
        _READERS[id(array)] = left
    else:
        del _READERS[id(array)]
