"""PyTorch's names and argument names for what the array API standard calls otherwise."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from schuss.functions.elementwise import clip
from schuss.functions.shapes import (
    broadcast_arrays,
    expand_dims,
    moveaxis,
    repeat,
    swapaxes,
    unstack,
)
from schuss.primitives.base import as_tensor
from schuss.primitives.contraction import matmul
from schuss.primitives.elementwise import abs, divide, multiply, negative, pow, subtract
from schuss.primitives.indexing import argsort, take, take_along_axis
from schuss.primitives.movement import concat, permute_dims
from schuss.primitives.reduction import cumulative_sum
from schuss.tensor import Tensor, TensorLike

absolute = abs
bmm = mm = matmul
cat = concatenate = concat
clamp = clip
cumsum = cumulative_sum
div = divide
mul = multiply
neg = negative
power = pow
sub = subtract


def chunk(x: TensorLike, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Cut into at most `chunks` pieces of equal length along `dim`; the last may be shorter.

    >>> [piece.shape for piece in chunk([1, 2, 3, 4, 5], 2)]
    [(3,), (2,)]
    """
    x = as_tensor(x)
    if chunks < 1:
        raise ValueError(f"chunk: expected at least 1 chunk, got {chunks}.")
    return split(x, builtins.max(1, -(-x.shape[dim] // chunks)), dim)


def index_select(x: TensorLike, dim: int, index: TensorLike) -> Tensor:
    """Pick slices along `dim`: `take` with the axis first."""
    return take(x, index, dim)


def masked_select(x: TensorLike, mask: TensorLike) -> Tensor:
    """Return the elements where `mask` holds, as a vector."""
    x, mask = broadcast_arrays(x, mask)
    return x[mask]


def narrow(x: TensorLike, dim: int, start: int, length: int) -> Tensor:
    """Return `length` slices along `dim`, from `start`."""
    return split(x, [start, length, as_tensor(x).shape[dim] - start - length], dim)[1]


def permute(x: TensorLike, dims: Sequence[int]) -> Tensor:
    """Return `x` with its axes in the order `dims`: `permute_dims`."""
    return permute_dims(x, dims)


def repeat_interleave(x: TensorLike, repeats: int | TensorLike, dim: int | None = None) -> Tensor:
    """Repeat each element, or each slice along `dim`, `repeats` times: `repeat`."""
    return repeat(x, repeats, dim)


def split(x: TensorLike, sizes: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Cut into pieces along `dim`: of one length (the last may be shorter), or of those given.

    >>> [piece.shape for piece in split([1, 2, 3, 4, 5], 2)]
    [(2,), (2,), (1,)]
    """
    x = moveaxis(x, dim, 0)
    n = x.shape[0]
    if isinstance(sizes, int):
        if sizes < 1:
            raise ValueError(f"split: expected a length of at least 1, got {sizes}.")
        sizes = [builtins.min(sizes, n - i) for i in range(0, n, sizes)] or [0]
    if builtins.sum(sizes) != n or builtins.min(sizes) < 0:
        raise ValueError(f"split: expected lengths that add up to {n}, got {list(sizes)}.")
    ends = [builtins.sum(sizes[: i + 1]) for i in range(len(sizes))]
    return tuple(moveaxis(x[e - size : e], 0, dim) for e, size in zip(ends, sizes, strict=True))


def swapdims(x: TensorLike, dim0: int, dim1: int) -> Tensor:
    """Exchange two axes: `swapaxes`."""
    return swapaxes(x, dim0, dim1)


def topk(x: TensorLike, k: int, dim: int = -1, largest: bool = True) -> tuple[Tensor, Tensor]:
    """Return the `k` largest (or smallest) elements along `dim` in order, and their positions.

    >>> topk([3.0, 1.0, 2.0], 2)
    (tensor([3., 2.]), tensor([0, 2]))
    """
    x = as_tensor(x)
    if not 0 <= k <= x.shape[dim]:
        raise ValueError(f"topk: expected k from 0 to {x.shape[dim]}, got {k}.")
    order = moveaxis(moveaxis(argsort(x, dim, descending=largest), dim, 0)[:k], 0, dim)
    return take_along_axis(x, order, dim), order


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


__all__ = [
    "absolute", "bmm", "cat", "chunk", "clamp", "concatenate", "cumsum", "div", "index_select",
    "masked_select", "mm", "mul", "narrow", "neg", "permute", "power", "repeat_interleave", "split",
    "sub", "swapdims", "topk", "transpose", "unbind", "unsqueeze",
]  # fmt: skip
