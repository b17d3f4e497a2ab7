"""Elementwise functions composed from primitives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from schuss.core import Number, Tensor, TensorLike, bool_, leaf
from schuss.dtypes import DEFAULTS
from schuss.functions.creation import ones_like, zeros_like
from schuss.primitives.base import as_tensor, astype, operand, promote
from schuss.primitives.bits import signbit
from schuss.primitives.elementwise import (
    abs,
    atan2,
    ceil,
    cos,
    divide,
    exp,
    floor,
    floor_divide,
    log,
    log1p,
    maximum,
    minimum,
    multiply,
    negative,
    sin,
    sqrt,
)
from schuss.primitives.logic import (
    bitwise_and,
    bitwise_invert,
    bitwise_or,
    bitwise_xor,
    equal,
    greater,
    less,
    not_equal,
    where,
)
from schuss.primitives.pointwise import standard

__all__ = [
    "asinh",
    "atan",
    "atanh",
    "clip",
    "copysign",
    "floor_quotient",
    "isfinite",
    "isinf",
    "isnan",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "masked_fill",
    "positive",
    "reciprocal",
    "square",
    "tan",
    "trunc",
]


def positive(x: TensorLike) -> Tensor:
    """Return x itself, elementwise."""
    return as_tensor(x)


def square(x: TensorLike) -> Tensor:
    """Return x * x, elementwise."""
    return multiply(x, x)


def reciprocal(x: TensorLike) -> Tensor:
    """Return 1 / x, elementwise."""
    return divide(1.0, x)


def trunc(x: TensorLike) -> Tensor:
    """Return the integer part, toward zero, elementwise."""
    x = as_tensor(x)
    return x if x.array.dtype.kind != "f" else where(x < 0, ceil(x), floor(x))


def clip(x: TensorLike, min: TensorLike | None = None, max: TensorLike | None = None) -> Tensor:
    """Return x kept within `min` and `max` (either may be None), elementwise."""
    if not isinstance(x, Tensor):
        x = as_tensor(x)
    if min is not None:
        x = maximum(x, min) if isinstance(min, (int, float)) else _kept(x, less, min)
    if max is not None:
        x = minimum(x, max) if isinstance(max, (int, float)) else _kept(x, greater, max)
    return x


def _kept(x: Tensor, beyond: Any, bound: TensorLike) -> Tensor:
    """Return x unless it is beyond a bound, else the bound; at it the error goes to x."""
    bound = as_tensor(bound)
    kept = where(beyond(x, bound), bound, x)
    if kept.array.dtype.kind != "f":
        return kept
    # Where one of both is nan, the result is, and the error goes nowhere.
    return where(isnan(x) | isnan(bound), math.nan, kept)


def tan(x: TensorLike) -> Tensor:
    """Tangent, elementwise."""
    return sin(x) / cos(x)


def atan(x: TensorLike) -> Tensor:
    """Inverse tangent, elementwise."""
    return atan2(x, 1.0)


def asinh(x: TensorLike) -> Tensor:
    """Inverse hyperbolic sine, elementwise."""
    x = as_tensor(x)
    x = x if x.array.dtype.kind == "f" else astype(x, DEFAULTS.floating)
    minus = signbit(x)
    size = where(minus, negative(x), x)
    big = size > 1e4
    small = where(big, 1.0, size)
    near = log1p(small + small * small / (1.0 + sqrt(small * small + 1.0)))
    far = log(where(big, size, 1.0)) + math.log(2.0)
    found = where(big, far, near)
    return where(minus, negative(found), found)


def atanh(x: TensorLike) -> Tensor:
    """Inverse hyperbolic tangent, elementwise."""
    x = as_tensor(x)
    x = x if x.array.dtype.kind == "f" else astype(x, DEFAULTS.floating)
    return (log1p(x) - log1p(negative(x))) * 0.5


def logaddexp(x: TensorLike, y: TensorLike) -> Tensor:
    """Return log(exp(x) + exp(y)) without overflow, elementwise."""
    x, y = map(as_tensor, promote(operand(x), operand(y), 1.0)[:2])
    # Equal infinities are 0 apart. The choice by `above`, not |gap|, keeps all derivatives at 0.
    gap = where(equal(x, y) & isinf(x), 0.0, x - y)
    above = greater(gap, 0.0)
    return where(above, x, y) + log1p(exp(where(above, negative(gap), gap)))


def copysign(x: TensorLike, y: TensorLike) -> Tensor:
    """Return |x| with the sign of y, elementwise; the sign of a zero, or a nan, counts."""
    given = promote(operand(x), operand(y), 1.0)[:2]
    dtype = next(z.array.dtype for z in given if isinstance(z, Tensor))
    size, sign = (z if isinstance(z, Tensor) else leaf(np.asarray(z, dtype)) for z in given)
    return where(signbit(sign), negative(abs(size)), abs(size))


def floor_quotient(x: TensorLike, y: TensorLike) -> Tensor:
    """Return floor(x / y), elementwise, by `//`, and where one is infinite what x / y is.

    PyTorch's `floor_divide` pairs it with the remainder there; the array API standard does not.
    """
    found = standard(floor_divide)(x, y)
    if found.array.dtype.kind != "f":
        return found
    return where(isinf(x) | isinf(y), standard(divide)(x, y).detach(), found)


def isnan(x: TensorLike) -> Tensor:
    """Return whether each element is not a number."""
    return not_equal(x, x)


def isinf(x: TensorLike) -> Tensor:
    """Return whether each element is infinite."""
    x = as_tensor(x)
    return equal(abs(x), float("inf")) if x.array.dtype.kind == "f" else zeros_like(x, bool_)


def isfinite(x: TensorLike) -> Tensor:
    """Return whether each element is neither infinite nor nan."""
    x = as_tensor(x)
    return less(abs(x), float("inf")) if x.array.dtype.kind == "f" else ones_like(x, bool_)


def logical_and(x: TensorLike, y: TensorLike) -> Tensor:
    """Return whether both are true (not 0), elementwise."""
    return bitwise_and(astype(x, bool_), astype(y, bool_))


def logical_or(x: TensorLike, y: TensorLike) -> Tensor:
    """Return whether one of both is true (not 0), elementwise."""
    return bitwise_or(astype(x, bool_), astype(y, bool_))


def logical_xor(x: TensorLike, y: TensorLike) -> Tensor:
    """Return whether exactly one is true (not 0), elementwise."""
    return bitwise_xor(astype(x, bool_), astype(y, bool_))


def logical_not(x: TensorLike) -> Tensor:
    """Return whether each element is false (0)."""
    return bitwise_invert(astype(x, bool_))


def masked_fill(x: TensorLike, mask: TensorLike, value: Number) -> Tensor:
    """Return x with `value` where `mask` holds."""
    return where(mask, value, x)
