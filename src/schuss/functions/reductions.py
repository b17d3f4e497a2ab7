"""Reductions composed from primitives: variances, products, log-sum-exp, norms."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, TensorLike, bool_, float64, int64
from schuss.dtypes import DEFAULTS
from schuss.functions.creation import ones
from schuss.functions.elementwise import logical_not
from schuss.functions.normalization import variance
from schuss.functions.shapes import moveaxis
from schuss.primitives.axes import Axes, Axis, normalize_axes
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.custom import custom
from schuss.primitives.elementwise import abs, divide, maximum, multiply, sqrt
from schuss.primitives.fused import fused
from schuss.primitives.logic import equal, greater, not_equal, where
from schuss.primitives.movement import concat, permute_dims, reshape
from schuss.primitives.powers import pow
from schuss.primitives.reduction import cumulative_input, max, min, restore, sum
from schuss.values.along import restored
from schuss.values.sums import reduced_shape, sum_value

__all__ = ["all", "any", "count_nonzero", "cumulative_prod", "diff", "norm", "prod", "std", "var"]


def as_float(x: TensorLike) -> Tensor:
    """Return x, integers and booleans cast to the default dtype."""
    if not isinstance(x, Tensor):
        x = as_tensor(x)
    return x if x.array.dtype.kind == "f" else astype(x, DEFAULTS.floating)


def var(
    x: TensorLike, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """Variance over `axis`: the mean squared distance from the mean.

    Args:
        x: any shape.
        axis: axes to reduce, all by default.
        correction: subtracted from the count that divides: 0 for the population's variance (the
            default, the array API's; PyTorch's is 1), 1 for the sample's.
        keepdims: keep reduced axes with length 1.
    """
    x = as_float(x)
    axes = normalize_axes(axis, x.ndim, "var")
    return variance(x, axes=axes, keepdims=keepdims, correction=correction)


def std(
    x: TensorLike, axis: Axis = None, correction: float = 0.0, keepdims: bool = False
) -> Tensor:
    """Standard deviation over `axis`: the square root of `var`, of squares in float64."""
    x = as_float(x)
    found = root(var(astype(x, float64), axis, correction, keepdims))
    return astype(found, x.array.dtype)


def prod(x: TensorLike, axis: Axis = None, keepdims: bool = False, *, dtype: Any = None) -> Tensor:
    """Product over `axis`, by halves, so that its derivative holds at zeros too."""
    x = as_tensor(x)
    if dtype is not None:
        x = astype(x, dtype)
    elif x.array.dtype.kind != "f":
        x = astype(x, int64)
    axes = normalize_axes(axis, x.ndim, "prod")
    rest = [a for a in range(x.ndim) if a not in axes]
    kept = reduced_shape(x.shape, axes, keepdims)
    x = permute_dims(x, [*axes, *rest])
    x = reshape(x, (math.prod(x.shape[: len(axes)]), *x.shape[len(axes) :]))
    # Of one factor it would be x itself.
    is_one = x.shape[0] == 1
    while x.shape[0] > 1:
        half = x.shape[0] // 2
        merged = x[:half] * x[half : 2 * half]
        x = concat([merged, x[2 * half :]], 0) if x.shape[0] % 2 else merged
    return reshape(x, kept, copy=is_one) if x.shape[0] else ones(kept, dtype=x.array.dtype)


def cumulative_prod(
    x: TensorLike, axis: int | None = None, *, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """Product of the elements up to and including each, along `axis`, by doubling strides.

    Args:
        x: any shape.
        axis: along which; a vector needs none.
        dtype: to multiply in; by default x's, int64 for integers and booleans.
        include_initial: whether a 1 comes first.
    """
    x, axis = cumulative_input(x, axis, dtype, "cumulative_prod")
    x = moveaxis(x, axis, 0)
    stride = 1
    while stride < x.shape[0]:
        x = concat([x[:stride], x[stride:] * x[:-stride]], 0)
        stride *= 2
    if include_initial:
        x = concat([ones((1, *x.shape[1:]), dtype=x.array.dtype), x], 0)
    elif x.shape[0] == 1:
        # Else it would be x itself.
        x = astype(x, x.array.dtype, copy=True)
    return moveaxis(x, 0, axis)


def any(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return whether an element over `axis` is true (not 0)."""
    return greater(count_nonzero(x, axis, keepdims), 0)


