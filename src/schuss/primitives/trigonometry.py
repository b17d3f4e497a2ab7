"""Inverse and hyperbolic functions whose derivatives, if composed, were infinity less infinity."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from schuss.lowering import vector_math
from schuss.primitives.elementwise import abs, add, divide, multiply, negative, sqrt, subtract
from schuss.primitives.pointwise import Unary, unary

__all__ = ["acos", "acosh", "asin", "cosh", "sinh", "sqrt_one_minus_square"]


def _beside_circle(x: Any) -> Any:
    # Not -(x - 1), which is -0 at 1.
    return (x.like(1.0).op("fsub", x) * (x + 1)).call("sqrt")


# A primitive of its own, so that second derivatives at -1 and 1 are infinite, too.
sqrt_one_minus_square: Unary = unary(
    "sqrt_one_minus_square",
    value=lambda x: np.sqrt((1.0 - x) * (1.0 + x)),
    derivative=lambda g, y, x: negative(multiply(g, divide(x, y))),
    lower=_beside_circle,
    cost=8,
    doc="sqrt(1 - x**2), exact near its zeros",
)

asin = unary(
    "asin",
    value=np.arcsin,
    derivative=lambda g, y, x: divide(g, sqrt_one_minus_square(x)),
    lower=lambda x: x.library("atan2", _beside_circle(x)),
    cost=66,
    doc="Inverse sine",
)

acos = unary(
    "acos",
    value=np.arccos,
    derivative=lambda g, y, x: negative(divide(g, sqrt_one_minus_square(x))),
    lower=lambda x: _beside_circle(x).library("atan2", x),
    cost=66,
    doc="Inverse cosine",
)


def _lowered_acosh(x: Any) -> Any:
    # Far out it is log(2 x), where the sum would overflow before its logarithm does.
    is_far, above = x.gt(1e17), x - 1
    near = above + above.call("sqrt") * (above + 2).call("sqrt")
    return vector_math.log1p(is_far.where(x, near)) + is_far.where(x.like(math.log(2.0)), 0.0)


acosh = unary(
    "acosh",
    value=np.arccosh,
    # The same below -1, where there is no value, as in PyTorch.
    derivative=lambda g, y, x: divide(
        g, multiply(sqrt(subtract(abs(x), 1.0)), sqrt(add(abs(x), 1.0)))
    ),
    lower=_lowered_acosh,
    cost=47,
    doc="Inverse hyperbolic cosine",
)


def _lowered_sinh(x: Any) -> Any:
    # 2 sinh(x / 2) cosh(x / 2), which does not overflow before the result does. Both terms of the
    # first factor have the sign of x, so that nothing cancels.
    up, down = vector_math.expm1(x * 0.5), vector_math.expm1(x * -0.5)
    return (up - down) * 0.5 * (up + down + 2)


sinh: Unary = unary(
    "sinh",
    value=np.sinh,
    derivative=lambda g, y, x: multiply(g, cosh(x)),
    lower=_lowered_sinh,
    cost=60,
    doc="Hyperbolic sine",
)


def _lowered_cosh(x: Any) -> Any:
    # Squares of halves, which do not overflow before the result does.
    up, down = vector_math.exp(x * 0.5), vector_math.exp(x * -0.5)
    return up * 0.5 * up + down * 0.5 * down


cosh: Unary = unary(
    "cosh",
    value=np.cosh,
    derivative=lambda g, y, x: multiply(g, sinh(x)),
    lower=_lowered_cosh,
    cost=40,
    doc="Hyperbolic cosine",
)
