"""Elementwise primitives that ask and choose: comparisons, logic, and `where`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from schuss.core import TRACER, Array, Tensor, TensorLike, leaf
from schuss.lowering.kinds import Elementwise
from schuss.primitives.base import (
    NO_ATTRIBUTES,
    NOT_DIFFERENTIABLE,
    Primitive,
    Spec,
    apply,
    as_tensor,
    operand,
    predicate_shape,
    promote,
    record,
    result_dtype,
)
from schuss.primitives.pointwise import Binary, binary, unary


def _predicate(
    name: str, value: Any, lower: Any, doc: str
) -> Callable[[TensorLike, TensorLike], Tensor]:
    return binary(
        name,
        value=value,
        derivative=NOT_DIFFERENTIABLE,
        lower=lower,
        shape=predicate_shape,
        doc=doc,
    )


equal: Binary = _predicate("equal", np.equal, lambda x, y: x.eq(y), "x == y")
not_equal = _predicate("not_equal", np.not_equal, lambda x, y: x.ne(y), "x != y")
less = _predicate("less", np.less, lambda x, y: x.lt(y), "x < y")
less_equal = _predicate("less_equal", np.less_equal, lambda x, y: x.le(y), "x <= y")
greater: Binary = _predicate("greater", np.greater, lambda x, y: x.gt(y), "x > y")
greater_equal = _predicate("greater_equal", np.greater_equal, lambda x, y: x.ge(y), "x >= y")
bitwise_and: Binary = binary(
    "bitwise_and",
    value=np.bitwise_and,
    derivative=NOT_DIFFERENTIABLE,
    lower=lambda x, y: x & y,
    doc="x & y",
)
bitwise_or = binary(
    "bitwise_or",
    value=np.bitwise_or,
    derivative=NOT_DIFFERENTIABLE,
    lower=lambda x, y: x | y,
    doc="x | y",
)
bitwise_xor = binary(
    "bitwise_xor",
    value=np.bitwise_xor,
    derivative=NOT_DIFFERENTIABLE,
    lower=lambda x, y: x ^ y,
    doc="x ^ y",
)
bitwise_invert = unary(
    "bitwise_invert",
    value=np.bitwise_not,
    derivative=NOT_DIFFERENTIABLE,
    lower=lambda x: ~x,
    floats_only=False,
    doc="~x",
)

# Choice.


def _where_shape(condition: Spec, x: Spec, y: Spec) -> Spec:
    return np.broadcast_shapes(condition[0], x[0], y[0]), result_dtype(x[1], y[1])


def _where_value(condition: Array, x: Array, y: Array) -> Array:
    if condition.size < _MANY or x.dtype != y.dtype or x.dtype.kind != "f":
        return np.where(condition, x, y)
    # np.where branches at each element; to choose their bits takes a fifth of the time.
    bits: Any = np.int32 if x.dtype.itemsize == 4 else np.int64
    chosen = np.negative(condition.view(np.int8)).astype(bits)
    other = y.view(bits)
    found: Array = ((x.view(bits) ^ other) & chosen ^ other).view(x.dtype)
    return found


_MANY = 2048


_where = Primitive(
    "where",
    value=_where_value,
    shape=_where_shape,
    derivative=(
        None,
        lambda g, z, condition, x, y: where(condition, g, 0.0),
        lambda g, z, condition, x, y: where(condition, 0.0, g),
    ),
    lower=Elementwise(lambda condition, x, y: condition.where(x, y), uncast=1),
)


def _alike(x: Any, y: Any) -> tuple[Tensor, Tensor]:
    """Return two tensors of one dtype; a number takes the other side's."""
    if isinstance(x, Tensor):
        dtype = x.array.dtype
        if isinstance(y, Tensor) and y.array.dtype is dtype:
            return x, y
        if type(y) is float and dtype.kind == "f":
            return x, leaf(np.asarray(y, dtype))
    elif type(x) is float and isinstance(y, Tensor) and y.array.dtype.kind == "f":
        return leaf(np.asarray(x, y.array.dtype)), y
    x, y = promote(operand(x), operand(y))
    if not isinstance(x, Tensor):
        x = leaf(np.asarray(x, y.dtype))
    if not isinstance(y, Tensor):
        y = leaf(np.asarray(y, x.dtype))
    return x, y


def where(condition: TensorLike, x: TensorLike, y: TensorLike) -> Tensor:
    """Return x where `condition` holds and y elsewhere, elementwise with broadcasting."""
    if not isinstance(condition, Tensor):
        condition = as_tensor(condition)
    if condition.array.dtype.kind != "b":
        raise TypeError(
            f"where: expected a boolean condition, got {condition.array.dtype}; compare it first."
        )
    x, y = _alike(x, y)
    inputs = (condition, x, y)
    try:
        if TRACER.get() is not None:
            return apply(_where, inputs, NO_ATTRIBUTES)
        out = _where_value(condition.array, x.array, y.array)
        return record(_where, inputs, NO_ATTRIBUTES, out, x.requires_grad or y.requires_grad)
    except ValueError:
        raise ValueError(
            f"where: expected shapes that broadcast, got {condition.shape}, {np.shape(x)}, "
            f"{np.shape(y)}."
        ) from None


where.primitive = _where  # type: ignore[attr-defined]
