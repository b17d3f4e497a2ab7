"""Sorting and searching."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import TRACER, Tensor, TensorLike, bool_, leaf
from schuss.functions.creation import ones
from schuss.functions.shapes import expand_dims
from schuss.primitives.axes import normalize_axes
from schuss.primitives.base import as_tensor
from schuss.primitives.indexing import along, argsort, take, take_along_axis
from schuss.primitives.logic import bitwise_or, less, less_equal, not_equal
from schuss.primitives.movement import concat, reshape
from schuss.primitives.reduction import sum

__all__ = ["comes_before", "gather", "nonzero", "searchsorted", "sort", "unique_values"]


def sort(x: TensorLike, axis: int = -1, *, descending: bool = False, stable: bool = True) -> Tensor:
    """Return `x` in ascending (or descending) order along `axis`; see `argsort`."""
    x = as_tensor(x)
    (place,) = normalize_axes(axis, x.ndim, "sort")
    return along(x, argsort(x, place, descending=descending), place)


def gather(x: TensorLike, axis: int, index: TensorLike) -> Tensor:
    """Pick along `axis`, as PyTorch's gather: `take_along_axis` with the axis first."""
    x, index = as_tensor(x), as_tensor(index)
    (axis,) = normalize_axes(axis, x.ndim, "gather")
    if index.ndim == x.ndim:
        # As in PyTorch the index may be shorter than x along the other axes.
        x = x[tuple(slice(None if a == axis else n) for a, n in enumerate(index.shape))]
    return take_along_axis(x, index, axis)


def nonzero(x: TensorLike) -> tuple[Tensor, ...]:
    """Return the positions (int64) of the elements that are not 0, one tensor an axis."""
    x = as_tensor(x)
    tracer = TRACER.get()
    if tracer is not None:
        return tuple(tracer.nonzero(x))
    return tuple(leaf(places) for places in np.nonzero(x.array))


def searchsorted(
    x: TensorLike, values: TensorLike, *, side: str = "left", sorter: TensorLike | None = None
) -> Tensor:
    """Return where `values` belong in the sorted vector `x` (int64).

    Args:
        x: one axis, ascending.
        values: any shape.
        side: "left" of equal elements, or "right".
        sorter: positions that sort `x` where it is not in order.

    Raises:
        ValueError: for another side.
    """
    if sorter is not None:
        x = take(x, sorter)
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: expected side 'left' or 'right', got {side!r}.")
    x, values = as_tensor(x), as_tensor(values)
    if TRACER.get() is not None:
        return sum(comes_before(x, expand_dims(values, -1), side), -1)
    search: Any = np.searchsorted
    found = np.asarray(search(x.array, values.array, side))
    if values.array.dtype.kind == "f":
        found = np.where(np.isnan(values.array), x.size, found)
    return leaf(found)


def comes_before(x: Tensor, value: Tensor, side: str) -> Tensor:
    """Return whether elements of x stay before a value, with nan behind everything."""
    before = less(x, value) if side == "left" else less_equal(x, value)
    return bitwise_or(before, not_equal(value, value))


def unique_values(x: TensorLike) -> Tensor:
    """Return the distinct elements in ascending order."""
    x = sort(reshape(x, (-1,)))
    if x.shape[0] < 2:
        return x
    return x[concat([ones(1, dtype=bool_), not_equal(x[1:], x[:-1])])]
