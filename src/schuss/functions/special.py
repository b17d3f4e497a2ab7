"""The logarithm of the gamma function, and its derivatives of all orders."""

from __future__ import annotations

import math

from schuss.core import Tensor, TensorLike
from schuss.functions.elementwise import tan
from schuss.functions.reductions import as_float
from schuss.primitives.checks import Condition, require
from schuss.primitives.custom import with_slope
from schuss.primitives.elementwise import abs, log, round, sin
from schuss.primitives.logic import where

__all__ = ["digamma", "lgamma", "multigammaln", "polygamma"]

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


def _lgamma_slope(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    return g * digamma(x)


@with_slope(_lgamma_slope)
def lgamma(x: TensorLike) -> Tensor:
    """Return log|gamma(x)|, elementwise, by Stirling's series.

    >>> import schuss as ss
    >>> f"{ss.lgamma(5.0).item():.4f}"
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


@with_slope(lambda g, y, x: g * polygamma(1, x))
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


def polygamma(n: int, x: TensorLike) -> Tensor:
    """Return the n-th derivative of digamma, elementwise; infinite at the poles 0, -1, ...

    >>> f"{polygamma(1, 1.0).item():.4f}"
    '1.6449'

    Raises:
        ValueError: for an n below 0.
    """
    if n < 0:
        raise ValueError(f"polygamma: expected n of at least 0, got {n}.")
    return digamma(x) if n == 0 else _polygamma(x, n)


@with_slope(lambda g, y, x, n: g * polygamma(n + 1, x))
def _polygamma(x: TensorLike, n: int) -> Tensor:
    left, right, part = _reflected(as_float(x))
    positive = (-1) ** (n + 1) * math.factorial(n) * _zeta(n + 1, right)
    # The n-th derivative of cot(pi x), a polynomial of it, times pi.
    turned = 1 / tan(part * math.pi)
    found = (-1) ** n * positive - math.pi ** (n + 1) * _polynomial(_cotangent(n), turned)
    return where(left, found, positive)


def _zeta(s: int, q: Tensor) -> Tensor:
    """Return the sum of 1 / (q + k)^s over k = 0, 1, ..., for q > 0, by Euler and Maclaurin."""
    total = q ** (-s)
    for k in range(1, _LARGE):
        total = total + (q + k) ** (-s)
    z = q + _LARGE
    tail = z ** (1 - s) / (s - 1) + z ** (-s) / 2
    rising = float(s)
    for k, bernoulli in enumerate(_BERNOULLI, 1):
        tail = tail + bernoulli / math.factorial(2 * k) * rising * z ** (1 - s - 2 * k)
        rising *= (s + 2 * k - 1) * (s + 2 * k)
    return total + tail


# B(2), B(4), ...
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)


def _cotangent(n: int) -> tuple[float, ...]:
    """Return the coefficients of the n-th derivative of cot by powers of cot."""
    powers = [0.0, 1.0]
    for _ in range(n):
        slope = [k * c for k, c in enumerate(powers)][1:]
        powers = [0.0] * (len(slope) + 2)
        for k, c in enumerate(slope):
            powers[k] -= c
            powers[k + 2] -= c
    return tuple(powers)


def _polynomial(coefficients: tuple[float, ...], x: Tensor) -> Tensor:
    """Return c0 + c1 x + ..., whose coefficients are 0 at every other power."""
    first = int(coefficients[0] == 0)
    rest = coefficients[first::2]
    square, total = x * x, x * 0 + rest[-1]
    total = where(abs(x) == math.inf, rest[-1], total)
    for c in rest[-2::-1]:
        total = total * square + c
    return total * x if first else total


def multigammaln(x: TensorLike, p: int) -> Tensor:
    """Return the logarithm of the multivariate gamma function of dimension p, elementwise.

    Raises:
        ValueError: for a p below 1, or numbers that are not above (p - 1) / 2.
    """
    if p < 1:
        raise ValueError(f"mvlgamma: expected p of at least 1, got {p}.")
    x = as_float(x)
    low = (p - 1) / 2
    message = f"mvlgamma: expected numbers above (p - 1) / 2 = {low}, got others."
    require(Condition(ValueError, message, lambda x: x > low), x)
    total = lgamma(x)
    for j in range(1, p):
        total = total + lgamma(x - j / 2)
    return total + p * (p - 1) / 4 * math.log(math.pi)
