"""The cores of activations.

Pieces are put together from max(x, 0), whose derivative at 0 is 0, and min(x, 0), whose derivative
at 0 is 1: each x belongs to one piece. That is several times faster than a choice by `where`, and
no piece sees a number at which it overflows.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, TensorLike
from schuss.primitives.base import as_tensor
from schuss.primitives.custom import with_slope
from schuss.primitives.elementwise import (
    abs,
    add,
    divide,
    erf,
    exp,
    expm1,
    log1p,
    maximum,
    minimum,
    multiply,
    relu,
    sigmoid,
    sigmoid_value,
    subtract,
    tanh,
)
from schuss.primitives.fused import fused
from schuss.primitives.logic import bitwise_and, greater, less, less_equal, where
from schuss.primitives.views import detach
from schuss.values.numbers import number

__all__ = ["below_zero", "exponential_unit", "gelu", "hardtanh", "leaky_relu", "logsigmoid"]
__all__ += ["mish", "silu", "softplus", "softplus_parts", "softsign"]


def below_zero(x: Tensor) -> Tensor:
    """Return min(x, 0), with derivative 1 at 0."""
    return minimum(x, 0.0)


def _pieces(x: Array) -> tuple[Any, Any]:
    """Return max(x, 0) and min(x, 0)."""
    zero = number(0.0, x.dtype)
    return np.maximum(x, zero), np.minimum(x, zero)


def _slope(x: Array, below: Any) -> Any:
    """Return 1 where x > 0, and `below` elsewhere; 0 where x is not a number."""
    zero = number(0.0, x.dtype)
    return np.greater(x, zero) + np.less_equal(x, zero) * below


def _leaky_slope(x: Array, slope: Any) -> Any:
    """Return 1 where x > 0, and `slope` elsewhere, also where x is not a number."""
    at = np.greater(x, number(0.0, x.dtype))
    return at + ~at * slope


def _leaky_value(x: Array, slope: float) -> Any:
    above, below = _pieces(x)
    return above + below * number(slope, x.dtype)


@fused(
    value=_leaky_value,
    derivative=(lambda g, y, x, slope: g * _leaky_slope(x, number(slope, x.dtype)),),
)
def _leaky_relu(x: Tensor, *, slope: float) -> Tensor:
    above = greater(x, 0.0)
    return add(where(above, x, 0.0), multiply(where(above, 0.0, x), slope))


def leaky_relu(x: TensorLike, slope: float) -> Tensor:
    """Return x where x > 0, and slope * x elsewhere."""
    x = as_tensor(x)
    if math.isfinite(slope):
        return _leaky_relu(x, slope=slope)
    # Nothing of the other piece, times such a slope, must get here.
    above = greater(x, 0.0)
    return where(above, x, multiply(where(above, 1.0, x), slope))


def _exponential_value(x: Array, alpha: float, rate: float) -> tuple[Array, Any]:
    above, below = _pieces(x)
    tail = np.expm1(below if rate == 1.0 else below * number(rate, x.dtype))
    return above + tail * number(alpha, x.dtype), tail


def _exponential_to_x(
    g: Array, y: Array, x: Array, alpha: float, rate: float, kept: list[Array]
) -> Any:
    return g * _slope(x, (kept[0] + number(1.0, x.dtype)) * number(alpha * rate, x.dtype))


@fused(value=_exponential_value, derivative=(_exponential_to_x,))
def _exponential_unit(x: Tensor, *, alpha: float, rate: float) -> Tensor:
    below = below_zero(x)
    tail = expm1(below if rate == 1.0 else multiply(below, rate))
    return add(relu(x), tail if alpha == 1.0 else multiply(tail, alpha))


def exponential_unit(x: TensorLike, alpha: float, rate: float = 1.0) -> Tensor:
    """Return x where x > 0, and alpha * (exp(rate * x) - 1) elsewhere."""
    x = as_tensor(x)
    if math.isfinite(alpha) and math.isfinite(rate):
        return _exponential_unit(x, alpha=alpha, rate=rate)
    return _unbounded_unit(x, alpha, rate)


def _unbounded_slope(g: Tensor, y: Tensor, x: Tensor, alpha: float, rate: float) -> Tensor:
    slope = multiply(exp(multiply(x, rate)), alpha * rate)
    return where(less_equal(x, 0.0), multiply(g, slope), g)


@with_slope(_unbounded_slope)
def _unbounded_unit(x: Tensor, alpha: float, rate: float) -> Tensor:
    """Return the same where a factor is not finite: nothing of the other piece, times it."""
    return where(less(x, 0.0), multiply(expm1(multiply(x, rate)), alpha), x)


@fused(
    value=lambda x, low, high: np.minimum(
        np.maximum(x, number(low, x.dtype)), number(high, x.dtype)
    ),
    derivative=(
        # A choice, as errors may be infinite.
        lambda g, y, x, low, high: np.where(
            np.greater(x, number(low, x.dtype)) & np.less(x, number(high, x.dtype)),
            g,
            number(0.0, x.dtype),
        ),
    ),
)
def hardtanh(x: Tensor, *, low: float, high: float) -> Tensor:
    """Return x kept within two bounds; the error passes between them alone, and not nan."""
    inside = bitwise_and(greater(x, low), less(x, high))
    return where(inside, x, minimum(maximum(detach(x), low), high))


def _silu_slope(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    # By parts, g * x might be infinite where the slope of the sigmoid is 0.
    s = sigmoid(x)
    return multiply(g, add(s, multiply(y, subtract(1.0, s))))


def _silu_value(x: Array) -> tuple[Array, Array]:
    s = sigmoid_value(x)
    return x * s, s


@fused(
    value=_silu_value,
    derivative=(lambda g, y, x, kept: g * (kept[0] + y * (number(1.0, x.dtype) - kept[0])),),
)
@with_slope(_silu_slope)
def silu(x: Tensor) -> Tensor:
    """Return x * sigmoid(x)."""
    return multiply(x, sigmoid(x))


def _mish_value(x: Array) -> tuple[Array, Any, Any]:
    two = number(2.0, x.dtype)
    power = np.exp(np.minimum(x, number(20.0, x.dtype)))
    n = power * (power + two)
    share = n / (n + two)
    return x * share, power, share


def _mish_to_x(g: Array, y: Array, x: Array, kept: list[Array]) -> Any:
    power, share = kept
    one, kind = number(1.0, x.dtype), x.dtype
    n = power * (power + number(2.0, kind)) + number(2.0, kind)
    slope = power * (power + one) * number(4.0, kind) / (n * n)
    slope *= np.less_equal(x, number(20.0, kind))
    return g * (share + x * slope)


def _mish_parts(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # From 20 on the factor is 1 in every digit, and n need not grow further.
    power = exp(minimum(x, 20.0))
    n = multiply(power, add(power, 2.0))
    return power, n, add(n, 2.0)


def _mish_slope(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    power, n, denominator = _mish_parts(x)
    rise = divide(
        multiply(multiply(power, add(power, 1.0)), 4.0), multiply(denominator, denominator)
    )
    rise = where(greater(x, 20.0), 0.0, rise)
    return multiply(g, add(divide(n, denominator), multiply(x, rise)))


@fused(value=_mish_value, derivative=(_mish_to_x,))
@with_slope(_mish_slope)
def mish(x: Tensor) -> Tensor:
    """Return x * tanh(softplus(x)) = x * n / (n + 2), with n = e^x * (e^x + 2)."""
    _, n, denominator = _mish_parts(x)
    return multiply(x, divide(n, denominator))


def softplus_parts(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return min(x, 0), max(x, 0) and log1p(exp(-|x|)).

    log(1 + exp(x)) is the sum of the last two. -|x| is written as min(x, 0) - max(x, 0), with
    the derivative 1 at 0, so that all derivatives of the sum are right at 0, too.
    """
    negative, positive = below_zero(x), relu(x)
    return negative, positive, log1p(exp(subtract(negative, positive)))


