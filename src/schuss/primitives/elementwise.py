"""Elementwise primitives: arithmetic, exponentials, trigonometry; the operators of tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, bool_, float32, float64, int32, int64
from schuss.lowering import vector_math
from schuss.primitives.base import NOT_DIFFERENTIABLE
from schuss.primitives.logic import (
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    not_equal,
    where,
)
from schuss.primitives.pointwise import Binary, Unary, binary, unary
from schuss.values import error_function

# Arithmetic.

add = binary(
    "add",
    value=np.add,
    derivative=(lambda g, z, x, y: g, lambda g, z, x, y: g),
    lower=lambda x, y: x + y,
    doc="x + y",
)

subtract = binary(
    "subtract",
    value=np.subtract,
    derivative=(lambda g, z, x, y: g, lambda g, z, x, y: negative(g)),
    lower=lambda x, y: x - y,
    doc="x - y",
)

multiply: Binary = binary(
    "multiply",
    value=np.multiply,
    derivative=(lambda g, z, x, y: multiply(g, y), lambda g, z, x, y: multiply(g, x)),
    lower=lambda x, y: x * y,
    doc="x * y",
)

divide: Binary = binary(
    "divide",
    value=np.true_divide,
    derivative=(
        lambda g, z, x, y: divide(g, y),
        lambda g, z, x, y: negative(divide(multiply(g, z), y)),
    ),
    lower=lambda x, y: x / y,
    cost=4,
    floats_only=True,
    doc="x / y",
)

floor_divide = binary(
    "floor_divide",
    value=np.floor_divide,
    derivative=NOT_DIFFERENTIABLE,
    lower=vector_math.floor_divide,
    cost=30,
    doc="floor(x / y)",
)

remainder = binary(
    "remainder",
    value=np.remainder,
    derivative=(
        lambda g, z, x, y: g,
        # Not the floor of a quotient, which may be rounded up where the remainder was not.
        lambda g, z, x, y: negative(multiply(g, floor_divide(x, y))),
    ),
    lower=vector_math.remainder,
    cost=30,
    doc="x - y * floor(x / y), with the sign of y",
)


def _unless_lost(g: Tensor, x: Any, y: Any, lost: Binary, kept: Binary) -> Tensor:
    """Take `g` to x unless it has lost against y; half of it where it equals a tensor y.

    What is not a number loses against numbers, and against tensors not at all, as in PyTorch.
    """
    if not isinstance(y, Tensor):
        return multiply(g, kept(x, y))
    return where(lost(x, y), 0.0, where(equal(x, y), multiply(g, 0.5), g))


maximum = binary(
    "maximum",
    value=np.maximum,
    derivative=(
        lambda g, z, x, y: _unless_lost(g, x, y, less, greater_equal),
        lambda g, z, x, y: _unless_lost(g, y, x, less, greater_equal),
    ),
    lower=lambda x, y: x.maximum(y),
    doc="The larger of x and y",
)

minimum = binary(
    "minimum",
    value=np.minimum,
    derivative=(
        lambda g, z, x, y: _unless_lost(g, x, y, greater, less_equal),
        lambda g, z, x, y: _unless_lost(g, y, x, greater, less_equal),
    ),
    lower=lambda x, y: x.minimum(y),
    doc="The smaller of x and y",
)

negative: Unary = unary(
    "negative",
    value=np.negative,
    derivative=lambda g, y, x: negative(g),
    lower=lambda x: -x,
    floats_only=False,
    doc="-x",
)

abs = unary(
    "abs",
    value=np.abs,
    derivative=lambda g, y, x: multiply(g, sgn(x)),
    lower=lambda x: x.abs(),
    floats_only=False,
    doc="|x|",
)

sgn: Unary = unary(
    "sgn",
    # Of nan both are false.
    value=lambda x: np.subtract(
        np.greater(x, _ZERO[x.dtype]), np.less(x, _ZERO[x.dtype]), dtype=x.dtype
    ),
    derivative=NOT_DIFFERENTIABLE,
    lower=lambda x: x.gt(0).to(x.kind) - x.lt(0).to(x.kind),
    floats_only=False,
    doc="-1, 0 or 1, and 0 for what is not a number",
)

sign: Unary = unary(
    "sign",
    value=np.sign,
    derivative=NOT_DIFFERENTIABLE,
    lower=vector_math.sign,
    floats_only=False,
    doc="-1, 0 or 1",
)

_ZERO: dict[Any, Array] = {d: np.zeros((), d) for d in (float32, float64, int64, int32, bool_)}

relu = unary(
    "relu",
    value=lambda x: np.maximum(x, _ZERO[x.dtype]),
    # As in PyTorch, the error passes what is not a number.
    derivative=lambda g, y, x: multiply(g, not_equal(y, 0.0)),
    lower=lambda x: x.maximum(0),
    floats_only=False,
    doc="max(x, 0), with derivative 0 at 0",
)


def _rounding(name: str, value: Callable[[Array], Array], native: str, doc: str) -> Any:
    return unary(
        name,
        value=lambda x: value(x) if x.dtype.kind == "f" else x,
        derivative=NOT_DIFFERENTIABLE,
        lower=lambda x: x.call(native) if x.is_float else x,
        floats_only=False,
        doc=doc,
    )


floor: Unary = _rounding("floor", np.floor, "floor", "Largest integer <= x")
ceil = _rounding("ceil", np.ceil, "ceil", "Smallest integer >= x")
round = _rounding("round", np.rint, "rint", "Nearest integer, halves to even")

# Exponentials.

exp = unary(
    "exp",
    value=np.exp,
    derivative=lambda g, y, x: multiply(g, y),
    lower=vector_math.exp,
    cost=20,
    doc="e ** x",
)

expm1 = unary(
    "expm1",
    value=np.expm1,
    derivative=lambda g, y, x: multiply(g, add(y, 1.0)),
    lower=vector_math.expm1,
    cost=30,
    doc="e ** x - 1, exact near 0",
)

log = unary(
    "log",
    value=np.log,
    derivative=lambda g, y, x: divide(g, x),
    lower=vector_math.log,
    cost=25,
    doc="Natural logarithm",
)

log2 = unary(
    "log2",
    value=np.log2,
    derivative=lambda g, y, x: multiply(divide(g, x), 1.0 / math.log(2.0)),
    lower=vector_math.log2,
    cost=25,
    doc="Logarithm to base 2, exact at its powers",
)

log10 = unary(
    "log10",
    # NumPy's of float32 is not exact.
    value=lambda x: np.log10(x, dtype=float64).astype(x.dtype, copy=False),
    derivative=lambda g, y, x: multiply(divide(g, x), 1.0 / math.log(10.0)),
    lower=vector_math.log10,
    cost=40,
    doc="Logarithm to base 10, exact at its powers",
)

log1p = unary(
    "log1p",
    value=np.log1p,
    derivative=lambda g, y, x: divide(g, add(x, 1.0)),
    lower=vector_math.log1p,
    cost=35,
    doc="log(1 + x), exact near 0",
)

sqrt = unary(
    "sqrt",
    value=np.sqrt,
    derivative=lambda g, y, x: divide(g, multiply(y, 2.0)),
    lower=lambda x: x.call("sqrt"),
    cost=6,
    doc="Square root",
)

# Trigonometry and sigmoids.

sin = unary(
    "sin",
    value=np.sin,
    derivative=lambda g, y, x: multiply(g, cos(x)),
    lower=vector_math.sin,
    cost=30,
    doc="Sine",
)

cos: Unary = unary(
    "cos",
    value=np.cos,
    derivative=lambda g, y, x: negative(multiply(g, sin(x))),
    lower=vector_math.cos,
    cost=30,
    doc="Cosine",
)


def _over_square(a: Any, y: Any, x: Any) -> Tensor:
    """Return a / (x**2 + y**2), and 0 at the origin, where no angle is steeper than another."""
    square = add(multiply(x, x), multiply(y, y))
    origin = equal(square, 0)
    return where(origin, 0.0, divide(a, where(origin, 1.0, square)))


atan2 = binary(
    "atan2",
    value=np.arctan2,
    derivative=(
        lambda g, z, y, x: multiply(g, _over_square(x, y, x)),
        lambda g, z, y, x: negative(multiply(g, _over_square(y, y, x))),
    ),
    lower=lambda y, x: y.library("atan2", x),
    cost=60,
    floats_only=True,
    doc="Angle of the point (y, x), in radians from -pi to pi",
)

tanh = unary(
    "tanh",
    value=np.tanh,
    derivative=lambda g, y, x: multiply(g, subtract(1.0, multiply(y, y))),
    lower=vector_math.tanh,
    cost=30,
    doc="Hyperbolic tangent",
)


_ONE = {dtype: np.ones((), dtype) for dtype in (float32, float64)}
_add, _divide, _exp, _negative = np.add, np.true_divide, np.exp, np.negative


def sigmoid_value(x: Array) -> Array:
    """Return 1 / (1 + exp(-x)); far below zero exp overflows to inf, which gives the right 0."""
    one = _ONE[x.dtype]
    return _divide(one, _add(_exp(_negative(x)), one))


sigmoid = unary(
    "sigmoid",
    value=sigmoid_value,
    derivative=lambda g, y, x: multiply(g, multiply(y, subtract(1.0, y))),
    lower=vector_math.sigmoid,
    cost=25,
    doc="1 / (1 + e ** -x)",
)


erf = unary(
    "erf",
    value=error_function.erf,
    derivative=lambda g, y, x: multiply(
        g, multiply(exp(negative(multiply(x, x))), 2 / math.sqrt(math.pi))
    ),
    lower=vector_math.erf,
    cost=40,
    doc="Error function",
)
