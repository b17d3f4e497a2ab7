"""Special functions: the logarithm of the gamma function, and its derivative."""

from __future__ import annotations

import math

from schuss.core import Tensor, TensorLike
from schuss.functions.elementwise import tan
from schuss.functions.reductions import as_float
from schuss.primitives.elementwise import abs, log, round, sin
from schuss.primitives.logic import where

__all__ = ["digamma", "lgamma"]

# B(2k) / (2k (2k - 1)) of Stirling's series, and B(2k) / 2k of its derivative, Bernoulli's numbers.
_STIRLING = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360)
_DIGAMMA = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760)
# From here on the series are exact to the last bits of float64.
_LARGE = 8


def _series(coefficients: tuple[float, ...], w: Tensor) -> Tensor:
    """Return c0 + c1 w + c2 w^2 ..."""
    total = w * coefficients[-1]
    for c in coefficients[-2:0:-1]:
        total = (total + c) * w
    return total + coefficients[0]


def _reflected(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return whether x is left of 1/2, it or 1 - x, and how far it is from the next integer."""
    left = x < 0.5
    # Where the other one counts, a place at which nothing is infinite.
    part = where(left, x - round(x), 0.25)
    return left, where(left, 1 - x, x), part


def lgamma(x: TensorLike) -> Tensor:
    """Return log|gamma(x)|, elementwise, by Stirling's series.

    >>> f"{lgamma(5.0).item():.4f}"
    '3.1781'
    """
    left, right, part = _reflected(as_float(x))
    small = right < _LARGE
    z = where(small, right + _LARGE, right)
    shift = where(small, right, 1.0)
    product = shift
    for k in range(1, _LARGE):
        product = product * where(small, shift + k, 1.0)
    series = _series(_STIRLING, 1 / (z * z)) / z
    positive = (z - 0.5) * (log(z) - 1) - 0.5 + 0.5 * math.log(2 * math.pi) + series - log(product)
    return where(left, math.log(math.pi) - log(abs(sin(part * math.pi))) - positive, positive)


def digamma(x: TensorLike) -> Tensor:
    """Return the derivative of log|gamma(x)|, elementwise; nan at the poles -1, -2, ...

    >>> f"{digamma(1.0).item():.4f}"
    '-0.5772'
    """
    x = as_float(x)
    left, right, part = _reflected(x)
    small = right < _LARGE
    z = where(small, right + _LARGE, right)
    shift = where(small, right, 1.0)
    total = 0.0 * shift
    for k in range(_LARGE):
        total = total + 1 / (shift + k)
    w = 1 / (z * z)
    positive = log(z) - 0.5 / z - _series(_DIGAMMA, w) * w - where(small, total, 0.0)
    found = where(left, positive - math.pi / tan(part * math.pi), positive)
    return where((part == 0) & (x < 0), math.nan, found)
