"""Numbers of bfloat16: float32 rounded to 8 significant bits, which fit into the upper 16.

Tensors stay float32. A compiled program keeps rounded values in 16 bits, which loses nothing, and
multiplies matrices of them by the processor's instructions for bfloat16 where it has these.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import Array, Tensor, float32
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.kinds import Elementwise, Kernel
from schuss.lowering.llvm_types import I16, I32
from schuss.modes import AUTOCAST
from schuss.primitives.base import NOT_DIFFERENTIABLE, Primitive, Spec, elementwise_shape
from schuss.primitives.pointwise import Unary, unary

__all__ = ["BITS", "PRODUCT", "VALUE", "as_autocast", "rounded"]

# Half of the last place that is kept, and what makes a nan a quiet one.
_HALF, _QUIET = 0x7FFF, 0x40
# What the graph's dtype is where 16 bits stand for a number.
_BITS = np.dtype(np.int16)


def _bits_of(x: Array) -> Array:
    """Return the nearest bfloat16s, ties to even, as the upper 16 bits."""
    whole = np.ascontiguousarray(x, float32).view(np.int32)
    upper = whole >> 16
    nearest = (whole + (_HALF + (upper & 1))) >> 16
    return np.where(np.isnan(x), upper | _QUIET, nearest).astype(_BITS).reshape(x.shape)


def _value_of(bits: Array) -> Array:
    return (bits.astype(np.int32) << 16).view(np.float32)


def _lower_bits(x: Scalar) -> Scalar:
    whole = x.bits()
    upper = whole.op("ashr", 16)
    nearest = (whole + ((upper & 1) + _HALF)).op("ashr", 16)
    return x.isnan().where(upper | _QUIET, nearest).to(I16)


def _lower_value(bits: Scalar) -> Scalar:
    return (bits.to(I32) << 16).bits()


def _of_float32(*specs: Spec) -> Spec:
    if any(dtype != float32 for _, dtype in specs):
        raise TypeError(f"bfloat16_rounded: expected float32, got {specs[0][1]}; cast it first.")
    return elementwise_shape(*specs)


def _rounded(x: Array) -> Array:
    _of_float32((x.shape, x.dtype))
    return _value_of(_bits_of(x))


rounded: Unary = unary(
    "bfloat16_rounded",
    value=_rounded,
    derivative=lambda g, y, x: rounded(g),
    lower=lambda x: _lower_value(_lower_bits(x)),
    cost=6,
    shape=_of_float32,
    doc="The nearest bfloat16, ties to even, as a float32; errors on the way back are rounded, too",
)

# What a compiled program makes of it: the bits, and what they stand for.
BITS = Primitive(
    "bfloat16_bits",
    value=_bits_of,
    shape=lambda x: (x[0], _BITS),
    derivative=NOT_DIFFERENTIABLE,
    lower=Elementwise(_lower_bits, cost=5),
)
VALUE = Primitive(
    "bfloat16_value",
    value=_value_of,
    shape=lambda x: (x[0], float32),
    derivative=NOT_DIFFERENTIABLE,
    lower=Elementwise(_lower_value),
)


def _product(x: Array, y: Array) -> Any:
    return np.matmul(_value_of(x), _value_of(y))


# Of matrices of bits, with sums in float32.
PRODUCT = Primitive(
    "bfloat16_product",
    value=_product,
    shape=lambda x, y: ((*np.broadcast_shapes(x[0][:-2], y[0][:-2]), x[0][-2], y[0][-1]), float32),
    derivative=NOT_DIFFERENTIABLE,
    lower=Kernel("bfloat16_product", is_row_major=True),
)


def as_autocast(x: Tensor) -> Tensor:
    """Return a factor as `autocast` has it: rounded within, if it is float32; else as it is."""
    return rounded(x) if AUTOCAST.get() and x.array.dtype is float32 else x
