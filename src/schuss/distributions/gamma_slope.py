"""How a draw from the gamma distribution moves with its concentration, at a fixed quantile.

With F the distribution function, F(alpha, x) stays as it is where dx/dalpha is
-(dF/dalpha) / (dF/dx) (Figurnov, Mohamed and Mnih, 2018, implicit reparametrisation).
"""

from __future__ import annotations

from typing import Any

from schuss.core import Tensor, float64
from schuss.functions import clip, exp, where
from schuss.functions.scan import scan
from schuss.functions.special import digamma
from schuss.primitives.base import astype

__all__ = ["log_slope"]

# Below, by Kummer's series of F; from here on, by the expansion of Cornish and Fisher.
_LARGE = 64.0
_TERMS = 240


def log_slope(alpha: Tensor, logarithm: Tensor) -> Tensor:
    """Return dlog(x)/dalpha of draws x of rate 1, right to 1e-6.

    Args:
        alpha: the concentration.
        logarithm: log(x), of the same shape; x itself may be too small to be told from 0.
    """
    a, y = astype(alpha, float64), astype(logarithm, float64)
    large = a > _LARGE
    near = _by_series(where(large, 1.0, a), where(large, 0.0, y))
    far = _by_expansion(where(large, a, 2 * _LARGE), where(large, exp(y), 2 * _LARGE))
    return astype(where(large, far, near), alpha.array.dtype)


def _by_series(a: Tensor, y: Tensor) -> Tensor:
    """Return (digamma(a) - log x) S + T, where S adds x^n / (a)_(n+1) and T those times their h.

    F is x^a exp(-x) S / gamma(a), and h is the sum of 1 / (a + j) over j = 0 ... n, by which the
    logarithm of a term falls as a grows.
    """
    x = exp(y)
    first = 1 / a

    def step(carry: Any, _: Any) -> tuple[Any, Any]:
        place, term, fall, total, weighted = carry
        place = place + 1
        term = term * x / place
        fall = fall + 1 / place
        return (place, term, fall, total + term, weighted + term * fall), None

    begin = (a, first, first, first, first * first)
    (_, _, _, total, weighted), _ = scan(step, begin, length=_TERMS)
    found: Tensor = (digamma(a) - y) * total + weighted
    return found


def _by_expansion(a: Tensor, x: Tensor) -> Tensor:
    """Return dlog(x)/da by the expansion of quantiles in powers of 1 / sqrt(a).

    x = a + z sqrt(a) + (z^2 - 1)/3 + ..., z the normal quantile of the same probability, which
    Wilson and Hilferty's formula gives nearly, and Newton's steps then.
    """
    root = a**0.5
    z = 3 * root * ((x / a) ** (1 / 3) - 1 + 1 / (9 * a))
    z = clip(z, -20.0, 20.0)
    for _ in range(3):
        value = a + z * root
        slope = root
        for k, (p, q) in enumerate(_POWERS):
            value = value + _polynomial(p, z) * root ** (-k)
            slope = slope + _polynomial(q, z) * root ** (-k)
        z = z - (value - x) / slope
    change = 1 + z / (2 * root)
    for k, (p, _) in enumerate(_POWERS):
        if k:
            change = change - (k / 2) * _polynomial(p, z) * root ** (-k) / a
    return change / x


def _polynomial(coefficients: tuple[float, ...], z: Tensor) -> Tensor:
    total = z * 0 + coefficients[-1]
    for c in coefficients[-2::-1]:
        total = total * z + c
    return total


# Coefficients by powers of z, of a^0, a^(-1/2), ..., and those of the derivative.
_COEFFICIENTS = (
    (-1 / 3, 0.0, 1 / 3),
    (0.0, -7 / 36, 0.0, 1 / 36),
    (16 / 810, 0.0, -7 / 810, 0.0, -3 / 810),
    (0.0, -433 / 38880, 0.0, 256 / 38880, 0.0, 9 / 38880),
)
_POWERS = tuple([(p, tuple([k * c for k, c in enumerate(p)][1:])) for p in _COEFFICIENTS])
