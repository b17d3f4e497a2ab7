"""Index templates: what is static of an index, with a mark where each index tensor goes."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import Array, Tensor
from schuss.primitives.base import Spec

__all__ = ["ARRAY", "ROWS_BY_INDEX", "Template", "around_mask", "array_axes", "filled"]
__all__ += ["integers_first", "stand_in"]

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


def _is_plain(item: Any) -> bool:
    return item is None or item is Ellipsis or isinstance(item, slice)


def _is_integer(item: Any) -> bool:
    if isinstance(item, Tensor | np.ndarray | np.generic):
        return item.shape == () and item.dtype.kind in "iu"
    return isinstance(item, int) and not isinstance(item, bool)


def integers_first(index: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]] | None:
    """Return an index of the integers, then one of the rest, where slices part these from arrays.

    PyTorch takes the integers first, so that what arrays pick stays in their place; NumPy lets
    these axes come first then. Elsewhere both do the same, and the answer is None.
    """
    plain = [_is_plain(item) for item in index]
    integers = [_is_integer(item) for item in index]
    picking = [place for place, is_plain in enumerate(plain) if not is_plain]
    some = any(integers) and not all(integers[place] for place in picking)
    if not some or picking[-1] - picking[0] == len(picking) - 1:
        return None
    first: list[Any] = []
    for item, is_integer in zip(index, integers, strict=True):
        if is_integer:
            first.append(item if isinstance(item, Tensor) else int(item))
        elif item is Ellipsis:
            first.append(item)
        elif item is not None:
            first.extend([slice(None)] * _axes_of(item))
    rest = [item for item, is_integer in zip(index, integers, strict=True) if not is_integer]
    return tuple(first), tuple(rest)


def _axes_of(item: Any) -> int:
    """Return how many axes an item takes: a mask as many as it has."""
    if _is_plain(item):
        return int(isinstance(item, slice))
    array = item.array if isinstance(item, Tensor) else np.asarray(item)
    return array.ndim if array.dtype.kind == "b" else 1


def around_mask(index: tuple[Any, ...], ndim: int) -> tuple[tuple[Any, ...], Tensor, int] | None:
    """Return an index with slices in place of its mask, the mask, and the axis that it begins at.

    None where there is not just one mask, or an array beside it.
    """
    masks = [i for i in index if isinstance(i, Tensor) and i.array.dtype.kind == "b" and i.ndim]
    if len(masks) != 1:
        return None
    (mask,) = masks
    plain: list[Any] = []
    start = 0
    for item in index:
        if item is mask:
            start = len(plain)
            plain.extend([slice(None)] * mask.ndim)
        elif _is_plain(item):
            plain.append(item)
        elif _is_integer(item) and not isinstance(item, Tensor):
            plain.append(int(item))
        else:
            return None
    taken = sum(item is not None and item is not Ellipsis for item in plain)
    made = [ndim - taken if x is Ellipsis else int(not isinstance(x, int)) for x in plain[:start]]
    return tuple(plain), mask, sum(made)
