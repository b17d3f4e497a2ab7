"""Elementwise functions of the standard."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from schuss.core import Tensor, TensorLike
from schuss.functions import elementwise as composed
from schuss.functions.creation import zeros_like
from schuss.functions.elementwise import (
    asinh,
    atan,
    atanh,
    clip,
    isfinite,
    isinf,
    isnan,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    positive,
    reciprocal,
    square,
    tan,
    trunc,
)
from schuss.primitives import bits, elementwise, logic, powers
from schuss.primitives.base import as_tensor, operand, promote, standard_dtype
from schuss.primitives.bits import signbit
from schuss.primitives.elementwise import (
    abs,
    ceil,
    cos,
    exp,
    expm1,
    floor,
    log,
    log1p,
    log2,
    log10,
    negative,
    round,
    sign,
    sin,
    sqrt,
    tanh,
)
from schuss.primitives.logic import bitwise_invert
from schuss.primitives.pointwise import standard
from schuss.primitives.trigonometry import acos, acosh, asin, cosh, sinh

__all__ = [
    "abs",
    "acos",
    "acosh",
    "add",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "ceil",
    "clip",
    "conj",
    "copysign",
    "cos",
    "cosh",
    "divide",
    "equal",
    "exp",
    "expm1",
    "floor",
    "floor_divide",
    "greater",
    "greater_equal",
    "hypot",
    "imag",
    "isfinite",
    "isinf",
    "isnan",
    "less",
    "less_equal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "maximum",
    "minimum",
    "multiply",
    "negative",
    "nextafter",
    "not_equal",
    "positive",
    "pow",
    "real",
    "reciprocal",
    "remainder",
    "round",
    "sign",
    "signbit",
    "sin",
    "sinh",
    "sqrt",
    "square",
    "subtract",
    "tan",
    "tanh",
    "trunc",
]  # fmt: skip

# Tensors of several dtypes, with axes or without, have the standard's.
add = standard(elementwise.add)
atan2 = standard(elementwise.atan2)
bitwise_and = standard(logic.bitwise_and)
bitwise_left_shift = standard(bits.bitwise_left_shift)
bitwise_or = standard(logic.bitwise_or)
bitwise_right_shift = standard(bits.bitwise_right_shift)
bitwise_xor = standard(logic.bitwise_xor)
divide = standard(elementwise.divide)
equal = standard(logic.equal)
floor_divide = composed.floor_quotient
greater = standard(logic.greater)
greater_equal = standard(logic.greater_equal)
hypot = standard(powers.hypot)
less = standard(logic.less)
less_equal = standard(logic.less_equal)
maximum = standard(elementwise.maximum)
minimum = standard(elementwise.minimum)
multiply = standard(elementwise.multiply)
nextafter = standard(bits.nextafter)
not_equal = standard(logic.not_equal)
pow = standard(powers.pow)
remainder = standard(elementwise.remainder)
subtract = standard(elementwise.subtract)


def _of_one_dtype(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    @wraps(function)
    def of_two(x1: TensorLike, x2: TensorLike, /) -> Tensor:
        return function(*promote(operand(x1), operand(x2), by=standard_dtype))

    return of_two


copysign = _of_one_dtype(composed.copysign)
logaddexp = _of_one_dtype(composed.logaddexp)


def conj(x: Tensor, /) -> Tensor:
    """Return the complex conjugates: x itself."""
    return as_tensor(x)


def imag(x: Tensor, /) -> Tensor:
    """Return the imaginary parts: zeros."""
    return zeros_like(x)


def real(x: Tensor, /) -> Tensor:
    """Return the real parts: x itself."""
    return as_tensor(x)
