"""Shapes: moving, joining, splitting and repeating axes, with PyTorch's arguments."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss import functions as F
from schuss.core import TRACER, Tensor, TensorLike, bool_
from schuss.primitives.axes import Axis, normalize_axes
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.checks import Condition, require
from schuss.pytorch.arguments import of_numbers_too, whole
from schuss.values.sums import reduced_shape

__all__: list[str] = []


def _axis(dim: Any, ndim: int, owner: str) -> int:
    return normalize_axes(whole(dim), builtins.max(ndim, 1), owner)[0]


def flip(input: TensorLike, dims: Any) -> Tensor:
    """Return input in reverse order along axes."""
    x = as_tensor(input)
    if not x.ndim:
        return x
    return F.flip(x, tuple(dims) if isinstance(dims, (tuple, list)) else (dims,))


def squeeze(input: TensorLike, dim: Axis = None) -> Tensor:
    """Remove axes of length 1: all, or those of the ones named."""
    x = as_tensor(input)
    if dim is None or not x.ndim:
        if x.ndim == 0 and dim is not None:
            normalize_axes(dim, 1, "squeeze")
        return F.squeeze(x)
    axes = normalize_axes(tuple(dim) if isinstance(dim, list) else dim, x.ndim, "squeeze")
    ones = tuple([a for a in axes if x.shape[a] == 1])
    return F.reshape(x, reduced_shape(x.shape, ones, False))


def unsqueeze(input: TensorLike, dim: int) -> Tensor:
    """Insert an axis of length 1 at `dim`."""
    return F.expand_dims(input, whole(dim))


def flatten(input: TensorLike, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Merge the axes from `start_dim` to `end_dim` into one."""
    x = as_tensor(input)
    first, last = _axis(start_dim, x.ndim, "flatten"), _axis(end_dim, x.ndim, "flatten")
    if first > last:
        raise ValueError(f"flatten: expected start_dim <= end_dim, got {start_dim}, {end_dim}.")
    return F.flatten(x, first, last)


def unflatten(input: TensorLike, dim: int, sizes: Sequence[int]) -> Tensor:
    """Split axis `dim` into axes of the lengths `sizes`, of which one may be -1."""
    x = as_tensor(input)
    axis = _axis(dim, x.ndim, "unflatten")
    whole_sizes = (sizes,) if isinstance(sizes, int) else tuple(sizes)
    if not whole_sizes:
        raise ValueError("unflatten: expected at least one length in sizes, got none.")
    return F.reshape(x, (*x.shape[:axis], *whole_sizes, *x.shape[axis + 1 :]))


def transpose(input: TensorLike, dim0: Any = None, dim1: Any = None) -> Tensor:
    """Exchange two axes; with one argument or none as NumPy does: permute, or reverse, all."""
    x = as_tensor(input)
    if dim1 is not None:
        if not x.ndim:
            for dim in (dim0, dim1):
                _axis(dim, 0, "transpose")
            return x
        return F.swapaxes(x, whole(dim0), whole(dim1))
    return F.permute_dims(x, range(x.ndim)[::-1] if dim0 is None else tuple(dim0))


def permute(input: TensorLike, dims: Any) -> Tensor:
    """Return input with its axes in the order `dims`."""
    return F.permute_dims(input, tuple(dims) if isinstance(dims, (tuple, list)) else (dims,))


def t(input: TensorLike) -> Tensor:
    """Exchange the axes of a matrix; a vector stays as it is."""
    x = as_tensor(input)
    if x.ndim > 2:
        raise ValueError(f"t: expected at most 2 axes, got shape {x.shape}; use transpose().")
    return F.permute_dims(x, (1, 0)) if x.ndim == 2 else x


def movedim(input: TensorLike, source: Any, destination: Any) -> Tensor:
    """Move axes to new places; the others keep their order."""
    x = as_tensor(input)
    places = [tuple(a) if isinstance(a, list) else a for a in (source, destination)]
    return F.moveaxis(x, *places) if x.ndim else x


def expand(input: TensorLike, size: Sequence[int]) -> Tensor:
    """Broadcast to `size`, where -1 keeps a length."""
    x = as_tensor(input)
    sizes = (size,) if isinstance(size, int) else tuple(size)
    if len(sizes) < x.ndim:
        raise ValueError(f"expand: expected at least {x.ndim} lengths, got {sizes}.")
    kept = (1,) * (len(sizes) - x.ndim) + x.shape
    lengths = tuple([k if n == -1 else int(n) for n, k in zip(sizes, kept, strict=True)])
    if builtins.min(lengths, default=0) < 0:
        raise ValueError(f"expand: expected lengths of at least 0, or -1, got {sizes}.")
    return F.broadcast_to(x, lengths)