def _tail(x: Array) -> Any:
    """Return log1p(exp(-|x|))."""
    return np.log1p(np.exp(np.negative(np.abs(x))))


@fused(
    value=lambda x: np.maximum(x, number(0.0, x.dtype)) + _tail(x),
    derivative=(lambda g, y, x: g * sigmoid_value(x),),
)
def _softplus(x: Tensor) -> Tensor:
    _, positive, tail = softplus_parts(x)
    return add(positive, tail)


def softplus(x: TensorLike) -> Tensor:
    """Return log(1 + exp(x)) without overflow, elementwise."""
    return _softplus(as_tensor(x))


@fused(
    value=lambda x: np.minimum(x, number(0.0, x.dtype)) - _tail(x),
    derivative=(lambda g, y, x: g * sigmoid_value(np.negative(x)),),
)
def logsigmoid(x: Tensor) -> Tensor:
    """Return log(sigmoid(x)) without overflow."""
    negative, _, tail = softplus_parts(x)
    return subtract(negative, tail)


def _softsign_value(x: Array) -> tuple[Any, Any]:
    size = np.abs(x) + number(1.0, x.dtype)
    return x / size, size


def _softsign_to_x(g: Array, y: Array, x: Array, kept: list[Array]) -> Any:
    # At an infinity, too, it is not a number where y is none.
    return g / (kept[0] * kept[0]) + (y - y)


@fused(value=_softsign_value, derivative=(_softsign_to_x,))
def softsign(x: Tensor) -> Tensor:
    """Return x / (1 + |x|)."""
    return divide(x, add(abs(x), 1.0))


def _gelu_slope(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    share = multiply(add(erf(multiply(x, math.sqrt(0.5))), 1.0), 0.5)
    density = multiply(exp(multiply(multiply(x, x), -0.5)), math.sqrt(0.5 / math.pi))
    return multiply(g, add(share, multiply(x, density)))


@with_slope(_gelu_slope)
def _gelu(x: Tensor) -> Tensor:
    return multiply(multiply(x, 0.5), add(erf(multiply(x, math.sqrt(0.5))), 1.0))


def gelu(x: TensorLike, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit, x * P(N(0, 1) <= x) (Hendrycks and Gimpel, 2016), elementwise.

    Args:
        x: any shape.
        approximate: "none" for the error function, "tanh" for the approximation by tanh.
    """
    if approximate == "none":
        return _gelu(as_tensor(x))
    if approximate == "tanh":
        scale = math.sqrt(2.0 / math.pi)
        inner = multiply(x, add(multiply(multiply(x, x), 0.044715 * scale), scale))
        return multiply(multiply(x, 0.5), add(tanh(inner), 1.0))
    raise ValueError(f"gelu: expected approximate to be 'none' or 'tanh', got {approximate!r}.")
