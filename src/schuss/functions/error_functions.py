"""The complement of the error function, its inverse, and the normal distribution's functions."""

from __future__ import annotations

import math

from schuss.core import Tensor, TensorLike
from schuss.functions.elementwise import isnan, trunc
from schuss.functions.reductions import as_float
from schuss.primitives.custom import with_slope
from schuss.primitives.elementwise import abs, erf, exp, log, log1p, sqrt
from schuss.primitives.logic import where

__all__ = ["erfc", "erfcx", "erfinv", "log_ndtr", "ndtr", "ndtri"]

# Quotients by W. J. Cody, Math. Comp. 23 (1969), of exp(x^2) erfc(x) from .46875 to 4, and beyond.
_C = (
    2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
    2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
    1.23033935479799725e3,
)  # fmt: skip
_D = (
    1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
    1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
    1.23033935480374942e3,
)  # fmt: skip
_P = (
    1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
    1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4,
)  # fmt: skip
_Q = (
    1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1,
    6.05183413124413191e-2, 2.33520497626869185e-3,
)  # fmt: skip
# Of the normal quantile, by Abramowitz and Stegun (1964), 26.2.23: right to 4.5e-4.
_ABOVE = (0.010328, 0.802853, 2.515517)
_BELOW = (0.001308, 0.189269, 1.432788, 1.0)


def _polynomial(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    """Return the polynomial whose coefficients come from the highest power down."""
    total = x * 0 + coefficients[0]
    for c in coefficients[1:]:
        total = total * x + c
    return total


def _scaled_tail(y: Tensor) -> Tensor:
    """Return exp(y^2) erfc(y) for y of at least .46875."""
    near = where(y <= 4, y, 1.0)
    inner = _polynomial(_C, near) / _polynomial(_D, near)
    far = where(y > 4, y, 4.0)
    z = 1 / (far * far)
    outer = (1 / math.sqrt(math.pi) - z * _polynomial(_P, z) / _polynomial(_Q, z)) / far
    return where(y <= 4, inner, outer)


def _bell(y: Tensor) -> Tensor:
    """Return exp(-y^2), whose exponent is rounded nowhere that it matters."""
    y = where(y > 30, 30.0, y)
    whole = trunc(y * 16) / 16
    return exp(-whole * whole) * exp(-(y - whole) * (y + whole))


@with_slope(lambda g, y, x: g * exp(-x * x) * (-2 / math.sqrt(math.pi)))
def erfc(x: TensorLike) -> Tensor:
    """Return 1 - erf(x), elementwise, to all digits where that is small.

    >>> f"{erfc(3.0).item():.4e}"
    '2.2090e-05'
    """
    x = as_float(x)
    y = abs(x)
    far = y > 0.46875
    size = where(far, y, 1.0)
    tail = _scaled_tail(size) * _bell(size)
    return where(far, where(x < 0, 2 - tail, tail), 1 - erf(where(far, 0.0, x)))


@with_slope(lambda g, y, x: g * (2 * x * y - 2 / math.sqrt(math.pi)))
def erfcx(x: TensorLike) -> Tensor:
    """Return exp(x^2) erfc(x), elementwise, without overflow where x is large."""
    x = as_float(x)
    far = x > 0.46875
    near = where(far, 0.0, x)
    return where(far, _scaled_tail(where(far, x, 1.0)), exp(near * near) * erfc(near))


def _upper_quantile(p: Tensor) -> Tensor:
    """Return a first guess of what a standard normal number is above with probability p."""
    t = sqrt(-2 * log(p))
    return t - _polynomial(_ABOVE, t) / _polynomial(_BELOW, t)


@with_slope(lambda g, y, x: g * exp(y * y) * (math.sqrt(math.pi) / 2))
def erfinv(x: TensorLike) -> Tensor:
    """Return the y whose erf(y) is x, elementwise; nan unless x is from -1 to 1.

    >>> f"{erfinv(0.5).item():.4f}"
    '0.4769'
    """
    x = as_float(x)
    size = abs(x)
    inside = size < 1
    size = where(inside, size, 0.5)
    near = size < 0.5
    tail = _upper_quantile((1 - size) * 0.5) * math.sqrt(0.5)
    y = where(near, size * (math.sqrt(math.pi) / 2) * (1 + size * size * (math.pi / 12)), tail)
    for _ in range(3):
        # Halley's steps, by what is left to 1 where that is little.
        error = where(near, erf(y) - size, (1 - size) - erfc(y))
        step = error * (math.sqrt(math.pi) / 2) / _bell(y)
        y = y - step / (1 + y * step)
    found = where(x < 0, -y, y)
    edges = where(x == 1, math.inf, where(x == -1, -math.inf, math.nan))
    return where(inside, found, edges)


@with_slope(lambda g, y, x: g * exp(-0.5 * x * x) * (1 / math.sqrt(2 * math.pi)))
def ndtr(x: TensorLike) -> Tensor:
    """Return with which probability a standard normal number is below x, elementwise."""
    return 0.5 * erfc(as_float(x) * -math.sqrt(0.5))


@with_slope(lambda g, y, x: g * math.sqrt(2 / math.pi) / erfcx(x * -math.sqrt(0.5)))
def log_ndtr(x: TensorLike) -> Tensor:
    """Return log(ndtr(x)), elementwise, exact in both tails."""
    x = as_float(x)
    low = x < -1
    left, right = where(low, x, -1.0), where(low, 0.0, x)
    below = log(0.5 * erfcx(left * -math.sqrt(0.5))) - 0.5 * left * left
    return where(low, below, log1p(-0.5 * erfc(right * math.sqrt(0.5))))


@with_slope(lambda g, y, x: g * exp(0.5 * y * y) * math.sqrt(2 * math.pi))
def ndtri(p: TensorLike) -> Tensor:
    """Return the x below which a standard normal number is with probability p, elementwise.

    Infinite at 0 and 1, nan beyond.
    """
    p = as_float(p)
    low = where(p < 0.5, p, 1 - p)
    inside = (low > 0) & (low <= 0.5)
    low = where(inside, low, 0.25)
    x = _upper_quantile(low)
    for _ in range(3):
        # Halley's steps for the upper tail, of probability low.
        scaled = erfcx(x * math.sqrt(0.5))
        step = (scaled - 2 * low * exp(0.5 * x * x)) * math.sqrt(math.pi / 2)
        x = x + step / (1 - 0.5 * x * step)
    found = where(p < 0.5, -x, x)
    edges = where(p == 0, -math.inf, where(p == 1, math.inf, math.nan))
    return where(inside, found, where(isnan(p), p, edges))
