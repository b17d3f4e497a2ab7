"""Order: sorting, ranks, and how often a value comes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from schuss import functions as F
from schuss.core import TRACER, Tensor, TensorLike, float32, float64, int32, int64, leaf
from schuss.errors import TraceError
from schuss.functions.placing import summed
from schuss.functions.sorting import comes_before
from schuss.primitives.axes import normalize_axes
from schuss.primitives.base import as_tensor, astype, promote
from schuss.primitives.checks import Condition, require
from schuss.primitives.indexing import along
from schuss.pytorch.arguments import of_numbers_too, whole
from schuss.pytorch.reductions import ValuesAndIndices, one_of_all, picked, running

__all__: list[str] = []


@of_numbers_too
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """Return the elements in ascending (or descending) order along `dim`, and where they were.

    >>> sort([3.0, 1.0, 2.0])
    ValuesAndIndices(values=tensor([1., 2., 3.]), indices=tensor([1, 2, 0]))
    """
    (axis,) = normalize_axes(whole(dim), input.ndim, "sort")
    order = F.argsort(input, axis, descending=bool(descending))
    return ValuesAndIndices(along(input, order, axis), order)


@of_numbers_too
def argsort(input: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """Return the positions (int64) that sort input along `dim`; equal ones keep their order."""
    return F.argsort(input, whole(dim), descending=bool(descending))


@of_numbers_too
def msort(input: Any) -> Tensor:
    """Return the elements in ascending order along the first axis."""
    return F.sort(input, 0)


@of_numbers_too
def topk(
    input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> ValuesAndIndices:
    """Return the `k` largest (or smallest) elements along `dim` in order, and their positions.

    >>> topk([3.0, 1.0, 2.0], 2).indices
    tensor([0, 2])
    """
    (axis,) = normalize_axes(whole(dim), input.ndim, "topk")
    count = whole(k)
    if not 0 <= count <= input.shape[axis]:
        raise ValueError(f"topk: expected k from 0 to {input.shape[axis]}, got {k}.")
    order = F.argsort(input, axis, descending=bool(largest))
    order = order[(*(slice(None),) * axis, slice(0, count))]
    return ValuesAndIndices(along(input, order, axis), order)


def median(input: TensorLike, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the middle element, the lower of two; along `dim` (values, indices)."""
    return _middle(input, dim, keepdim, "median")


def nanmedian(input: TensorLike, dim: int | None = None, keepdim: bool = False) -> Any:
    """Return the middle of what is a number, the lower of two; along `dim` (values, indices)."""
    return _middle(input, dim, keepdim, "nanmedian")


def _middle(input: TensorLike, dim: int | None, keepdim: bool, owner: str) -> Any:
    x = as_tensor(input)
    if dim is not None:
        return _middle_along(x, whole(dim), keepdim, owner)
    if not x.size:
        if x.array.dtype.kind == "f":
            return F.full((), np.nan, x.array.dtype)
        raise ValueError(f"{owner}: expected at least one element, got shape {x.shape}.")
    found = _middle_along(F.reshape(x, (-1,)), 0, False, owner).values
    return one_of_all(owner, x, found)


