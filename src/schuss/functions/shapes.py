"""Shapes: joining, splitting, moving and repeating axes."""

from __future__ import annotations

import builtins
import math

import numpy as np
import numpy.typing as npt

from schuss.core import Tensor, TensorLike
from schuss.functions.creation import arange
from schuss.primitives.axes import Axis, normalize_axes
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.diagonal import diagonal
from schuss.primitives.indexing import take
from schuss.primitives.logic import equal, where
from schuss.primitives.movement import concat, permute_dims, reshape
from schuss.primitives.reduction import broadcast_to, sum
from schuss.primitives.strides import as_strided
from schuss.primitives.views import memory_of
from schuss.values.sums import reduced_shape

__all__ = [
    "as_strided",
    "broadcast_arrays",
    "contiguous",
    "diag",
    "diagonal",
    "expand_dims",
    "flatten",
    "meshgrid",
    "moveaxis",
    "one_hot",
    "repeat",
    "roll",
    "squeeze",
    "swapaxes",
    "tile",
    "trace",
    "unstack",
]


def expand_dims(x: TensorLike, axis: int = 0) -> Tensor:
    """Insert an axis of length 1 at `axis`."""
    if not isinstance(x, Tensor):
        x = as_tensor(x)
    shape = x.array.shape
    if axis == 0:
        return reshape(x, (1, *shape))
    (place,) = normalize_axes(axis, len(shape) + 1, "expand_dims")
    return reshape(x, (*shape[:place], 1, *shape[place:]))


def squeeze(x: TensorLike, axis: Axis = None) -> Tensor:
    """Remove axes of length 1: those named, or all."""
    x = as_tensor(x)
    if axis is None:
        return reshape(x, tuple(n for n in x.shape if n != 1))
    axes = normalize_axes(axis, x.ndim, "squeeze")
    if builtins.any(x.shape[a] != 1 for a in axes):
        raise ValueError(f"squeeze: expected length 1 along {axes}, got shape {x.shape}.")
    return reshape(x, reduced_shape(x.shape, axes, False))


def flatten(x: TensorLike, start_axis: int = 0, end_axis: int = -1) -> Tensor:
    """Merge the axes from `start_axis` to `end_axis` into one."""
    x = as_tensor(x)
    if x.ndim == 0:
        return reshape(x, (1,))
    (first,) = normalize_axes(start_axis, x.ndim, "flatten")
    (last,) = normalize_axes(end_axis, x.ndim, "flatten")
    merged = math.prod(x.shape[first : last + 1])
    return reshape(x, (*x.shape[:first], merged, *x.shape[last + 1 :]))


def contiguous(x: TensorLike) -> Tensor:
    """Return `x` itself if its elements lie in memory in order, else a copy where they do."""
    x = as_tensor(x)
    lies_in_order = memory_of(x).flags.c_contiguous
    return x if lies_in_order else astype(x, x.array.dtype, copy=True)


def moveaxis(
    x: TensorLike, source: int | tuple[int, ...], destination: int | tuple[int, ...]
) -> Tensor:
    """Move axes to new places; the others keep their order."""
    x = as_tensor(x)
    came = normalize_axes(source, x.ndim, "moveaxis")
    goes = normalize_axes(destination, x.ndim, "moveaxis")
    if len(came) != len(goes):
        raise ValueError(f"moveaxis: expected as many places as axes, got {source}, {destination}.")
    order = [a for a in range(x.ndim) if a not in came]
    for place, axis in sorted(zip(goes, came, strict=True)):
        order.insert(place, axis)
    return permute_dims(x, order)


def swapaxes(x: TensorLike, axis1: int, axis2: int) -> Tensor:
    """Exchange two axes."""
    x = as_tensor(x)
    a, b = (normalize_axes(i, x.ndim, "swapaxes")[0] for i in (axis1, axis2))
    order = list(range(x.ndim))
    order[a], order[b] = order[b], order[a]
    return permute_dims(x, order)


def unstack(x: TensorLike, axis: int = 0) -> tuple[Tensor, ...]:
    """Split along `axis` into a tuple of tensors without it."""
    x = moveaxis(x, axis, 0)
    return tuple(x[i] for i in range(x.shape[0]))


