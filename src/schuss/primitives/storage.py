"""Storage: memory that tensors share, and when it was last written to.

A view, and what `detach()`, `numpy()` or `from_numpy` return, lie in the same memory, as NumPy's
views do, and so show what is written there. A reverse pass that needs the values before has to
find out: a tensor's stamp says when it was written to itself, and the table here when its memory
was, through whichever tensor.
"""

from __future__ import annotations

import sys
import weakref
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, leaf, next_stamp
from schuss.native.cpython import COUNT_REFERENCES

__all__ = [
    "LAST_RUN",
    "WRITTEN",
    "Writer",
    "changed",
    "changed_after",
    "give",
    "is_shared",
    "is_unchanged",
    "own",
]
__all__ += ["owner_of", "watch", "write"]

# The stamp of the last write to memory that several arrays lie in, by the id of the array that owns
# it; the reference takes the entry away with the array.
WRITTEN: dict[int, tuple[int, weakref.ref[Array]]] = {}

_references = COUNT_REFERENCES or (lambda _: sys.maxsize)


def _counts(x: Tensor) -> tuple[int, int]:
    array = x.array
    return _references(x), _references(array)


def _counts_alone() -> tuple[int, int]:
    x = leaf(np.zeros(()))
    return _counts(x)


# How many references are counted to a tensor that one variable holds, by a function that is given
# it, and to its array, by a function that has a variable for it, where nobody else has one.
_TENSOR_ALONE, _ALONE = _counts_alone() if COUNT_REFERENCES is not None else (0, 0)


# Arrays that somebody wants to know of whether they are written to, by their ids, until they are.
_WATCHED: dict[int, weakref.ref[Array]] = {}


def watch(array: Array) -> weakref.ref[Array]:
    """Notice when an array, which owns its memory, is written to; see `is_unchanged`."""
    key = id(array)
    reference = _WATCHED[key] = weakref.ref(array, lambda _: _WATCHED.pop(key, None))
    return reference


def is_unchanged(array: Array) -> bool:
    """Return whether an array was watched, and not written to by a tensor since then."""
    return id(array) in _WATCHED


def owner_of(array: Array) -> Array:
    """Return the array that the memory of `array` belongs to."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def is_shared(x: Tensor) -> bool:
    """Return whether others than `x` may look at its memory."""
    array = x.array
    return array.base is not None or _references(array) > _ALONE


def write(owner: str, x: Tensor, values: Any, index: Any = ...) -> Tensor:
    """Write into the memory of `x`, for all who share it; outside of a trace, and not recorded.

    Args:
        owner: who is named in errors.
        x: what is written to.
        values: an array or a number that broadcasts, cast to the dtype of x.
        index: where, as NumPy indexes.

    Raises:
        ValueError: for memory that cannot be written to, or a value of another shape.
    """
    array = x.array
    if (array.base is not None and _repeats(array)) or not array.flags.writeable:
        raise ValueError(
            f"{owner}: expected a tensor whose elements are its own, got one from expand(), or of "
            "a read-only array; change a clone()."
        )
    array[index] = values
    if _WATCHED:
        _WATCHED.pop(id(owner_of(array)), None)
    # What `changed` does, without another call.
    x.stamp = next_stamp()
    if array.base is not None or _references(array) > _ALONE:
        _note(array, x.stamp)
    if type(x) is not Tensor:
        x.array = array
    return x


def _repeats(array: Array) -> bool:
    """Return whether elements of an array lie in one place."""
    return (
        0 in array.strides
        and array.size > 0
        and any(n > 1 and step == 0 for n, step in zip(array.shape, array.strides, strict=True))
    )


def changed(x: Tensor) -> None:
    """Note that the memory of `x` was written to."""
    x.stamp = next_stamp()
    _note(x.array, x.stamp)
    # One that knows its rows has to forget them.
    x.array = x.array


def _note(array: Array, stamp: int) -> None:
    owner = owner_of(array)
    key = id(owner)
    WRITTEN[key] = (stamp, weakref.ref(owner, lambda _: WRITTEN.pop(key, None)))


# The stamp of the last run of any writer: what was computed after it need not ask for more.
LAST_RUN = [0]


class Writer:
    """Who writes to the same memory again and again, with the stamp of the last time."""

    __slots__ = ("stamp",)

    def __init__(self) -> None:
        self.stamp = 0

    def takes(self, array: Array) -> None:
        """Note that this one writes to an array from now on."""
        owner = owner_of(array)
        key = id(owner)
        known = _WRITERS.get(key)
        if known is None:
            reference = weakref.ref(owner, lambda _: _WRITERS.pop(key, None))
            known = _WRITERS[key] = ([], reference)
        if self not in known[0]:
            known[0].append(self)


# Those who write to memory, by the id of the array that owns it, as in `WRITTEN`.
_WRITERS: dict[int, tuple[list[Writer], weakref.ref[Array]]] = {}


def changed_after(x: Tensor, stamp: int) -> bool:
    """Return whether memory of `x` was written to after a stamp, by others who share it."""
    key = id(owner_of(x.array))
    found = WRITTEN.get(key)
    if found is not None and found[0] > stamp:
        return True
    writers = _WRITERS.get(key)
    return writers is not None and any(writer.stamp > stamp for writer in writers[0])


def give(owner: str, x: Tensor, result: Tensor) -> Tensor:
    """Let `x` hold what an operation returned, without a copy where nobody can tell."""
    array, new = x.array, result.array
    if (
        _references(result) == _TENSOR_ALONE
        and _references(new) == _ALONE
        and _references(array) == _ALONE
        and array.base is new.base is None
        and new.dtype is array.dtype
        and new.strides == array.strides
    ):
        x.array = new
        x.stamp = next_stamp()
        return x
    return write(owner, x, new)


def own(x: Tensor) -> Array:
    """Return an array of the values of `x` that nobody else has: its own, if it can be that.

    It can where one variable of the caller is all that holds `x`.
    """
    array = x.array
    base: Any = array.base
    if (
        _references(x) == _TENSOR_ALONE
        and _references(array) == _ALONE
        and array.flags.writeable
        # A view of an array that nobody else has is as good, as the transpose of a product is.
        and (base is None or (_references(base) == _ALONE and getattr(base, "base", 0) is None))
    ):
        return array
    return array.copy()
