"""Modified Bessel functions of the first kind, of orders 0 and 1.

Up to 20 by their power series, all of whose terms have one sign, and beyond by the asymptotic
series, whose smallest term is below a float64's last digit there.
"""

from __future__ import annotations

import math

from schuss.core import Tensor, TensorLike
from schuss.functions.reductions import as_float
from schuss.primitives.custom import with_slope
from schuss.primitives.elementwise import abs, exp, sgn, sqrt
from schuss.primitives.logic import where

__all__ = ["i0", "i0e", "i1", "i1e"]

_FAR = 20.0
_TERMS = 60
_FAR_TERMS = 20


def _near(size: Tensor, order: int) -> Tensor:
    """Return I of 0 <= x <= 20."""
    quarter = size * size * 0.25
    total = quarter * 0 + 1.0
    for k in range(_TERMS, 0, -1):
        total = 1 + quarter * total * (1 / (k * (k + order)))
    return total * (size * 0.5) if order else total


def _far(size: Tensor, order: int) -> Tensor:
    """Return exp(-x) I(x) for x >= 20."""
    total = size * 0 + 1.0
    for k in range(_FAR_TERMS, 0, -1):
        factor = (4 * order * order - (2 * k - 1) ** 2) / (8 * k)
        total = 1 - total * factor / size
    return total / sqrt(size * (2 * math.pi))


def _bessel(x: TensorLike, order: int, *, scaled: bool) -> Tensor:
    x = as_float(x)
    size = abs(x)
    is_far = size > _FAR
    near = _near(where(is_far, 0.0, size), order)
    beyond = where(is_far, size, _FAR)
    far = where(beyond == math.inf, 0.0, _far(where(beyond == math.inf, 1e30, beyond), order))
    if scaled:
        found = where(is_far, far, near * exp(-where(is_far, 0.0, size)))
    else:
        # In two halves, of which neither overflows before the result does.
        half = exp(beyond * 0.5)
        found = where(is_far, where(beyond == math.inf, math.inf, far * half * half), near)
    return where(x < 0, -found, found) if order else found


def _over(y: Tensor, x: Tensor) -> Tensor:
    """Return y / x, and the limit 1/2 at 0."""
    zero = x == 0
    return where(zero, 0.5, y / where(zero, 1.0, x))


def _i0_slope(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    return g * i1(x)


@with_slope(_i0_slope)
def i0(x: TensorLike) -> Tensor:
    """Return the modified Bessel function of the first kind of order 0, elementwise.

    >>> f"{i0(1.0).item():.4f}"
    '1.2661'
    """
    return _bessel(x, 0, scaled=False)


def _i0e_slope(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
    return g * (i1e(x) - sgn(x) * y)


@with_slope(_i0e_slope)
def i0e(x: TensorLike) -> Tensor:
    """Return exp(-|x|) i0(x), elementwise."""
    return _bessel(x, 0, scaled=True)


@with_slope(lambda g, y, x: g * (i0(x) - _over(y, x)))
def i1(x: TensorLike) -> Tensor:
    """Return the modified Bessel function of the first kind of order 1, elementwise."""
    return _bessel(x, 1, scaled=False)


@with_slope(lambda g, y, x: g * (i0e(x) - y * sgn(x) - _over(y, x)))
def i1e(x: TensorLike) -> Tensor:
    """Return exp(-|x|) i1(x), elementwise."""
    return _bessel(x, 1, scaled=True)
