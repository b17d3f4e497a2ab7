"""Elementwise primitives: arithmetic, exponentials, trigonometry, comparisons, logic, choice."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from schuss.compiler import mathematics
from schuss.compiler.faces import Elementwise
from schuss.primitives import error_function
from schuss.primitives.base import (
    NO_ATTRIBUTES,
    NOT_DIFFERENTIABLE,
    Binary,
    Primitive,
    Spec,
    Unary,
    apply,
    as_tensor,
    binary,
    operand,
    predicate_shape,
    promote,
    record,
    result_dtype,
    unary,
)
from schuss.primitives.recipe import Recipe, number, recipes
from schuss.tensor import (
    TRACER,
    Array,
    Tensor,
    TensorLike,
    bool_,
    float32,
    float64,
    int32,
    int64,
    is_plain,
    leaf,
)

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


def _pow_to_base(g: Tensor, z: Tensor, x: Tensor, y: Any) -> Tensor:
    if not isinstance(y, Tensor):
        return multiply(g, multiply(y, pow(x, y - 1))) if y != 0 else multiply(g, zeros_as(x))
    # At 0 ** 0 it would be 0 / 0.
    flat = bitwise_and(equal(x, 0), equal(y, 0))
    slope = multiply(y, pow(where(flat, 1.0, x), subtract(y, 1)))
    return multiply(g, where(flat, 0.0, slope))


def _pow_to_exponent(g: Tensor, z: Tensor, x: Any, y: Tensor) -> Tensor:
    if not isinstance(x, Tensor):
        return multiply(g, multiply(z, math.log(x))) if x > 0 else multiply(g, zeros_as(y))
    # z * log(x) at x = 0 is 0 for y >= 0, the limit, and not nan.
    safe = where(equal(x, 0), 1.0, x)
    return multiply(g, multiply(z, log(safe)))


pow = binary(
    "pow",
    value=np.power,
    derivative=(_pow_to_base, _pow_to_exponent),
    lower=mathematics.power,
    cost=60,
    doc="x ** y",
)

floor_divide = binary(
    "floor_divide",
    value=np.floor_divide,
    derivative=NOT_DIFFERENTIABLE,
    lower=mathematics.floor_divide,
    cost=30,
    doc="floor(x / y)",
)

remainder = binary(
    "remainder",
    value=np.remainder,
    derivative=(
        lambda g, z, x, y: g,
        lambda g, z, x, y: negative(multiply(g, floor(divide(x, y)))),
    ),
    lower=mathematics.remainder,
    cost=30,
    doc="x - y * floor(x / y), with the sign of y",
)


def _share_of_larger(g: Tensor, x: Any, y: Any) -> Tensor:
    """Take `g` to x where x is larger, half of it where x equals a tensor y."""
    if not isinstance(y, Tensor):
        return multiply(g, greater_equal(x, y))
    half = multiply(g, 0.5)
    return add(multiply(half, greater(x, y)), multiply(half, greater_equal(x, y)))


maximum = binary(
    "maximum",
    value=np.maximum,
    derivative=(
        lambda g, z, x, y: _share_of_larger(g, x, y),
        lambda g, z, x, y: _share_of_larger(g, y, x),
    ),
    lower=lambda x, y: x.maximum(y),
    doc="The larger of x and y",
)

minimum = binary(
    "minimum",
    value=np.minimum,
    derivative=(
        lambda g, z, x, y: _share_of_larger(g, negative(x), -y),
        lambda g, z, x, y: _share_of_larger(g, negative(y), -x),
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
    derivative=lambda g, y, x: multiply(g, sign(x)),
    lower=lambda x: x.abs(),
    floats_only=False,
    doc="|x|",
)

sign: Unary = unary(
    "sign",
    value=np.sign,
    derivative=NOT_DIFFERENTIABLE,
    lower=mathematics.sign,
    floats_only=False,
    doc="-1, 0 or 1",
)

_ZERO: dict[Any, Array] = {d: np.zeros((), d) for d in (float32, float64, int64, int32, bool_)}

relu = unary(
    "relu",
    value=lambda x: np.maximum(x, _ZERO[x.dtype]),
    derivative=lambda g, y, x: multiply(g, greater(y, 0.0)),
    lower=lambda x: x.maximum(0),
    floats_only=False,
    doc="max(x, 0), with derivative 0 at 0",
)
recipes["relu"] = Recipe("x zero:number", "y = maximum x zero"), (0.0,)


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
    lower=mathematics.exp,
    cost=20,
    doc="e ** x",
)

expm1 = unary(
    "expm1",
    value=np.expm1,
    derivative=lambda g, y, x: multiply(g, add(y, 1.0)),
    lower=mathematics.expm1,
    cost=30,
    doc="e ** x - 1, exact near 0",
)

log = unary(
    "log",
    value=np.log,
    derivative=lambda g, y, x: divide(g, x),
    lower=mathematics.log,
    cost=25,
    doc="Natural logarithm",
)

log1p = unary(
    "log1p",
    value=np.log1p,
    derivative=lambda g, y, x: divide(g, add(x, 1.0)),
    lower=mathematics.log1p,
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
    lower=mathematics.sin,
    cost=30,
    doc="Sine",
)

cos: Unary = unary(
    "cos",
    value=np.cos,
    derivative=lambda g, y, x: negative(multiply(g, sin(x))),
    lower=mathematics.cos,
    cost=30,
    doc="Cosine",
)

atan2 = binary(
    "atan2",
    value=np.arctan2,
    derivative=(
        lambda g, z, y, x: divide(multiply(g, x), add(multiply(x, x), multiply(y, y))),
        lambda g, z, y, x: negative(divide(multiply(g, y), add(multiply(x, x), multiply(y, y)))),
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
    lower=mathematics.tanh,
    cost=30,
    doc="Hyperbolic tangent",
)


# Far below zero exp overflows to inf, whose reciprocal is the right 0.
_SIGMOID = Recipe("x one:number", "y = negative x; y = exp y; y = add y one; y = reciprocal y")
recipes["sigmoid"] = _SIGMOID, (1.0,)
_ONE = {dtype: number(1.0, dtype) for dtype in (float32, float64)}

sigmoid = unary(
    "sigmoid",
    value=lambda x: _SIGMOID.evaluate(x, _ONE[x.dtype]),
    derivative=lambda g, y, x: multiply(g, multiply(y, subtract(1.0, y))),
    lower=mathematics.sigmoid,
    cost=25,
    doc="1 / (1 + e ** -x)",
)


erf = unary(
    "erf",
    value=error_function.erf,
    derivative=lambda g, y, x: multiply(
        g, multiply(exp(negative(multiply(x, x))), 2 / math.sqrt(math.pi))
    ),
    lower=mathematics.erf,
    cost=40,
    doc="Error function",
)

# Comparisons and logic.


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


def _where_to(g: Tensor, condition: Tensor, *, here: bool) -> Tensor:
    if not is_plain():
        return where(condition, g, 0.0) if here else where(condition, 0.0, g)
    array = g.array
    zero = _ZERO[array.dtype]
    pair = (array, zero) if here else (zero, array)
    return leaf(np.asarray(_where_value(condition.array, *pair)))


_where = Primitive(
    "where",
    value=_where_value,
    shape=_where_shape,
    derivative=(
        None,
        lambda g, z, condition, x, y: _where_to(g, condition, here=True),
        lambda g, z, condition, x, y: _where_to(g, condition, here=False),
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
            f"where: expected a boolean condition, got {condition.dtype}; compare it first."
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


def zeros_as(x: Tensor) -> Tensor:
    """Return zeros of x's shape and dtype, that do not depend on x."""
    return leaf(np.zeros(x.shape, x.dtype))


def _reflected(function: Any) -> Any:
    return lambda self, other: function(other, self)


_function: Any
for _name, _function in {
    "add": add, "sub": subtract, "mul": multiply, "truediv": divide, "floordiv": floor_divide,
    "mod": remainder, "pow": pow, "and": bitwise_and, "or": bitwise_or, "xor": bitwise_xor,
}.items():  # fmt: skip
    setattr(Tensor, f"__{_name}__", _function)
    setattr(Tensor, f"__r{_name}__", _reflected(_function))
for _name, _function in {
    "lt": less, "le": less_equal, "gt": greater, "ge": greater_equal, "eq": equal,
    "ne": not_equal, "neg": negative, "abs": abs, "invert": bitwise_invert,
}.items():  # fmt: skip
    setattr(Tensor, f"__{_name}__", _function)
Tensor.__pos__ = lambda self: self  # type: ignore[method-assign]
