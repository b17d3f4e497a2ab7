"""Elementwise functions with the arguments and dtypes that PyTorch gives them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from schuss import functions as F
from schuss.core import Number, Tensor, TensorLike, bool_, float64, int64
from schuss.functions.reductions import as_float
from schuss.primitives.axes import normalize_axes
from schuss.primitives.base import as_tensor, astype, operand, promote
from schuss.primitives.elementwise import sgn
from schuss.pytorch.arguments import as_pair, whole

__all__: list[str] = []


def add(input: TensorLike, other: TensorLike, alpha: Number = 1) -> Tensor:
    """Return input + alpha * other, elementwise with broadcasting."""
    return F.add(input, other) if alpha == 1 else F.add(input, _scaled("add", other, alpha))


def sub(input: TensorLike, other: TensorLike, alpha: Number = 1) -> Tensor:
    """Return input - alpha * other, elementwise with broadcasting."""
    if alpha != 1:
        other = _scaled("sub", other, alpha)
    a, b = (getattr(x, "dtype", None) or type(x) for x in (input, other))
    if a in (bool_, bool) and b in (bool_, bool):
        raise TypeError("sub: expected numbers, got booleans; use logical_xor() or cast them.")
    return F.subtract(input, other)


def _scaled(owner: str, x: TensorLike, alpha: Number) -> Tensor:
    x = as_tensor(x)
    if isinstance(alpha, float) and x.array.dtype.kind != "f":
        raise TypeError(f"{owner}: expected an integer as alpha for {x.array.dtype}, got {alpha}.")
    return F.multiply(x, alpha)


def rsub(input: TensorLike, other: TensorLike, alpha: Number = 1) -> Tensor:
    """Return other - alpha * input, elementwise with broadcasting."""
    return sub(other, input, alpha)


def div(input: TensorLike, other: TensorLike, rounding_mode: str | None = None) -> Tensor:
    """Return input / other; with `rounding_mode` "floor" or "trunc" its integer part."""
    if rounding_mode is None:
        return F.divide(input, other)
    if rounding_mode == "floor":
        return F.floor_divide(input, other)
    if rounding_mode != "trunc":
        raise ValueError(
            f"div: expected rounding_mode None, 'floor' or 'trunc', got {rounding_mode!r}."
        )
    x, y = as_tensor(input), as_tensor(other)
    if "f" in x.array.dtype.kind + y.array.dtype.kind:
        return F.trunc(F.divide(input, other))
    down = F.floor_divide(input, other)
    inexact = F.not_equal(F.multiply(down, other), input)
    return down + astype(inexact & F.not_equal(x < 0, y < 0), down.array.dtype)


def fmod(input: TensorLike, other: TensorLike) -> Tensor:
    """Return input - other * trunc(input / other): the remainder with the sign of input."""
    most: TensorLike
    if isinstance(other, (int, float)):
        x, most = as_tensor(input), abs(other)
    else:
        x, y = as_pair(input, other)
        most = F.abs(y)
    minus = x < 0
    size = F.remainder(F.where(minus, F.negative(x), x), most)
    return F.where(minus, F.negative(size), size)


def sign(input: TensorLike) -> Tensor:
    """Return -1, 0 or 1, elementwise; 0 for what is not a number."""
    x = as_tensor(input)
    if x.array.dtype.kind != "f":
        return x if x.array.dtype == bool_ else F.sign(x)
    return sgn(x)


def square(input: TensorLike) -> Tensor:
    """Return input * input, elementwise; booleans are counted."""
    x = as_tensor(input)
    return F.square(astype(x, int64) if x.array.dtype == bool_ else x)


def float_power(input: TensorLike, exponent: TensorLike) -> Tensor:
    """Return input ** exponent in float64."""
    wide = [x if isinstance(x, float) else astype(x, float64) for x in (input, exponent)]
    return F.pow(*wide)


def exp2(input: TensorLike) -> Tensor:
    """Return 2 ** input, elementwise."""
    return F.pow(2.0, as_float(input))


def frac(input: TensorLike) -> Tensor:
    """Return what is behind the point, with the sign of input."""
    return F.subtract(input, F.trunc(input))


def round(input: TensorLike, decimals: int = 0) -> Tensor:
    """Return the nearest number with so many decimals, halves to even."""
    scale = math.pow(10.0, abs(decimals))
    scaled = as_tensor(input)
    if decimals:
        scaled = (F.multiply if decimals > 0 else F.divide)(input, scale)
    found: Tensor = F.round(scaled)
    if decimals:
        found = (F.divide if decimals > 0 else F.multiply)(found, scale)
    return found


def rsqrt(input: TensorLike) -> Tensor:
    """Return 1 / sqrt(input)."""
    return F.reciprocal(F.sqrt(input))


def logit(input: TensorLike, eps: float | None = None) -> Tensor:
    """Return log(input / (1 - input)), of input kept `eps` away from 0 and 1."""
    x = as_float(input)
    if eps is None:
        x = x * F.where((x < 0) | (x > 1), math.nan, F.ones_like(x))
    else:
        x = F.where(x < eps, eps, F.where(x > 1.0 - eps, 1.0 - eps, x))
    # Not the logarithm of a quotient, whose slope at 0 and 1 would be infinity times 0.
    return F.log(x) - F.log1p(F.negative(x))


def xlogy(input: TensorLike, other: TensorLike) -> Tensor:
    """Return input * log(other), and 0 where input is 0."""
    x, y = map(as_float, as_pair(input, other))
    # Where the logarithm is a number, nothing has to be left out, and the slope is right.
    nothing = F.equal(x, 0) & (F.less_equal(y, 0) | F.equal(y, math.inf))
    return F.where(nothing, 0.0, x * F.log(F.where(nothing, 1, y)))


def lerp(input: TensorLike, end: TensorLike, weight: TensorLike) -> Tensor:
    """Return input + weight * (end - input), which is `end` for a weight of 1."""
    x, y = as_pair(input, end)
    way = y - x
    if isinstance(weight, (int, float)):
        return x + way * weight if abs(weight) < 0.5 else y - way * (1 - weight)
    share = as_tensor(weight)
    return F.where(F.abs(share) < 0.5, x + way * share, y - way * (1 - share))


def addcmul(
    input: TensorLike, tensor1: TensorLike, tensor2: TensorLike, value: Number = 1
) -> Tensor:
    """Return input + value * tensor1 * tensor2."""
    parts = (input, tensor1, tensor2)
    if len({getattr(x, "dtype", None) for x in parts}) > 1:
        input, tensor1, tensor2 = promote(*map(operand, parts))
    return F.add(input, F.multiply(F.multiply(tensor1, tensor2), value))


def addcdiv(
    input: TensorLike, tensor1: TensorLike, tensor2: TensorLike, value: Number = 1
) -> Tensor:
    """Return input + value * tensor1 / tensor2."""
    return F.add(input, F.multiply(F.divide(tensor1, tensor2), value))


def clamp(
    input: TensorLike, min: TensorLike | None = None, max: TensorLike | None = None
) -> Tensor:
    """Return input kept within `min` and `max`; where they cross, `max` counts."""
    if min is None and max is None:
        raise ValueError("clamp: expected min or max, got neither.")
    if isinstance(min, np.generic):
        min = min.item()
    if isinstance(max, np.generic):
        max = max.item()
    return F.clip(input, min, max)


def clamp_min(input: TensorLike, min: TensorLike) -> Tensor:
    """Return the larger of input and `min`, elementwise."""
    return clamp(input, min)


def clamp_max(input: TensorLike, max: TensorLike) -> Tensor:
    """Return the smaller of input and `max`, elementwise."""
    return clamp(input, None, max)


def fmax(input: TensorLike, other: TensorLike) -> Tensor:
    """Return the larger of both, and the other one where one is not a number."""
    x, y = as_pair(input, other)
    return F.where((x >= y) | F.isnan(y), x, y)


def fmin(input: TensorLike, other: TensorLike) -> Tensor:
    """Return the smaller of both, and the other one where one is not a number."""
    x, y = as_pair(input, other)
    return F.where((x <= y) | F.isnan(y), x, y)


def heaviside(input: TensorLike, values: TensorLike) -> Tensor:
    """Return 0 below zero, `values` at it and 1 above."""
    x, at = as_tensor(input), as_tensor(values)
    if x.array.dtype != at.array.dtype:
        raise TypeError(f"heaviside: expected one dtype, got {x.array.dtype} and {at.array.dtype}.")
    return F.where(F.equal(x, 0), at, astype(x > 0, x.array.dtype)).detach()


def nan_to_num(
    input: TensorLike,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Tensor:
    """Return input with numbers in the places of nan and of the infinities.

    Args:
        input: any shape.
        nan: in nan's place, 0 by default.
        posinf: in that of infinity, by default the largest number of the dtype.
        neginf: in that of minus infinity, by default the smallest.
    """
    x = as_tensor(input)
    if x.array.dtype.kind != "f":
        return x
    largest = float(np.finfo(x.array.dtype).max)
    y = F.where(F.isnan(x), 0.0 if nan is None else float(nan), x)
    y = F.where(F.equal(x, math.inf), largest if posinf is None else float(posinf), y)
    return F.where(F.equal(x, -math.inf), -largest if neginf is None else float(neginf), y)


def deg2rad(input: TensorLike) -> Tensor:
    """Return degrees in radians."""
    return as_float(input) * (math.pi / 180.0)


def rad2deg(input: TensorLike) -> Tensor:
    """Return radians in degrees."""
    return as_float(input) * (180.0 / math.pi)


def sinc(input: TensorLike) -> Tensor:
    """Return sin(pi x) / (pi x), and 1 at 0."""
    x = as_float(input)
    zero = F.equal(x, 0.0)
    angle = F.where(zero, 1.0, x) * math.pi
    return F.where(zero, 1.0, F.sin(angle) / angle)


def logaddexp2(input: TensorLike, other: TensorLike) -> Tensor:
    """Return log2(2 ** input + 2 ** other) without overflow."""
    base = math.log(2.0)
    x, y = as_pair(input, other)
    return F.logaddexp(as_float(x) * base, as_float(y) * base) / base


def ldexp(input: TensorLike, other: TensorLike) -> Tensor:
    """Return input * 2 ** other."""
    x, y = as_pair(input, other)
    return F.multiply(as_float(x), F.pow(2.0, as_float(y)))


def copysign(input: TensorLike, other: TensorLike) -> Tensor:
    """Return |input| with the sign of other; the sign of a zero counts."""
    x = input if isinstance(input, Tensor) else as_tensor(input)
    y = other if isinstance(other, (Tensor, float)) else as_tensor(other)
    mixed = promote(x, y, 1.0)[0].dtype if isinstance(y, Tensor) else as_float(x).array.dtype
    return F.copysign(astype(x, mixed), y)


def isposinf(input: TensorLike) -> Tensor:
    """Return whether each element is infinite and positive."""
    return F.equal(input, math.inf)


def isneginf(input: TensorLike) -> Tensor:
    """Return whether each element is infinite and negative."""
    return F.equal(input, -math.inf)


def isreal(input: TensorLike) -> Tensor:
    """Return whether each element is a real number: all are."""
    return F.ones_like(input, dtype=bool_)


def isclose(
    input: TensorLike,
    other: TensorLike,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    equal_nan: bool = False,
) -> Tensor:
    """Tell where |x - y| <= atol + rtol * |y|, or both are the same infinity.

    >>> isclose([1.0, 1.0], [1.0 + 1e-7, 1.1])
    tensor([ True, False])
    """
    if rtol < 0 or atol < 0:
        raise ValueError(f"isclose: expected rtol >= 0 and atol >= 0, got {rtol} and {atol}.")
    if (
        isinstance(input, Tensor)
        and isinstance(other, Tensor)
        and input.array.dtype != other.array.dtype
    ):
        raise TypeError(
            f"isclose: expected one dtype, got {input.array.dtype} and {other.array.dtype}."
        )
    x, y = as_pair(input, other)
    near = F.equal(x, y)
    if x.array.dtype.kind != "b":
        apart = F.abs(as_float(x) - as_float(y)) <= F.abs(as_float(y)) * rtol + atol
        near = near | (F.isfinite(x) & F.isfinite(y) & apart)
    return near | (F.isnan(x) & F.isnan(y)) if equal_nan else near


def allclose(
    input: TensorLike,
    other: TensorLike,
    rtol: float = 1e-5,
    atol: float = 1e-8,
    equal_nan: bool = False,
) -> bool:
    """Tell whether all elements are near to each other; see `isclose`."""
    return bool(F.all(isclose(input, other, rtol, atol, equal_nan)))


def equal(input: TensorLike, other: TensorLike) -> bool:
    """Tell whether two tensors have one shape and the same elements; `eq` tells it for each."""
    x, y = as_tensor(input), as_tensor(other)
    return x.shape == y.shape and bool(F.all(F.equal(x, y)))


def where(condition: TensorLike, input: Any = None, other: Any = None) -> Any:
    """Return input where `condition` holds and other elsewhere; without both, the positions."""
    if input is None and other is None:
        return F.nonzero(condition)
    if input is None or other is None:
        raise TypeError("where: expected both of input and other, or neither, got one.")
    return F.where(condition, input, other)


def method_where(input: TensorLike, condition: TensorLike, other: TensorLike) -> Tensor:
    """Return input where `condition` holds and other elsewhere."""
    return F.where(condition, input, other)


def masked_fill(input: TensorLike, mask: TensorLike, value: TensorLike) -> Tensor:
    """Return input with `value` where `mask` holds, in input's dtype."""
    x = as_tensor(input)
    at = as_tensor(mask)
    if type(value) is float and x.array.dtype.kind == "f" and at.array.dtype.kind == "b":
        return F.where(at, value, x)
    if at.array.dtype != bool_:
        raise TypeError(
            f"masked_fill: expected a boolean mask, got {at.array.dtype}; compare it first."
        )
    if isinstance(value, Tensor) and value.ndim:
        raise ValueError(f"masked_fill: expected one number as value, got shape {value.shape}.")
    filled = as_tensor(value)
    if (
        x.array.dtype.kind != "f"
        and filled.array.dtype.kind == "f"
        and not isinstance(value, Tensor)
    ):
        raise TypeError(f"masked_fill: expected a value that {x.array.dtype} holds, got {value}.")
    return F.where(at, astype(filled, x.array.dtype), x)


