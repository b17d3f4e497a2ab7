"""Variance, and what is standardised by it: the core of layer norm and of batch norm."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import Array, Tensor
from schuss.modes import SILENCE
from schuss.primitives.axes import Axes
from schuss.primitives.custom import custom
from schuss.primitives.elementwise import add, divide, multiply, sqrt, subtract
from schuss.primitives.fused import fused
from schuss.primitives.reduction import mean, restore, sum
from schuss.values.along import mean_along, restored, share
from schuss.values.numbers import number
from schuss.values.sums import sum_value

__all__ = ["deviations", "inverse_root", "standardize", "standardize_affine", "variance"]


def _variance_value(x: Array, axes: Axes, keepdims: bool, correction: float) -> tuple[Array, Array]:
    distance = x - mean_along(x, axes)
    factor = number(share(x.shape, axes, correction), x.dtype)
    return sum_value(distance * distance, axes, keepdims) * factor, distance


def _variance_to_x(
    g: Array, y: Array, x: Array, axes: Axes, keepdims: bool, correction: float, kept: list[Array]
) -> Array:
    factor = number(2 * share(x.shape, axes, correction), x.dtype)
    return restored(g * factor, x.shape, axes) * kept[0]


@fused(value=_variance_value, derivative=(_variance_to_x,))
def variance(x: Tensor, *, axes: Axes, keepdims: bool, correction: float) -> Tensor:
    """Return the sum of squared distances from the mean, over the count less `correction`."""
    distance = subtract(x, multiply(sum(x, axes, keepdims=True), share(x.shape, axes)))
    factor = share(x.shape, axes, correction)
    found = multiply(sum(multiply(distance, distance), axes, keepdims), factor)

    def derivative(g: Tensor, _: Tensor) -> dict[int, Tensor]:
        # By way of the mean comes the sum of all distances, which is 0, or not a number.
        return {0: multiply(multiply(restore(g, x, axes, keepdims), 2.0 * factor), distance)}

    return custom("variance", (x,), found, derivative)


Figures = tuple[Array, Array, Array]


def deviations(x: Array, axes: Axes) -> Figures:
    """Return the mean over `axes`, the distances from it, and the mean of their squares."""
    SILENCE.ensure()
    mean = mean_along(x, axes)
    distance = x - mean
    return mean, distance, mean_along(distance * distance, axes)


def _standardize_value(
    x: Array, axes: Axes, eps: float, known: Figures | None = None
) -> tuple[Array, Array, Array]:
    _, distance, square = known or deviations(x, axes)
    square = square + number(eps, x.dtype)
    factor = np.sqrt(square) / square
    y = distance * factor
    return y, y, factor


def _standardize_to_x(g: Array, axes: Axes, y: Array, factor: Array) -> Any:
    error = g - y * mean_along(g * y, axes)
    error -= mean_along(g, axes)
    error *= factor
    return error


@fused(
    value=_standardize_value,
    derivative=(lambda g, y, x, axes, eps, kept: _standardize_to_x(g, axes, *kept),),
)
def standardize(x: Tensor, *, axes: Axes, eps: float) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps) over `axes`, which count from 0."""
    distance = subtract(x, mean(x, axes, keepdims=True))
    square = add(mean(multiply(distance, distance), axes, keepdims=True), eps)
    return multiply(distance, inverse_root(square))


def inverse_root(square: Tensor) -> Tensor:
    """Return 1 / sqrt(square); not 0 but nan where squares have overflowed."""
    return divide(sqrt(square), square)


def _affine_value(
    x: Array, weight: Array, bias: Array, axes: Axes, eps: float, known: Figures | None = None
) -> tuple[Array, Array, Array]:
    y, _, factor = _standardize_value(x, axes, eps, known)
    out = y * weight
    out += bias
    return out, y, factor


@fused(
    value=_affine_value,
    derivative=(
        lambda g, y, x, weight, bias, axes, kept, **_: _standardize_to_x(g * weight, axes, *kept),
        lambda g, y, x, weight, bias, kept, **_: g * kept[0],
        lambda g, y, x, weight, bias, **_: g,
    ),
)
def standardize_affine(
    x: Tensor, weight: Tensor, bias: Tensor, *, axes: Axes, eps: float, known: Figures | None = None
) -> Tensor:
    """Return standardize(x) * weight + bias.

    Args:
        x: floats.
        weight: of x's dtype; it broadcasts against x.
        bias: the same.
        axes: over which x is standardised, from 0 on.
        eps: added to the variance.
        known: the `deviations` of x's array, where they are.
    """
    return add(multiply(standardize(x, axes=axes, eps=eps), weight), bias)
