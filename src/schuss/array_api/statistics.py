"""Reductions and sums along axes, as the standard has them."""

from __future__ import annotations

import numpy.typing as npt

from schuss.core import Tensor
from schuss.functions import reductions
from schuss.primitives import reduction

__all__ = ["all", "any", "argmax", "argmin", "count_nonzero", "cumulative_prod", "cumulative_sum"]
__all__ += ["diff", "max", "mean", "min", "prod", "std", "sum", "var"]

Axis = int | tuple[int, ...] | None
Dtype = npt.DTypeLike | None


def all(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return whether every element over `axis` is true (not 0)."""
    return reductions.all(x, axis=axis, keepdims=keepdims)


def any(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return whether an element over `axis` is true (not 0)."""
    return reductions.any(x, axis=axis, keepdims=keepdims)


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return the position (int64) of the first maximum along `axis`, or of all."""
    return reduction.argmax(x, axis=axis, keepdims=keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Return the position (int64) of the first minimum along `axis`, or of all."""
    return reduction.argmin(x, axis=axis, keepdims=keepdims)


def count_nonzero(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return how many elements over `axis` are not 0 (int64)."""
    return reductions.count_nonzero(x, axis=axis, keepdims=keepdims)


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: Dtype = None, include_initial: bool = False
) -> Tensor:
    """Return the products of the elements up to and including each, along `axis`.

    Args:
        x: any shape.
        axis: along which; a vector needs none.
        dtype: to multiply in; by default x's, int64 for integers and booleans.
        include_initial: whether a 1 comes first.
    """
    return reductions.cumulative_prod(x, axis=axis, dtype=dtype, include_initial=include_initial)


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: Dtype = None, include_initial: bool = False
) -> Tensor:
    """Return the sums of the elements up to and including each, along `axis`.

    Args:
        x: any shape.
        axis: along which; a vector needs none.
        dtype: to sum in; by default x's, int64 for integers and booleans.
        include_initial: whether a 0 comes first.
    """
    return reduction.cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)


def diff(
    x: Tensor,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
) -> Tensor:
    """Return the n-th differences between neighbours along `axis`.

    Args:
        x: at least one axis.
        axis: along which.
        n: how often differences are taken.
        prepend: what to put before x along `axis` first, of x's number of axes.
        append: what to put after it.
    """
    return reductions.diff(x, axis=axis, n=n, prepend=prepend, append=append)


def max(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the maximum over `axis`; nan where there is one."""
    return reduction.max(x, axis=axis, keepdims=keepdims)


def mean(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the arithmetic mean over `axis`; integers are averaged in float32."""
    return reduction.mean(x, axis=axis, keepdims=keepdims)


def min(x: Tensor, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the minimum over `axis`; nan where there is one."""
    return reduction.min(x, axis=axis, keepdims=keepdims)


def prod(x: Tensor, /, *, axis: Axis = None, dtype: Dtype = None, keepdims: bool = False) -> Tensor:
    """Return the product over `axis`; integers are multiplied in int64."""
    return reductions.prod(x, axis=axis, dtype=dtype, keepdims=keepdims)


def std(
    x: Tensor, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """Return the standard deviation over `axis`: the square root of `var`."""
    return reductions.std(x, axis=axis, correction=correction, keepdims=keepdims)


def sum(x: Tensor, /, *, axis: Axis = None, dtype: Dtype = None, keepdims: bool = False) -> Tensor:
    """Return the sum over `axis`; integers are summed in int64."""
    return reduction.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)


def var(
    x: Tensor, /, *, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """Return the variance over `axis`: the squared distances from the mean over n - correction."""
    return reductions.var(x, axis=axis, correction=correction, keepdims=keepdims)
