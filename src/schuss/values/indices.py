"""Index arrays: whether they name what is there, and the elements that classes name."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from schuss.core import Array

__all__ = ["class_index", "picked_value", "places", "row_starts", "within"]


def within(indices: Array, count: int) -> bool:
    """Return whether all of the integers `indices` are from 0 on and below `count`."""
    # Read as unsigned, negative numbers are large ones: one pass sees both ends.
    unsigned = indices.view(np.uint64 if indices.itemsize == 8 else np.uint32)
    return indices.size == 0 or bool(unsigned.item(unsigned.argmax()) < count)


def places(shape: tuple[int, ...], axis: int) -> list[Array]:
    """Return the index arrays of every axis but `axis`, to go with one of classes."""
    found = []
    for place, length in enumerate(shape):
        if place != axis:
            found.append(_counted(length, len(shape) - place - (1 if place > axis else 2)))
    return found


@lru_cache(256)
def _counted(length: int, after: int) -> Array:
    return np.arange(length).reshape((-1,) + (1,) * after)


def class_index(shape: tuple[int, ...], classes: Array, axis: int) -> tuple[Array, ...]:
    """Return the index of the element along `axis` that each of `classes` names."""
    index = places(shape, axis)
    index.insert(axis, classes)
    return tuple(index)


@lru_cache(16)
def row_starts(rows: int, length: int) -> Array:
    """Return where rows start in memory."""
    return np.arange(0, rows * length, length)


def picked_value(x: Array, classes: Array, axis: int) -> Any:
    """Return the element along `axis` that each of `classes` names."""
    if x.ndim == 2 and x.flags.c_contiguous:
        return x.take(classes + row_starts(*x.shape))
    return x[class_index(x.shape, classes, axis)]