def all(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return whether every element over `axis` is true (not 0)."""
    return equal(sum(logical_not(x), axis, keepdims), 0)


def count_nonzero(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return how many elements over `axis` are not 0 (int64)."""
    return sum(astype(x, bool_), axis, keepdims)


def diff(
    x: TensorLike,
    axis: int = -1,
    n: int = 1,
    *,
    prepend: TensorLike | None = None,
    append: TensorLike | None = None,
) -> Tensor:
    """Return the n-th differences between neighbours along `axis`.

    Args:
        x: at least one axis.
        axis: along which.
        n: how often differences are taken.
        prepend: what to put before x along `axis` first, of x's number of axes.
        append: what to put after it.
    """
    if n < 0:
        raise ValueError(f"diff: expected n >= 0, got {n}.")
    parts = [part for part in (prepend, x, append) if part is not None]
    x = moveaxis(concat(parts, axis) if len(parts) > 1 else x, axis, 0)
    for _ in range(n):
        x = x[1:] - x[:-1]
    return moveaxis(x, 0, axis)


def root(x: Tensor) -> Tensor:
    """Square root with derivative 0 at 0, where a norm and a deviation have no direction."""
    flat = equal(x, 0.0)
    return where(flat, 0.0, sqrt(where(flat, 1.0, x)))


def _norm_to_x(g: Array, y: Array, x: Array, axes: Axes, keepdims: bool) -> Array:
    share = np.zeros(y.shape, y.dtype)
    np.divide(g, y, share, where=y != 0.0)
    return restored(share, x.shape, axes) * x


@fused(
    value=lambda x, axes, keepdims: np.sqrt(sum_value(x * x, axes, keepdims)),
    derivative=(_norm_to_x,),
)
def euclidean_norm(x: Tensor, *, axes: Axes, keepdims: bool) -> Tensor:
    """Return sqrt(sum(x * x)) of floats over `axes`, with derivative 0 at 0."""
    return root(sum(multiply(x, x), axes, keepdims))


def among_equals(
    name: str, x: Tensor, y: Tensor, axes: Axes, keepdims: bool, equals: Callable[..., Tensor]
) -> Tensor:
    """Return `y`, found among x's elements over `axes`: those equal to it share its error evenly.

    Args:
        name: what errors call it.
        x: any shape.
        y: what was found; how it depends on x does not count.
        axes: over which it was looked for.
        keepdims: whether y has these axes, of length 1.
        equals: takes x and y, and returns which elements are equal; where none is, no error goes
            anywhere.
    """

    def derivative(g: Tensor, y: Tensor) -> dict[int, Tensor]:
        at = astype(equals(x, restore(y, x, axes, keepdims)), x.array.dtype)
        count = maximum(sum(at, axes, keepdims=True), 1.0)
        return {0: multiply(at, divide(restore(g, x, axes, keepdims), count))}

    return custom(name, (x,), y, derivative) if x.requires_grad else y


def _extreme_size(size: Tensor, extreme: Any, axis: Axis, keepdims: bool) -> Tensor:
    axes = normalize_axes(axis, size.ndim, "norm")
    found = extreme(size, axes, keepdims)
    return among_equals("norm", size, found, axes, keepdims, equal)


def norm(x: TensorLike, axis: Axis = None, keepdims: bool = False, *, ord: float = 2) -> Tensor:
    """Return the vector norm over `axis`: (sum |x|**ord)**(1/ord), or the largest |x| for inf."""
    if not isinstance(x, Tensor) or x.array.dtype.kind != "f":
        x = as_float(x)
    if ord == 2:
        axes = normalize_axes(axis, x.array.ndim, "norm")
        return euclidean_norm(x, axes=axes, keepdims=keepdims)
    size = abs(x)
    if ord in (math.inf, -math.inf):
        return _extreme_size(size, max if ord > 0 else min, axis, keepdims)
    if ord == 0:
        return sum(astype(not_equal(size, 0.0), size.array.dtype), axis, keepdims)
    if ord == 1:
        return sum(size, axis, keepdims)
    # A power's derivative at 0 may be infinite; the norm's is taken as 0 there.
    zero = equal(size, 0.0)
    powers = where(zero, 0.0, pow(where(zero, 1.0, size), float(ord)))
    total = sum(powers, axis, keepdims)
    flat = equal(total, 0.0) if ord > 0 else any(zero, axis, keepdims)
    return where(flat, 0.0, pow(where(flat, 1.0, total), 1.0 / ord))
