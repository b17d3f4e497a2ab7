"""PyTorch's names and argument names for what the array API standard calls otherwise."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from schuss.core import Number, Tensor, TensorLike
from schuss.functions.elementwise import clip, isfinite, isnan, logical_and, logical_or, reciprocal
from schuss.functions.reductions import all
from schuss.functions.shapes import (
    broadcast_arrays,
    expand_dims,
    moveaxis,
    repeat,
    swapaxes,
    unstack,
)
from schuss.functions.sorting import unique_values
from schuss.primitives.axes import Axis, normalize_axes
from schuss.primitives.base import as_tensor as as_operand
from schuss.primitives.base import asarray
from schuss.primitives.contraction import matmul
from schuss.primitives.elementwise import abs, divide, multiply, negative, pow, sqrt, subtract
from schuss.primitives.indexing import along, argsort, take, take_along_axis
from schuss.primitives.logic import equal
from schuss.primitives.movement import concat, permute_dims, reshape
from schuss.primitives.reduction import cumulative_sum, max, min

absolute = abs
as_tensor = asarray
bmm = mm = matmul
cat = concatenate = concat
clamp = clip
cumsum = cumulative_sum
div = divide
movedim = moveaxis
mul = multiply
neg = negative
power = pow
sub = subtract
unique = unique_values


def addmm(
    x: TensorLike, y: TensorLike, z: TensorLike, *, beta: Number = 1, alpha: Number = 1
) -> Tensor:
    """Return beta * x + alpha * (y @ z)."""
    return as_operand(x) * beta + matmul(y, z) * alpha


def allclose(
    x: TensorLike, y: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> bool:
    """Tell whether all elements are near to each other; see `isclose`."""
    return bool(all(isclose(x, y, rtol, atol, equal_nan)))


def amax(x: TensorLike, dim: Axis = None, keepdim: bool = False) -> Tensor:
    """Return the largest elements along `dim`: `max`."""
    return max(x, dim, keepdim)


def amin(x: TensorLike, dim: Axis = None, keepdim: bool = False) -> Tensor:
    """Return the smallest elements along `dim`: `min`."""
    return min(x, dim, keepdim)


def chunk(x: TensorLike, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut into at most `chunks` pieces of equal length along `dim`; the last may be shorter.

    >>> [piece.shape for piece in chunk([1, 2, 3, 4, 5], 2)]
    [(3,), (2,)]
    """
    x = as_operand(x)
    if chunks < 1:
        raise ValueError(f"chunk: expected at least 1 chunk, got {chunks}.")
    return split(x, builtins.max(1, -(-x.shape[dim] // chunks)), dim)


def index_select(x: TensorLike, dim: int, index: TensorLike) -> Tensor:
    """Pick slices along `dim`: `take` with the axis first."""
    return take(x, index, dim)


def isclose(
    x: TensorLike, y: TensorLike, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
) -> Tensor:
    """Tell where |x - y| <= atol + rtol * |y|, or both are the same infinity.

    >>> isclose([1.0, 1.0], [1.0 + 1e-7, 1.1])
    tensor([ True, False])
    """
    x, y = as_operand(x), as_operand(y)
    both = logical_and(isfinite(x), isfinite(y))
    near = logical_and(both, abs(x - y) <= abs(y) * rtol + atol)
    near = logical_or(near, equal(x, y))
    return logical_or(near, logical_and(isnan(x), isnan(y))) if equal_nan else near


def lerp(x: TensorLike, end: TensorLike, weight: TensorLike) -> Tensor:
    """Return x + weight * (end - x)."""
    x = as_operand(x)
    return x + (as_operand(end) - x) * weight


def masked_select(x: TensorLike, mask: TensorLike) -> Tensor:
    """Return the elements where `mask` holds, as a vector."""
    x, mask = broadcast_arrays(x, mask)
    return x[mask]


def mv(x: TensorLike, y: TensorLike) -> Tensor:
    """Return the product of a matrix with a vector: `matmul`."""
    return matmul(x, y)


def narrow(x: TensorLike, dim: int, start: int, length: int) -> Tensor:
    """Return `length` slices along `dim`, from `start`."""
    return split(x, [start, length, as_operand(x).shape[dim] - start - length], dim)[1]


def permute(x: TensorLike, dims: Sequence[int]) -> Tensor:
    """Return `x` with its axes in the order `dims`: `permute_dims`."""
    return permute_dims(x, dims)


def repeat_interleave(x: TensorLike, repeats: int | TensorLike, dim: int | None = None) -> Tensor:
    """Repeat each element, or each slice along `dim`, `repeats` times: `repeat`."""
    return repeat(x, repeats, dim)


def rsqrt(x: TensorLike) -> Tensor:
    """Return 1 / sqrt(x)."""
    return reciprocal(sqrt(x))


def select(x: TensorLike, dim: int, index: int) -> Tensor:
    """Return slice `index` along `dim`, without this axis."""
    return moveaxis(x, dim, 0)[index]


def split(x: TensorLike, sizes: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Cut into pieces along `dim`: of one length (the last may be shorter), or of those given.

    >>> [piece.shape for piece in split([1, 2, 3, 4, 5], 2)]
    [(2,), (2,), (1,)]
    """
    if not isinstance(x, Tensor):
        x = as_operand(x)
    (axis,) = normalize_axes(dim, x.array.ndim, "split")
    n = x.array.shape[axis]
    if isinstance(sizes, int):
        if sizes < 1:
            raise ValueError(f"split: expected a length of at least 1, got {sizes}.")
        sizes = [builtins.min(sizes, n - i) for i in range(0, n, sizes)] or [0]
    if builtins.sum(sizes) != n or builtins.min(sizes) < 0:
        raise ValueError(f"split: expected lengths that add up to {n}, got {list(sizes)}.")
    parts = [slice(end - n, end) for end, n in zip(accumulate(sizes), sizes, strict=True)]
    before = (slice(None),) * axis
    return tuple([x[(*before, part) if axis else part] for part in parts])


def swapdims(x: TensorLike, dim0: int, dim1: int) -> Tensor:
    """Exchange two axes: `swapaxes`."""
    return swapaxes(x, dim0, dim1)


def take_along_dim(x: TensorLike, indices: TensorLike, dim: int) -> Tensor:
    """Pick along `dim`: `take_along_axis`."""
    return take_along_axis(x, indices, dim)


def topk(x: TensorLike, k: int, dim: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """Return the `k` largest (or smallest) elements along `dim` in order, and their positions.

    >>> topk([3.0, 1.0, 2.0], 2)
    (tensor([3., 2.]), tensor([0, 2]))
    """
    x = as_operand(x)
    if not 0 <= k <= x.shape[dim]:
        raise ValueError(f"topk: expected k from 0 to {x.shape[dim]}, got {k}.")
    order = moveaxis(moveaxis(argsort(x, dim, descending=largest), dim, 0)[:k], 0, dim)
    return along(x, order, dim % x.ndim), order


def transpose(x: Tensor, *axes: Any) -> Tensor:
    """Exchange two axes (PyTorch), permute all of them (NumPy), or reverse them (no argument)."""
    if len(axes) == 2:
        return swapaxes(x, *axes)
    if len(axes) == 1:
        axes = tuple(axes[0])
    return permute_dims(x, axes or range(x.ndim)[::-1])


def unbind(x: TensorLike, dim: int = 0) -> tuple[Tensor, ...]:
    """Split along `dim` into a tuple of tensors without it: `unstack`."""
    return unstack(x, axis=dim)


def unsqueeze(x: TensorLike, dim: int) -> Tensor:
    """Insert an axis of length 1 at `dim`: `expand_dims`."""
    return expand_dims(x, dim)


def unflatten(x: TensorLike, dim: int, sizes: Sequence[int]) -> Tensor:
    """Split axis `dim` into axes of the lengths `sizes`, of which one may be -1."""
    shape = as_operand(x).shape
    (dim,) = normalize_axes(dim, len(shape), "unflatten")
    return reshape(x, (*shape[:dim], *sizes, *shape[dim + 1 :]))


__all__ = [
    "absolute", "addmm", "allclose", "amax", "amin", "as_tensor", "bmm", "cat", "chunk", "clamp",
    "concatenate", "cumsum", "div", "index_select", "isclose", "lerp", "masked_select", "mm",
    "movedim", "mul", "mv", "narrow", "neg", "permute", "power", "repeat_interleave", "rsqrt",
    "select", "split", "sub", "swapdims", "take_along_dim", "topk", "transpose", "unbind",
    "unflatten", "unique", "unsqueeze",
]  # fmt: skip
