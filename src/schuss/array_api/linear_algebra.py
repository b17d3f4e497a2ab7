"""The standard's products, which need no extension."""

from __future__ import annotations

from collections.abc import Sequence

from schuss.core import Tensor
from schuss.functions import products
from schuss.primitives import contraction
from schuss.primitives.base import as_tensor, result_dtype
from schuss.primitives.elementwise import multiply
from schuss.primitives.reduction import sum

__all__ = ["matmul", "matrix_transpose", "tensordot", "vecdot"]


def matmul(x1: Tensor, x2: Tensor, /) -> Tensor:
    """Return the matrix product over the last axis of x1 and the last but one of x2."""
    return contraction.matmul(x1, x2)


def matrix_transpose(x: Tensor, /) -> Tensor:
    """Return x with its last two axes exchanged."""
    return contraction.matrix_transpose(x)


def tensordot(
    x1: Tensor, x2: Tensor, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2
) -> Tensor:
    """Contract axes of x1 with axes of x2: the last of x1 with the first of x2, or those named."""
    return products.tensordot(x1, x2, axes)


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Tensor:
    """Return the sum of x1 * x2 along `axis`, which both have with one length, in their dtype.

    Args:
        x1: at least one axis.
        x2: at least one axis; other axes broadcast.
        axis: from -n to -1, where n is the smaller number of axes.
    """
    x1, x2 = as_tensor(x1), as_tensor(x2)
    least = min(x1.ndim, x2.ndim)
    if not -least <= axis < 0 or x1.shape[axis] != x2.shape[axis]:
        raise ValueError(
            f"vecdot: expected equal lengths along an axis from {-least} to -1, got {x1.shape} and "
            f"{x2.shape} along {axis}."
        )
    return sum(multiply(x1, x2), axis=axis, dtype=result_dtype(x1.array.dtype, x2.array.dtype))
