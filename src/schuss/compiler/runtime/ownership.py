"""Ownership of states' arrays: a program writes in place only what nobody else can look at."""

from __future__ import annotations

import ctypes
import math
import weakref
from typing import Any

import numpy as np

from schuss.compiler.graph.abi import ALIGNMENT
from schuss.core import Array, Tensor
from schuss.native.cpython import array_data_address, refcount_address, reference_count

__all__ = ["BorrowedArrays", "aligned", "give_ownership", "guarded_words", "is_owned"]
__all__ += ["is_shared"]


class _Memory(np.ndarray[Any, Any]):
    """Bytes that belong to an array.

    NumPy lets a view refer to the array that owns the bytes in place of the one that it was taken
    of, but not where the owner is of another class.
    """


def aligned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return a new array at an address that is a multiple of 64.

    Every view of it refers to the array itself, so that who else uses it can be counted.
    """
    nbytes = math.prod(shape) * dtype.itemsize
    memory = _Memory((nbytes + ALIGNMENT,), np.uint8)
    start = -array_data_address(memory) % ALIGNMENT
    return np.ndarray(shape, dtype, memory, start)


# The array that each tensor was given to own, by the tensor's id; and how often one was given.
_OWNED: dict[int, tuple[weakref.ref[Tensor], Array]] = {}
_ownerships_given = ctypes.c_int64(0)
# Who refers to an array that is owned: the tensor and `_OWNED`.
_OWNERS = 2
# Who refers to the base of an array, while a variable does.
_BASE_ALONE = 2
# How many programs read an array, by its id; they keep hold of it, but look at it only when they
# run, and then want what is in it by then.
_BORROWERS: dict[int, int] = {}


def give_ownership(tensor: Tensor, array: Array) -> None:
    """Make `array` the tensor's own, which programs may write into."""
    tensor.array = array
    key = id(tensor)
    _OWNED[key] = (weakref.ref(tensor, lambda _: _OWNED.pop(key, None)), array)
    _ownerships_given.value += 1


def is_owned(tensor: Tensor) -> bool:
    """Return whether its array was given to it, and only it and programs refer to the array.

    Where references cannot be counted somebody else may refer to it, so that it is not owned.
    """
    known = _OWNED.get(id(tensor))
    is_given = known is not None and known[1] is tensor.array
    del known
    key = id(tensor.array)
    return is_given and reference_count(key) == _owners_and_borrowers(key)


def is_shared(tensor: Tensor) -> bool:
    """Return whether others than the tensor and programs may look at its memory.

    So may whoever has a view of it; not where references cannot be counted.
    """
    key = id(tensor.array)
    if not tensor.array.flags.writeable:
        return False
    known = _OWNED.get(id(tensor))
    owners = 2 if known is not None and known[1] is tensor.array else 1
    del known
    if reference_count(key) != owners + _BORROWERS.get(key, 0):
        return True
    base = tensor.array.base
    while base is not None and type(base) is not _Memory:
        # Of each there is the one that the array or its base has, and that of the variable.
        if reference_count(id(base)) != _BASE_ALONE:
            return True
        base = getattr(base, "base", None)
    return False


def guarded_words(tensors: list[Tensor]) -> list[tuple[int | None, int]]:
    """Return the words of memory that stay as they are while arrays are owned; see `MemoryGuard`.

    An array that was given to a tensor lives until another is given; so that comes first.
    """
    keys = [id(tensor.array) for tensor in tensors]
    counts = [(refcount_address(key), _owners_and_borrowers(key)) for key in keys]
    return [(ctypes.addressof(_ownerships_given), _ownerships_given.value), *counts]


def _owners_and_borrowers(key: int) -> int:
    """Return how many references an array has while nobody else refers to it."""
    return _OWNERS + _BORROWERS.get(key, 0)


class BorrowedArrays:
    """The arrays that a program reads: it keeps them, and their owners know.

    Args:
        size: how many there are.
    """

    def __init__(self, size: int) -> None:
        self._arrays: list[Array | None] = [None] * size
        weakref.finalize(self, _return_all, self._arrays)

    def borrow(self, place: int, array: Array) -> None:
        """Keep an array, in the place of the one before."""
        before = self._arrays[place]
        if before is array:
            return
        _BORROWERS[id(array)] = _BORROWERS.get(id(array), 0) + 1
        self._arrays[place] = array
        if before is not None:
            _return(before)


def _return_all(arrays: list[Array | None]) -> None:
    for array in arrays:
        if array is not None:
            _return(array)
    arrays.clear()


def _return(array: Array) -> None:
    others = _BORROWERS[id(array)] - 1
    if others:
        _BORROWERS[id(array)] = others
    else:
        del _BORROWERS[id(array)]
