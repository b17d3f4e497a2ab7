"""Quantiles of the normal distribution."""

from __future__ import annotations

import math

from schuss.core import Tensor, no_grad
from schuss.functions import erf, exp, log, sqrt, where

__all__ = ["normal_quantile"]

# Of the quotient that begins, by Abramowitz and Stegun (1964), 26.2.23: right to 4.5e-4.
_ABOVE = (2.515517, 0.802853, 0.010328)
_BELOW = (1.0, 1.432788, 0.189269, 0.001308)


def _polynomial(coefficients: tuple[float, ...], t: Tensor) -> Tensor:
    total = t * 0 + coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * t + c
    return total


def normal_quantile(p: Tensor) -> Tensor:
    """Return the x below which a standard normal number is with probability p, elementwise.

    A first guess is improved by steps of Halley's method; the last one is recorded, so that its
    derivative is 1 / density.
    """
    with no_grad():
        low = where(p < 0.5, p, 1 - p)
        inside = (low > 0) & (low <= 0.5)
        t = sqrt(-2 * log(where(inside, low, 0.25)))
        guess = t - _polynomial(_ABOVE, t) / _polynomial(_BELOW, t)
        x = where(p < 0.5, -guess, guess)
        for _ in range(2):
            x = _improved(x, p)
    x = _improved(x, p)
    edges = where(p == 0, -math.inf, where(p == 1, math.inf, math.nan))
    return where(inside, x, edges)


def _improved(x: Tensor, p: Tensor) -> Tensor:
    error = 0.5 * (1 + erf(x / math.sqrt(2))) - p
    step = error * math.sqrt(2 * math.pi) * exp(0.5 * x * x)
    return x - step / (1 + 0.5 * x * step)
