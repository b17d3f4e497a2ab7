"""Norms of vectors along axes, and of matrices."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from schuss.core import Tensor, TensorLike
from schuss.functions.matrices import floats, svdvals
from schuss.functions.reductions import norm
from schuss.functions.shapes import moveaxis
from schuss.primitives.axes import normalize_axes
from schuss.primitives.base import astype
from schuss.primitives.elementwise import abs
from schuss.primitives.logic import not_equal
from schuss.primitives.movement import reshape
from schuss.primitives.reduction import max, min, sum

__all__ = ["matrix_norm", "vector_norm"]


def vector_norm(
    x: TensorLike,
    *,
    axis: int | Sequence[int] | None = None,
    keepdims: bool = False,
    ord: float = 2,
) -> Tensor:
    """Return (sum |x|**ord)**(1/ord) over `axis`, the largest |x| for inf, the smallest for -inf.

    For 0 it is how many elements are not 0.
    """
    x = floats("vector_norm", x, 0)
    axes = normalize_axes(None if axis is None else _as_axis(axis), x.ndim, "vector_norm")
    if not axes:
        return astype(not_equal(x, 0.0), x.array.dtype) if ord == 0 else abs(x)
    return norm(x, axis=axes, keepdims=keepdims, ord=ord)


def _as_axis(axis: int | Sequence[int]) -> int | tuple[int, ...]:
    return axis if isinstance(axis, int) else tuple(axis)


_BY_SUMS: dict[float, tuple[int, Callable[..., Tensor]]] = {
    1: (-2, max), -1: (-2, min), math.inf: (-1, max), -math.inf: (-1, min),
}  # fmt: skip
_BY_VALUES: dict[Any, Callable[..., Tensor]] = {2: max, -2: min, "nuc": sum}


def matrix_norm(
    x: TensorLike,
    *,
    axis: tuple[int, int] = (-2, -1),
    keepdims: bool = False,
    ord: float | str = "fro",
) -> Tensor:
    """Return a norm of matrices.

    Args:
        x: at least two axes.
        axis: a matrix's rows and columns.
        keepdims: keep both with length 1.
        ord: "fro", the root of the sum of squares; "nuc", the sum of the singular values; 2 and
            -2, the largest and the smallest of them; 1 and -1, the largest and the smallest sum of
            |x| down a column; inf and -inf, along a row.
    """
    x = floats("matrix_norm", x)
    axes = normalize_axes(tuple(axis), x.ndim, "matrix_norm")
    if len(axes) != 2:
        raise ValueError(f"matrix_norm: expected two axes, got {axis}.")
    if ord == "fro":
        return norm(x, axis=axes, keepdims=keepdims)
    rows_last = moveaxis(x, axes, (-2, -1))
    if ord in _BY_SUMS:
        summed, extreme = _BY_SUMS[ord]
        found = extreme(sum(abs(rows_last), axis=summed), axis=-1)
    elif ord in _BY_VALUES:
        found = _BY_VALUES[ord](svdvals(rows_last), axis=-1)
    else:
        raise ValueError(
            f"matrix_norm: expected ord 'fro', 'nuc', 1, -1, 2, -2, inf or -inf, got {ord!r}."
        )
    kept = tuple(1 if a in axes else n for a, n in enumerate(x.shape))
    return reshape(found, kept) if keepdims else found
