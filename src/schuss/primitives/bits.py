"""Elementwise primitives of numbers' bits: shifts, the sign bit, the next number there is."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import BITS
from schuss.primitives.base import NOT_DIFFERENTIABLE, Spec, elementwise_shape, predicate_shape
from schuss.primitives.logic import not_equal, where
from schuss.primitives.pointwise import Binary, Unary, binary, unary

__all__ = ["bitwise_left_shift", "bitwise_right_shift", "nextafter", "signbit"]


def _shift(name: str, value: Any, lower: Any, doc: str) -> Binary:
    def of_integers(*dtypes: np.dtype[Any]) -> None:
        wrong = [str(dtype) for dtype in dtypes if dtype.kind != "i"]
        if wrong:
            raise TypeError(f"{name}: expected integers, got {wrong[0]}; cast them first.")

    def checked(x: Any, y: Any) -> Any:
        of_integers(*[a.dtype for a in (x, y) if isinstance(a, np.ndarray)])
        return value(x, y)

    def shape(*specs: Spec) -> Spec:
        of_integers(*[dtype for _, dtype in specs])
        return elementwise_shape(*specs)

    return binary(
        name, value=checked, derivative=NOT_DIFFERENTIABLE, lower=lower, shape=shape, doc=doc
    )


def _leaves_bits(y: Scalar) -> Scalar:
    """Return whether a shift by so many places leaves some of the bits."""
    return y.ge(0) & y.lt(BITS[y.kind])


bitwise_left_shift: Binary = _shift(
    "bitwise_left_shift",
    np.left_shift,
    lambda x, y: _leaves_bits(y).where(x << _leaves_bits(y).where(y, 0), 0),
    "The bits of x moved up by y places; 0 where no bit is left",
)

bitwise_right_shift: Binary = _shift(
    "bitwise_right_shift",
    np.right_shift,
    lambda x, y: x.op("ashr", _leaves_bits(y).where(y, BITS[y.kind] - 1)),
    "The bits of x moved down by y places, floor(x / 2**y); 0 or -1 where no bit is left",
)

signbit: Unary = unary(
    "signbit",
    value=np.signbit,
    derivative=NOT_DIFFERENTIABLE,
    lower=lambda x: (x.bits() if x.is_float else x).lt(0),
    shape=predicate_shape,
    floats_only=False,
    doc="Whether the sign is minus; that of -0.0 is, and a nan may have it",
)


def _next(x: Scalar, y: Scalar) -> Scalar:
    # The order of floats of one sign is that of their bits as integers.
    bits = x.bits()
    one = bits.like(1)
    grows = y.gt(x)
    away = grows.where(x.ge(0), x.lt(0))
    stepped = away.where(bits + one, bits - one).bits()
    minus = bits.like(-1 << BITS[bits.kind] - 1)
    least = grows.where(one, one | minus).bits()
    found = x.eq(0).where(least, stepped)
    found = x.eq(y).where(y, found)
    return (x.isnan() | y.isnan()).where(x + y, found)


nextafter: Binary = binary(
    "nextafter",
    value=np.nextafter,
    derivative=(lambda g, z, x, y: where(not_equal(x, y), g, 0.0), None),
    lower=_next,
    cost=8,
    floats_only=True,
    doc="The number of its dtype that comes after x on the way to y",
)