@of_numbers_too
def _middle_along(x: Any, dim: int, keepdim: bool, owner: str) -> ValuesAndIndices:
    (axis,) = normalize_axes(dim, x.ndim, owner)
    _require_some(x, axis, owner)
    order = F.argsort(x, axis)
    if x.dtype.kind != "f":
        rank: Any = F.full_like(_first(order, axis), (x.shape[axis] - 1) // 2)
    else:
        broken = F.isnan(x)
        count = F.sum(~broken, axis, True)
        rank = F.maximum((count - 1) // 2, 0)
    at = along(order, rank, axis)
    if x.dtype.kind == "f" and owner == "median":
        at = F.where(F.any(broken, axis, True), F.argmax(astype(broken, int32), axis, True), at)
    return picked(x, at, axis, keepdim)


def _first(x: Tensor, axis: int) -> Tensor:
    return x[(*(slice(None),) * axis, slice(0, 1))]


def _require_some(x: Tensor, axis: int, owner: str) -> None:
    if not x.shape[axis]:
        raise IndexError(f"{owner}: expected at least one element, got shape {x.shape}.")


@of_numbers_too
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> ValuesAndIndices:
    """Return the k-th smallest element along `dim`, from 1 on, and where it is."""
    (axis,) = normalize_axes(whole(dim), input.ndim, "kthvalue")
    count = whole(k)
    if not 1 <= count <= input.shape[axis]:
        raise ValueError(f"kthvalue: expected k from 1 to {input.shape[axis]}, got {k}.")
    order = F.argsort(input, axis)
    return picked(input, order[(*(slice(None),) * axis, slice(count - 1, count))], axis, keepdim)


@of_numbers_too
def mode(input: Any, dim: int = -1, keepdim: bool = False) -> ValuesAndIndices:
    """Return the most frequent element along `dim`, the smallest of several, and where it is."""
    (axis,) = normalize_axes(whole(dim), input.ndim, "mode")
    _require_some(input, axis, "mode")
    order = F.argsort(input, axis)
    x = along(input.detach(), order, axis)
    before = (slice(None),) * axis
    other = F.not_equal(x[(*before, slice(1, None))], x[(*before, slice(None, -1))])
    begins = F.concat([F.ones_like(_first(other, axis)), other], axis) if other.size else other
    if not other.size:
        begins = F.ones_like(x, dtype=bool)
    shape = [1] * x.ndim
    shape[axis] = -1
    places = F.reshape(F.arange(x.shape[axis]), shape)
    starts = running(F.where(begins, places, 0), axis, F.maximum, np.maximum)
    # A run is longest, for the first time, at its end.
    at = along(order, F.argmax(places - starts, axis, True), axis)
    return picked(input, at, axis, keepdim)


def searchsorted(
    sorted_sequence: TensorLike,
    input: TensorLike,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: TensorLike | None = None,
) -> Tensor:
    """Return where the elements of input belong in sorted rows.

    Args:
        sorted_sequence: one row, or rows for each of input's.
        input: any shape, with the other axes of `sorted_sequence` where that has several.
        out_int32: whether the result is int32; int64 by default.
        right: behind equal elements.
        side: "left" or "right", which is another way to say it.
        sorter: positions that sort the rows where they are not in order.
    """
    if side not in (None, "left", "right") or (side == "left" and right):
        raise ValueError(f"searchsorted: expected side 'left' or 'right', got {side!r}.")
    rows, x = as_tensor(sorted_sequence), as_tensor(input)
    if sorter is not None:
        if as_tensor(sorter).shape != rows.shape:
            raise ValueError(
                f"searchsorted: expected a sorter of shape {rows.shape}, got "
                f"{as_tensor(sorter).shape}."
            )
        rows = F.take_along_axis(rows, sorter, -1)
    if not rows.ndim or (rows.ndim > 1 and rows.shape[:-1] != x.shape[:-1]):
        raise ValueError(
            f"searchsorted: expected one row, or rows of shape {(*x.shape[:-1], 'n')}, got "
            f"{rows.shape}."
        )
    edge = "right" if right or side == "right" else "left"
    if rows.ndim == 1:
        found = F.searchsorted(rows, x, side=edge)
    else:
        found = F.sum(comes_before(rows[..., None, :], x[..., :, None], edge), -1)
    return astype(found, int32) if out_int32 else found


def bucketize(
    input: TensorLike, boundaries: TensorLike, out_int32: bool = False, right: bool = False
) -> Tensor:
    """Return between which of the ascending `boundaries` each element lies."""
    if as_tensor(boundaries).ndim != 1:
        raise ValueError(
            f"bucketize: expected a vector of boundaries, got {as_tensor(boundaries).shape}."
        )
    return searchsorted(boundaries, input, out_int32, right)


def unique(
    input: TensorLike,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return the distinct elements (or slices along `dim`) in ascending order, and on request more.

    Args:
        input: any shape.
        sorted: they always are.
        return_inverse: whether to tell for each element which one it is.
        return_counts: whether to tell how often each comes.
        dim: along which slices are compared.
    """
    x = as_tensor(input)
    if dim is None and not return_inverse and not return_counts:
        return F.unique_values(x)
    array = x.numpy()
    axis = None if dim is None else normalize_axes(whole(dim), x.ndim, "unique")[0]
    found = np.unique(array, return_inverse=True, return_counts=True, axis=axis)
    values, inverse, counts = found
    inverse = inverse.reshape(array.shape if axis is None else -1)
    parts = [values, *[inverse] * return_inverse, *[counts] * return_counts]
    return leaf(values) if len(parts) == 1 else tuple([leaf(np.asarray(p)) for p in parts])


def unique_consecutive(
    input: TensorLike,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Any:
    """Return input with all but the first of equal neighbours left out, and on request more."""
    x = as_tensor(input)
    array = np.asarray(x.numpy())
    axis = 0 if dim is None else normalize_axes(whole(dim), x.ndim, "unique_consecutive")[0]
    lined = array.reshape(-1) if dim is None else np.moveaxis(array, axis, 0)
    flat = lined.reshape(len(lined), -1) if lined.size else lined.reshape(len(lined), 0)
    new = np.r_[True, (flat[1:] != flat[:-1]).any(1)][: len(lined)]
    starts = np.flatnonzero(new)
    inverse = (np.cumsum(new) - 1).reshape(array.shape if dim is None else -1)
    counts = np.diff(np.r_[starts, len(lined)])
    values = np.moveaxis(lined[starts], 0, axis) if dim is not None else lined[starts]
    parts = [values, *[inverse] * return_inverse, *[counts] * return_counts]
    tensors = [leaf(np.asarray(p)) for p in parts]
    return tensors[0] if len(parts) == 1 else tuple(tensors)


def isin(
    elements: TensorLike,
    test_elements: TensorLike,
    assume_unique: bool = False,
    invert: bool = False,
) -> Tensor:
    """Return whether each of `elements` is one of `test_elements`."""
    x, among = promote(as_tensor(elements), as_tensor(test_elements))
    if TRACER.get() is None:
        return leaf(np.asarray(np.isin(x.array, among.array, invert=invert)))
    found = F.any(F.equal(F.expand_dims(x, -1), F.reshape(among, (-1,))), -1)
    return ~found if invert else found


def bincount(input: TensorLike, weights: TensorLike | None = None, minlength: int = 0) -> Tensor:
    """Return how often each of 0, 1, ... comes, or the sum of its weights.

    Args:
        input: a vector of integers from 0 on; below `minlength` in a compiled function, which
            has to know the length of the result.
        weights: of each integer, by default 1.
        minlength: the least length of the result.
    """
    x = as_tensor(input)
    if x.array.dtype.kind != "i" or x.ndim != 1:
        raise ValueError(
            f"bincount: expected a vector of integers, got shape {x.shape} of {x.array.dtype}."
        )
    if minlength < 0:
        raise ValueError(f"bincount: expected minlength >= 0, got {minlength}.")
    w = F.ones_like(x, dtype=int64) if weights is None else as_tensor(weights).detach()
    if w.shape != x.shape:
        raise ValueError(f"bincount: expected weights of shape {x.shape}, got {w.shape}.")
    count = whole(minlength)
    if TRACER.get() is None:
        count = max(count, int(x.array.max()) + 1 if x.size else 0)
    elif not count:
        raise TraceError(
            "bincount: expected minlength in a compiled function, where the length of the result "
            "has to be known, got none."
        )
    below = "" if TRACER.get() is None else ", below minlength in a compiled function"
    message = f"bincount: expected integers from 0 to {count - 1}{below}, got others."
    require(Condition(ValueError, message, lambda i: (i >= 0) & (i < count)), x)
    found = summed(astype(w, int64 if weights is None else float64), x, count)
    return astype(found, float32) if w.array.dtype == float32 else found


def histc(input: TensorLike, bins: int = 100, min: float = 0, max: float = 0) -> Tensor:
    """Return how many elements fall into each of `bins` equal parts of min to max.

    Where both are equal, the smallest and the largest element take their places.
    """
    x = as_tensor(input).detach()
    count = whole(bins)
    if count <= 0 or max < min:
        raise ValueError(f"histc: expected bins > 0 and min <= max, got {bins}, {min}, {max}.")
    flat = F.reshape(x if x.array.dtype.kind == "f" else astype(x, float64), (-1,))
    low, high = F.full((), float(min), flat.array.dtype), F.full((), float(max), flat.array.dtype)
    if min == max and flat.size:
        low, high = F.min(flat), F.max(flat)
    level = F.equal(low, high)
    low, high = F.where(level, low - 1.0, low), F.where(level, high + 1.0, high)
    message = "histc: expected a finite range, got an infinite one."
    require(Condition(ValueError, message, lambda a, b: abs(a - b) < math.inf), low, high)
    inside = (flat >= low) & (flat <= high)
    place = F.where(inside, (flat - low) * count / (high - low), 0.0)
    place = F.clip(astype(place, int64), 0, count - 1)
    found = summed(astype(inside, int64), place, count)
    return astype(found, x.array.dtype if x.array.dtype.kind == "f" else int64)
