"""Index templates: what is static of an index, with a mark where each index tensor goes."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import Array
from schuss.primitives.base import Spec

__all__ = ["ARRAY", "ROWS_BY_INDEX", "Template", "array_axes", "filled", "stand_in"]

# A basic index: integers, slices, None and Ellipsis. An advanced one has ARRAY where the next
# index tensor goes.
Template = tuple[Any, ...]


class _ArrayHere:
    def __repr__(self) -> str:
        return "ARRAY"


ARRAY = _ArrayHere()
ROWS_BY_INDEX: Template = (ARRAY,)


def filled(template: Template, arrays: tuple[Array, ...]) -> tuple[Any, ...]:
    """Return the index that NumPy takes, with the arrays in their places."""
    if len(template) == len(arrays):
        return arrays
    rest = iter(arrays)
    return tuple(next(rest) if item is ARRAY else item for item in template)


def stand_in(spec: Spec) -> Array:
    """Return an array of the shape and dtype of `spec` that takes no memory."""
    return np.broadcast_to(np.zeros((), spec[1]), spec[0])


def array_axes(template: Template, ndim: int) -> list[int]:
    """Return the axis, of so many, that each of the index tensors picks from."""
    taking = [item is not None and item is not Ellipsis for item in template]
    axes: list[int] = []
    axis = 0
    for item, takes in zip(template, taking, strict=True):
        if item is ARRAY:
            axes.append(axis)
        axis += ndim - sum(taking) if item is Ellipsis else takes
    return axes