def expand_as(input: TensorLike, other: Tensor) -> Tensor:
    """Broadcast to the shape of another tensor."""
    return expand(input, other.shape)


def reshape_as(input: TensorLike, other: Tensor) -> Tensor:
    """Return the same elements in the shape of another tensor."""
    return F.reshape(input, other.shape)


def ravel(input: TensorLike) -> Tensor:
    """Return the elements as a vector."""
    return F.reshape(input, (-1,))


def repeat(input: TensorLike, repeats: Any) -> Tensor:
    """Repeat the whole of input along each axis, and along new leading ones."""
    x = as_tensor(input)
    times = (repeats,) if isinstance(repeats, int) else tuple(map(int, repeats))
    if len(times) < x.ndim or builtins.min(times, default=0) < 0:
        raise ValueError(
            f"repeat: expected a number for each of the {x.ndim} axes, or more, got {times}; "
            "repeat_interleave() repeats elements."
        )
    return F.tile(x, times)


def tile(input: TensorLike, dims: Any) -> Tensor:
    """Repeat the whole of input along its last axes."""
    return F.tile(input, dims if isinstance(dims, int) else tuple(dims))


def repeat_interleave(
    input: TensorLike, repeats: Any = None, dim: int | None = None, *, output_size: Any = None
) -> Tensor:
    """Repeat each element, or each slice along `dim`, `repeats` times."""
    x = as_tensor(input)
    if repeats is None:
        return F.repeat(F.arange(x.shape[0]), x)
    if not x.ndim:
        x = F.reshape(x, (1,))
    axis = whole(dim)
    if isinstance(repeats, Tensor) and output_size is not None and TRACER.get() is not None:
        x = F.reshape(x, (-1,)) if axis is None else x
        return _repeated(x, repeats, 0 if axis is None else axis, whole(output_size))
    if isinstance(repeats, Tensor) and repeats.size == 1:
        repeats = int(repeats)
    return F.repeat(x, repeats, axis)


def _repeated(x: Tensor, repeats: Tensor, axis: int, size: int) -> Tensor:
    """Repeat slices by numbers that a trace does not know, but their sum."""
    count = F.broadcast_to(F.reshape(repeats, (-1,)), (x.shape[axis],))
    message = f"repeat_interleave: expected repeats of at least 0 that sum to output_size={size}."
    require(Condition(ValueError, message, lambda n: (n >= 0) & (n.sum() == size)), count)
    ends = F.cumulative_sum(count, axis=0)
    return F.take(x, F.searchsorted(ends, F.arange(size), side="right"), axis)


def roll(input: TensorLike, shifts: Any, dims: Any = None) -> Tensor:
    """Shift elements along axes; those that leave at one end return at the other."""
    x = as_tensor(input)
    by = tuple(shifts) if isinstance(shifts, (tuple, list)) else whole(shifts)
    axes = tuple(dims) if isinstance(dims, (tuple, list)) else whole(dims)
    if axes in (None, ()):
        if isinstance(by, tuple):
            if len(by) != 1:
                raise ValueError(f"roll: expected one shift, or dims for each, got {shifts}.")
            (by,) = by
        return F.roll(x, by)
    count = len(axes) if isinstance(axes, tuple) else 1
    if (len(by) if isinstance(by, tuple) else 1) != count:
        raise ValueError(f"roll: expected as many shifts as dims, got {shifts} and {dims}.")
    if not x.ndim:
        raise IndexError(f"roll: expected no dims for a tensor without axes, got {dims}.")
    pairs = zip(
        by if isinstance(by, tuple) else (by,),
        axes if count > 1 or isinstance(axes, tuple) else (axes,),
        strict=True,
    )
    for s, a in pairs:
        x = F.roll(x, s, a)
    return x


