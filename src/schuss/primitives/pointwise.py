"""Makers of elementwise primitives, of one input and of two, with the functions that apply them."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import numpy as np

from schuss.core import RECORDING, TRACER, Array, Tensor, TensorLike, new_object, next_stamp
from schuss.lowering.kinds import Elementwise
from schuss.modes import SILENCE
from schuss.primitives.base import (
    NO_ATTRIBUTES,
    NotDifferentiable,
    Primitive,
    Rule,
    Spec,
    apply,
    as_tensor,
    elementwise_shape,
    mismatch,
    mixed_dtype,
    operand,
    promote,
    standard_dtype,
)
from schuss.values.numbers import as_operand

__all__ = ["Binary", "Unary", "binary", "standard", "unary"]

Unary: TypeAlias = Callable[[TensorLike], Tensor]
Binary: TypeAlias = Callable[[TensorLike, TensorLike], Tensor]
Function = TypeVar("Function", bound=Callable[..., Tensor])


def unary(
    name: str,
    *,
    value: Callable[[Array], Array],
    derivative: Rule | NotDifferentiable,
    lower: Callable[[Any], Any],
    cost: int = 1,
    shape: Callable[..., Spec] = elementwise_shape,
    floats_only: bool = True,
    doc: str,
) -> Unary:
    """Define an elementwise primitive of one input, and return the function that applies it."""
    rules = derivative if isinstance(derivative, NotDifferentiable) else (derivative,)
    lowering = Elementwise(lower, cost=cost)
    primitive = Primitive(name, value=value, shape=shape, derivative=rules, lower=lowering)
    differentiable = primitive.differentiable

    def function(x: Any) -> Tensor:
        if not isinstance(x, Tensor):
            x = as_tensor(x)
        if floats_only and x.array.dtype.kind != "f":
            (x,) = promote(x, 1.0)[:1]
        if TRACER.get() is not None:
            return apply(primitive, (x,), NO_ATTRIBUTES)
        filters = warnings.filters
        if not filters or filters[0] is not SILENCE.item:
            SILENCE.come_first()
        try:
            out = value(x.array)
        except TypeError as error:
            raise mismatch(name, error, x.array) from None
        result = new_object(Tensor)
        result.array = out if type(out) is np.ndarray else np.asarray(out)
        result.grad = None
        if x.requires_grad and differentiable and RECORDING.get():
            result.requires_grad = True
            result.node = (primitive, (x,), NO_ATTRIBUTES)
            result.stamp = next_stamp()
        else:
            result.requires_grad = False
            result.node = None
            result.stamp = 0
        return result

    return _named(function, primitive, f"{doc}, elementwise.")


def binary(
    name: str,
    *,
    value: Callable[[Any, Any], Array],
    derivative: tuple[Rule | None, Rule | None] | NotDifferentiable,
    lower: Callable[[Any, Any], Any],
    cost: int = 1,
    shape: Callable[..., Spec] = elementwise_shape,
    floats_only: bool = False,
    check: Callable[[Any, Any], None] | None = None,
    doc: str,
) -> Binary:
    """Define an elementwise primitive of two inputs, and return the function that applies it.

    With `check`, a trace asks of the inputs what `value` asks of itself. Mixed tensors have
    PyTorch's dtype, and the array API standard's by the function's `standard`.
    """
    lowering = Elementwise(lower, cost=cost)
    primitive = Primitive(name, value=value, shape=shape, derivative=derivative, lower=lowering)
    doc = f"{doc}, elementwise with broadcasting."
    function = _named(_of_two(primitive, floats_only, check, mixed_dtype), primitive, doc)
    strict = _of_two(primitive, floats_only, check, standard_dtype)
    function.standard = _named(strict, primitive, doc)  # type: ignore[attr-defined]
    return function


def standard(function: Binary) -> Binary:
    """Return the same operation with the array API standard's dtypes, as operators have them."""
    return function.standard  # type: ignore[attr-defined,no-any-return]


def _of_two(
    primitive: Primitive,
    floats_only: bool,
    check: Callable[[Any, Any], None] | None,
    by: Callable[..., np.dtype[Any]],
) -> Binary:
    """Return the function that applies a primitive, to tensors of the dtype that `by` says."""
    name, value, differentiable = primitive.name, primitive.value, primitive.differentiable
    one = (1.0,) if floats_only else ()

    def function(x: TensorLike, y: TensorLike) -> Tensor:
        wanted = False
        if isinstance(x, Tensor):
            a = x.array
            wanted = x.requires_grad
            if isinstance(y, Tensor):
                b = y.array
                if y.requires_grad:
                    wanted = True
                if a.dtype is not b.dtype:
                    # NumPy's own promotion is ours for a float with a mask.
                    if a.dtype.kind + b.dtype.kind not in ("fb", "bf"):
                        return slow(x, y)
                elif floats_only and a.dtype.kind != "f":
                    return slow(x, y)
            elif (type(y) is float or type(y) is int) and a.dtype.kind == "f":
                # NumPy takes a Python number as weakly typed.
                b = as_operand(y, a.dtype)
            else:
                return slow(x, y)
        elif (
            isinstance(y, Tensor)
            and (type(x) is float or type(x) is int)
            and y.array.dtype.kind == "f"
        ):
            b = y.array
            a = as_operand(x, b.dtype)
            wanted = y.requires_grad
        else:
            return slow(x, y)
        if TRACER.get() is not None:
            return traced(x, y)
        filters = warnings.filters
        if not filters or filters[0] is not SILENCE.item:
            SILENCE.come_first()
        try:
            out = value(a, b)
        except (ValueError, TypeError) as error:
            raise mismatch(name, error, a, b) from None
        result = new_object(Tensor)
        result.array = out if type(out) is np.ndarray else np.asarray(out)
        result.grad = None
        if wanted and differentiable and RECORDING.get():
            result.requires_grad = True
            result.node = (primitive, (x, y), NO_ATTRIBUTES)
            result.stamp = next_stamp()
        else:
            result.requires_grad = False
            result.node = None
            result.stamp = 0
        return result

    def slow(x: TensorLike, y: TensorLike) -> Tensor:
        x, y = operand(x), operand(y)
        x, y = promote(x, y, *one, by=by)[:2]
        try:
            return traced(x, y)
        except (ValueError, TypeError) as error:
            raise mismatch(name, error, x, y) from None

    def traced(x: Any, y: Any) -> Tensor:
        if check is not None and TRACER.get() is not None:
            check(x, y)
        return apply(primitive, (x, y), NO_ATTRIBUTES)

    return function


def _named(function: Function, primitive: Primitive, doc: str) -> Function:
    function.__name__ = function.__qualname__ = primitive.name
    # Where it is defined, two frames up, so that it is pickled by its name as others are.
    function.__module__ = sys._getframe(2).f_globals["__name__"]
    function.__doc__ = doc
    function.primitive = primitive  # type: ignore[attr-defined]
    return function
