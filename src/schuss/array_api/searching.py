"""Searching, sorting, indexing and sets, as the standard has them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from schuss.core import Tensor, TensorLike, leaf
from schuss.functions import sorting
from schuss.primitives import indexing, logic
from schuss.primitives.base import as_tensor, operand, promote, standard_dtype

__all__ = ["argsort", "nonzero", "searchsorted", "sort", "take", "take_along_axis", "unique_all"]
__all__ += ["unique_counts", "unique_inverse", "unique_values", "where"]


class UniqueAll(NamedTuple):
    """What `unique_all` returns."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """What `unique_counts` returns."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """What `unique_inverse` returns."""

    values: Tensor
    inverse_indices: Tensor


def argsort(
    x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True
) -> Tensor:
    """Return the positions (int64) that sort `x` along `axis`; equal elements keep their order."""
    return indexing.argsort(x, axis=axis, descending=descending, stable=stable)


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """Return the positions (int64) of the elements that are not 0, one tensor an axis."""
    if not as_tensor(x).ndim:
        raise ValueError("nonzero: expected at least one axis, got a tensor without axes.")
    return sorting.nonzero(x)


def searchsorted(
    x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None
) -> Tensor:
    """Return where `x2` belongs in the sorted vector `x1` (int64).

    Args:
        x1: one axis, ascending.
        x2: any shape.
        side: "left" of equal elements, or "right".
        sorter: positions that sort `x1` where it is not in order.
    """
    return sorting.searchsorted(x1, x2, side=side, sorter=sorter)


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Return `x` in ascending (or descending) order along `axis`."""
    x = as_tensor(x)
    order = argsort(x, axis=axis, descending=descending, stable=stable)
    return indexing.along(x, order, axis % x.ndim)


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Tensor:
    """Pick the elements (or slices along `axis`) at `indices`; a vector needs no axis."""
    return indexing.take(x, indices, axis)


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Tensor:
    """Pick along `axis` the elements at `indices`, which has x's number of axes."""
    return indexing.take_along_axis(x, indices, axis)


def unique_all(x: TensorLike, /) -> UniqueAll:
    """Return the distinct elements, ascending, where each is first, which each was, and how often.

    >>> unique_all([3, 1, 3]).counts
    tensor([1, 2])
    """
    found = np.unique_all(as_tensor(x).numpy())
    return UniqueAll(*[leaf(np.asarray(part)) for part in found])


def unique_counts(x: TensorLike, /) -> UniqueCounts:
    """Return the distinct elements, ascending, and how often each comes."""
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: TensorLike, /) -> UniqueInverse:
    """Return the distinct elements, ascending, and for each element of x which one it is."""
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def unique_values(x: TensorLike, /) -> Tensor:
    """Return the distinct elements in ascending order."""
    return sorting.unique_values(x)


def where(condition: Tensor, x1: TensorLike, x2: TensorLike, /) -> Tensor:
    """Return x1 where `condition` holds and x2 elsewhere, elementwise with broadcasting."""
    return logic.where(condition, *promote(operand(x1), operand(x2), by=standard_dtype))