def broadcast_arrays(*tensors: TensorLike) -> tuple[Tensor, ...]:
    """Broadcast tensors against each other to one shape."""
    parts = [as_tensor(x) for x in tensors]
    shape = np.broadcast_shapes(*[x.shape for x in parts])
    return tuple(broadcast_to(x, shape) for x in parts)


def meshgrid(*tensors: TensorLike, indexing: str = "xy") -> tuple[Tensor, ...]:
    """Return coordinate grids from coordinate vectors, as NumPy does."""
    parts = [reshape(x, (-1,)) for x in tensors]
    lengths = [x.shape[0] for x in parts]
    places = list(range(len(parts)))
    if indexing == "xy" and len(parts) > 1:
        lengths[0], lengths[1] = lengths[1], lengths[0]
        places[0], places[1] = 1, 0
    elif indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: expected indexing 'xy' or 'ij', got {indexing!r}.")
    grids = []
    for x, place in zip(parts, places, strict=True):
        shape = [1] * len(parts)
        shape[place] = -1
        grids.append(broadcast_to(reshape(x, shape), tuple(lengths)))
    return tuple(grids)


def roll(x: TensorLike, shift: int | tuple[int, ...], axis: Axis = None) -> Tensor:
    """Shift elements along `axis`; those that leave at one end return at the other."""
    x = as_tensor(x)
    if axis is None:
        return reshape(roll(reshape(x, (-1,)), shift, 0), x.shape)
    axes = normalize_axes(axis, x.ndim, "roll")
    shifts = (shift,) * len(axes) if isinstance(shift, int) else shift
    given = x
    for a, s in zip(axes, shifts, strict=True):
        n = x.shape[a]
        if n and s % n:
            cut = n - s % n
            head = (slice(None),) * a
            x = concat([x[(*head, slice(cut, None))], x[(*head, slice(0, cut))]], a)
    return astype(x, x.array.dtype, copy=True) if x is given else x


def repeat(x: TensorLike, repeats: int | TensorLike, axis: int | None = None) -> Tensor:
    """Repeat each element, or each slice along `axis`, `repeats` times."""
    x = as_tensor(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    (axis,) = normalize_axes(axis, x.ndim, "repeat")
    times = repeats if isinstance(repeats, int) else np.asarray(as_tensor(repeats).array)
    return take(x, np.repeat(np.arange(x.shape[axis]), times), axis)


def tile(x: TensorLike, repetitions: int | tuple[int, ...]) -> Tensor:
    """Repeat the whole of `x` along each axis."""
    x = as_tensor(x)
    times = (repetitions,) if isinstance(repetitions, int) else tuple(repetitions)
    ndim = builtins.max(x.ndim, len(times))
    times = (1,) * (ndim - len(times)) + times
    shape = (1,) * (ndim - x.ndim) + x.shape
    spread = reshape(x, [n for pair in zip((1,) * ndim, shape, strict=True) for n in pair])
    full_shape = tuple(n for pair in zip(times, shape, strict=True) for n in pair)
    full = broadcast_to(spread, full_shape)
    return reshape(full, [t * n for t, n in zip(times, shape, strict=True)], copy=True)


def trace(x: TensorLike, offset: int = 0) -> Tensor:
    """Return the sum of diagonal `offset` of the last two axes."""
    return sum(diagonal(x, offset), -1)


def diag(x: TensorLike) -> Tensor:
    """Return the square matrix with the vector `x` on its diagonal; of a matrix its diagonal."""
    x = as_tensor(x)
    if x.ndim == 2:
        return astype(diagonal(x), x.array.dtype, copy=True)
    return where(np.eye(x.shape[-1], dtype=bool), expand_dims(x, -1), 0)


def one_hot(x: TensorLike, num_classes: int, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Return a last axis of length `num_classes` with 1 at each integer of `x` and 0 elsewhere.

    >>> one_hot([0, 2], 3)
    tensor([[1., 0., 0.],
            [0., 0., 1.]])
    """
    return astype(equal(expand_dims(x, -1), arange(num_classes)), dtype)
