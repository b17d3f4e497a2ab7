"""Softmax, its logarithm, and the logarithm of a sum of exponentials."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import Array, Tensor, TensorLike
from schuss.dtypes import DEFAULTS
from schuss.primitives.axes import Axes, Axis, normalize_axes, require_elements
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.custom import with_slope
from schuss.primitives.elementwise import (
    add,
    divide,
    exp,
    log,
    maximum,
    minimum,
    multiply,
    subtract,
)
from schuss.primitives.fused import fused
from schuss.primitives.movement import reshape
from schuss.primitives.reduction import max, sum
from schuss.values.along import largest_along, restored, total_along
from schuss.values.sums import reduced_shape, sum_value

__all__ = ["below_largest", "log_softmax", "logsumexp", "softmax", "softmax_slope"]


def below_largest(x: Tensor, axes: Axes) -> Tensor:
    """Return x less its largest element along `axes`, from which no error flows back."""
    return subtract(x, max(x.detach(), axes, keepdims=True))


def _float_along(x: TensorLike, axis: Axis, owner: str) -> tuple[Tensor, Axes]:
    """Return x as floats, and the axes to go along, where there has to be something."""
    if not isinstance(x, Tensor):
        x = as_tensor(x)
    array = x.array
    axes = normalize_axes(axis, array.ndim, owner)
    if not array.size:
        require_elements(array.shape, axes, owner)
    return (x if array.dtype.kind == "f" else astype(x, DEFAULTS.floating)), axes


def _softmax_value(x: Array, axes: Axes) -> Any:
    e = np.exp(x - largest_along(x, axes))
    e /= total_along(e, axes)
    return e


def _softmax_to_x(g: Array, y: Array, x: Array, axes: Axes) -> Array:
    error = g * y
    error -= y * total_along(error, axes)
    return error


def softmax_slope(g: Tensor, y: Tensor, x: Tensor, axes: Axes) -> Tensor:
    """Take the error in shares y back to x; y alone has to be kept for it."""
    return multiply(y, subtract(g, sum(multiply(g, y), axes, keepdims=True)))


@with_slope(softmax_slope)
def _shares(x: Tensor, axes: Axes) -> Tensor:
    e = exp(below_largest(x, axes))
    return divide(e, sum(e, axes, keepdims=True))


@fused(value=_softmax_value, derivative=(_softmax_to_x,))
def _softmax(x: Tensor, *, axes: Axes) -> Tensor:
    return _shares(x, axes)


def softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """Return exp(x) divided by its sum along `axis`: positive numbers that add up to 1."""
    x, axes = _float_along(x, axis, "softmax")
    return _softmax(x, axes=axes)


def _log_softmax_value(x: Array, axes: Axes) -> Any:
    y = x - largest_along(x, axes)
    y -= np.log(total_along(np.exp(y), axes))
    return y


@fused(
    value=_log_softmax_value,
    derivative=(lambda g, y, x, axes: g - np.exp(y) * total_along(g, axes),),
)
def _log_softmax(x: Tensor, *, axes: Axes) -> Tensor:
    y = below_largest(x, axes)
    return subtract(y, log(sum(exp(y), axes, keepdims=True)))


def log_softmax(x: TensorLike, axis: int = -1) -> Tensor:
    """Return log(softmax(x)) along `axis`, exact for small probabilities too."""
    x, axes = _float_along(x, axis, "log_softmax")
    return _log_softmax(x, axes=axes)


def _logsumexp_value(x: Array, axes: Axes, keepdims: bool) -> tuple[Any, ...]:
    top = largest_along(x, axes)
    if not np.isfinite(top).all():
        most = np.finfo(x.dtype).max
        top = np.clip(top, -most, most)
    e = np.exp(x - top)
    total = sum_value(e, axes, True)
    found = np.log(total) + top.reshape(total.shape)
    return found.reshape(reduced_shape(x.shape, axes, keepdims)), e, total


def _logsumexp_to_x(
    g: Array, y: Array, x: Array, axes: Axes, keepdims: bool, kept: tuple[Array, Array]
) -> Array:
    e, total = kept
    return e * (restored(g, x.shape, axes) / total)


@fused(value=_logsumexp_value, derivative=(_logsumexp_to_x,))
def _logsumexp(x: Tensor, *, axes: Axes, keepdims: bool) -> Tensor:
    top = max(x.detach(), axes, keepdims=True)
    # Numbers are still below infinity then, and their shares 0.
    most = float(np.finfo(x.array.dtype).max)
    top = minimum(maximum(top, -most), most)
    found = add(log(sum(exp(subtract(x, top)), axes, keepdims=True)), top)
    return found if keepdims else reshape(found, reduced_shape(x.shape, axes, False))


def logsumexp(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return log(sum(exp(x))) over `axis` without overflow."""
    x, axes = _float_along(x, axis, "logsumexp")
    return _logsumexp(x, axes=axes, keepdims=keepdims)
