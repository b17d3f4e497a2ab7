"""Elementwise functions of the standard."""

from __future__ import annotations

from schuss.core import Tensor
from schuss.functions.creation import zeros_like
from schuss.functions.elementwise import (
    asinh,
    atan,
    atanh,
    clip,
    copysign,
    isfinite,
    isinf,
    isnan,
    logaddexp,
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
from schuss.primitives.base import as_tensor
from schuss.primitives.bits import bitwise_left_shift, bitwise_right_shift, nextafter, signbit
from schuss.primitives.elementwise import (
    abs,
    add,
    atan2,
    ceil,
    cos,
    divide,
    exp,
    expm1,
    floor,
    floor_divide,
    log,
    log1p,
    log2,
    log10,
    maximum,
    minimum,
    multiply,
    negative,
    remainder,
    round,
    sign,
    sin,
    sqrt,
    subtract,
    tanh,
)
from schuss.primitives.logic import (
    bitwise_and,
    bitwise_invert,
    bitwise_or,
    bitwise_xor,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    not_equal,
)
from schuss.primitives.powers import hypot, pow
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


def conj(x: Tensor, /) -> Tensor:
    """Return the complex conjugates: x itself."""
    return as_tensor(x)


def imag(x: Tensor, /) -> Tensor:
    """Return the imaginary parts: zeros."""
    return zeros_like(x)


def real(x: Tensor, /) -> Tensor:
    """Return the real parts: x itself."""
    return as_tensor(x)