def dist(input: TensorLike, other: TensorLike, p: float = 2.0) -> Tensor:
    """Return the p-norm of input - other."""
    return F.norm(F.subtract(input, other), ord=p)


def trapezoid(y: TensorLike, x: TensorLike | None = None, dim: int = -1, dx: Number = 1) -> Tensor:
    """Return the integral of `y` along `dim` by the trapezoidal rule."""
    return F.sum(_trapezoids(y, x, dim, dx), dim)


def cumulative_trapezoid(
    y: TensorLike, x: TensorLike | None = None, dim: int = -1, dx: Number = 1
) -> Tensor:
    """Return the integral of `y` along `dim` up to each element but the first."""
    return F.cumulative_sum(_trapezoids(y, x, dim, dx), axis=dim)


def _trapezoids(y: TensorLike, x: TensorLike | None, dim: int, dx: Number) -> Tensor:
    y = as_tensor(y)
    (axis,) = normalize_axes(whole(dim), y.ndim, "trapezoid")
    before = (slice(None),) * axis
    pairs = y[(*before, slice(1, None))] + y[(*before, slice(None, -1))]
    if x is None:
        return pairs * (dx * 0.5)
    x = as_tensor(x)
    if x.ndim == 1:
        return pairs * F.reshape(x[1:] - x[:-1], (-1, *[1] * (y.ndim - axis - 1))) * 0.5
    at = (slice(None),) * (axis - y.ndim + x.ndim)
    return pairs * (x[(*at, slice(1, None))] - x[(*at, slice(None, -1))]) * 0.5