def rot90(input: TensorLike, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turn by 90 degrees `k` times, from the first of two axes toward the second."""
    x = as_tensor(input)
    if not isinstance(dims, (tuple, list)) or len(dims) != 2:
        raise ValueError(f"rot90: expected two dims, got {dims}.")
    a, b = normalize_axes(tuple(dims), x.ndim, "rot90")
    for _ in range(whole(k) % 4):
        x = F.flip(F.swapaxes(x, a, b), a)
    return x


def fliplr(input: TensorLike) -> Tensor:
    """Return input in reverse order along its second axis."""
    return F.flip(input, 1)


def flipud(input: TensorLike) -> Tensor:
    """Return input in reverse order along its first axis."""
    return F.flip(input, 0)


def diagonal(input: TensorLike, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Return diagonal `offset` of two axes as a last axis."""
    x = as_tensor(input)
    a, b = (normalize_axes(whole(i), x.ndim, "diagonal")[0] for i in (dim1, dim2))
    if a == b:
        raise ValueError(f"diagonal: expected two axes, got {dim1} twice.")
    if {a, b} != {x.ndim - 2, x.ndim - 1} or a > b:
        rest = [i for i in range(x.ndim) if i not in (a, b)]
        x = F.permute_dims(x, [*rest, a, b])
    return F.diagonal(x, whole(offset))


def as_strided(
    input: TensorLike, size: Any, stride: Any, storage_offset: int | None = None
) -> Tensor:
    """Return a view of the memory that input lies in, with its own shape and strides."""
    shape, strides = (
        tuple([whole(n) for n in (x if isinstance(x, (tuple, list)) else (x,))])
        for x in (size, stride)
    )
    return F.as_strided(as_tensor(input), shape, strides, whole(storage_offset))


def trace(input: TensorLike) -> Tensor:
    """Return the sum of the diagonal of a matrix."""
    x = as_tensor(input)
    if x.ndim != 2:
        raise ValueError(f"trace: expected 2 axes, got shape {x.shape}.")
    return F.trace(x)


def diag_embed(input: TensorLike, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return matrices, along two axes, with input's last axis on diagonal `offset`."""
    x = as_tensor(input)
    n = x.shape[-1] + abs(offset)
    a, b = (normalize_axes(whole(i), x.ndim + 1, "diag_embed")[0] for i in (dim1, dim2))
    if a == b:
        raise ValueError(f"diag_embed: expected two axes, got {dim1} twice.")
    before, after = builtins.max(-offset, 0), builtins.max(offset, 0)
    padded = F.pad(x, [*[(0, 0)] * (x.ndim - 1), (before, after)])
    at = np.eye(n, n, offset, dtype=bool)
    found = F.where(at, F.expand_dims(padded, -1), False if x.array.dtype == bool_ else 0)
    return F.moveaxis(found, (-2, -1), (a, b))


def diag(input: TensorLike, diagonal: int = 0) -> Tensor:
    """Return the matrix with a vector on its diagonal; of a matrix its diagonal."""
    x = as_tensor(input)
    if x.ndim not in (1, 2):
        raise ValueError(f"diag: expected 1 or 2 axes, got shape {x.shape}.")
    if x.ndim == 1:
        return diag_embed(x, whole(diagonal))
    return astype(F.diagonal(x, whole(diagonal)), x.array.dtype, copy=True)


def diagflat(input: TensorLike, offset: int = 0) -> Tensor:
    """Return the matrix with all elements on its diagonal."""
    return diag_embed(ravel(input), whole(offset))


def unfold(input: TensorLike, dimension: int, size: int, step: int) -> Tensor:
    """Return windows of `size` along an axis, `step` apart, as a last axis."""
    x = as_tensor(input)
    if not x.ndim:
        return F.reshape(x, (1,)) if size else F.zeros(0, dtype=x.array.dtype)
    (axis,) = normalize_axes(whole(dimension), x.ndim, "unfold")
    n = x.shape[axis]
    if not 0 <= size <= n or step < 1:
        raise ValueError(f"unfold: expected size up to {n} and step from 1, got {size}, {step}.")
    at = np.arange(0, n - size + 1, step)[:, None] + np.arange(size)
    return F.moveaxis(x[(*(slice(None),) * axis, at)], axis + 1, -1)


def kron(input: TensorLike, other: TensorLike) -> Tensor:
    """Return the Kronecker product: other, once for each element of input and times it."""
    x, y = as_tensor(input), as_tensor(other)
    rank = builtins.max(x.ndim, y.ndim)
    a = (1,) * (rank - x.ndim) + x.shape
    b = (1,) * (rank - y.ndim) + y.shape
    spread = F.reshape(x, [n for pair in zip(a, (1,) * rank, strict=True) for n in pair])
    laid = F.reshape(y, [n for pair in zip((1,) * rank, b, strict=True) for n in pair])
    return F.reshape(F.multiply(spread, laid), [n * m for n, m in zip(a, b, strict=True)])


@of_numbers_too
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Tensor:
    """Pick along `dim`, of all elements by default, those at `indices`; both broadcast."""
    x, at = as_tensor(input), as_tensor(indices)
    if dim is None:
        return ravel(x)[ravel(at)]
    (axis,) = normalize_axes(whole(dim), x.ndim, "take_along_dim")
    shape = np.broadcast_shapes(
        *[tuple([1 if a == axis else n for a, n in enumerate(s.shape)]) for s in (x, at)]
    )
    x = F.broadcast_to(x, tuple([x.shape[a] if a == axis else n for a, n in enumerate(shape)]))
    at = F.broadcast_to(at, tuple([at.shape[a] if a == axis else n for a, n in enumerate(shape)]))
    return F.take_along_axis(x, at, axis)
