"""The logarithm of a sum of exponentials: a composition that eager calls hurry.

A trace sees what it is composed of; on small arrays it is one node, with the same bits.
"""

from __future__ import annotations

import math
from typing import Any

from schuss.core import TRACER, Array, Tensor, TensorLike, float32, is_plain, leaf
from schuss.lowering.kinds import Composition
from schuss.primitives.base import Primitive, apply, as_tensor, astype, record
from schuss.primitives.elementwise import abs, add, divide, exp, log, multiply, subtract
from schuss.primitives.logic import less, where
from schuss.primitives.movement import reshape
from schuss.primitives.recipe import Recipe, number
from schuss.primitives.reduction import (
    Axis,
    max,
    normalize_axes,
    require_elements,
    restore,
    same_dtype,
    sum,
    torch_axis,
)
from schuss.values.sums import reduced_shape

Axes = tuple[int, ...]

# Of the largest m, m - (m - m) is nan unless it is finite; then 0 is taken instead of it.
_BELOW = """
    m = largest x
    t = subtract m m
    m = subtract m t
    t = fmax m zero
    m = fmin m zero
    m = add m t
    y = subtract x m
    y = exp y
    t = total y
    """
_LOG_SUM = Recipe("x zero:number", f"{_BELOW}\n t = log t\n s = add t m")
_ERROR = Recipe("x g:row zero:number", f"{_BELOW}\n t = divide g t\n y = multiply y t")


def _parts(x: Tensor, axes: Axes) -> tuple[Tensor, Tensor, Tensor]:
    """Return the largest, the exponentials below it, and their sum."""
    top = max(x.detach(), axes, keepdims=True)
    top = where(less(abs(top), math.inf), top, 0.0)
    e = exp(subtract(x, top))
    return top, e, sum(e, axes, keepdims=True)


def _composition(x: Tensor, *, axes: Axes, keepdims: bool) -> Tensor:
    top, _, total = _parts(x, axes)
    found = add(log(total), top)
    return found if keepdims else reshape(found, reduced_shape(x.shape, axes, False))


def _follow(recipe: Recipe, x: Array, axes: Axes, *rest: Array) -> Any:
    zero = number(0.0, x.dtype)
    if len(axes) == x.ndim > 1 and x.flags.c_contiguous:
        return recipe.evaluate(x.reshape(-1), *rest, zero, axes=(0,))
    # NumPy adds what lies otherwise in memory in another order.
    follow = recipe.evaluate if x.flags.c_contiguous else recipe.follow
    return follow(x, *rest, zero, axes=axes)


def _value(x: Array, *, axes: Axes, keepdims: bool) -> Any:
    found = _follow(_LOG_SUM, x, axes)
    return found.reshape(reduced_shape(x.shape, axes, True)) if keepdims else found


def _to_x(g: Tensor, y: Tensor, x: Tensor, *, axes: Axes, keepdims: bool) -> Tensor:
    if is_plain():
        array, error = x.array, g.array
        if keepdims:
            error = error.reshape(reduced_shape(array.shape, axes, False))
        return leaf(_follow(_ERROR, array, axes, error).reshape(array.shape))
    _, e, total = _parts(x, axes)
    return multiply(e, divide(restore(g, x, axes, keepdims), total))


_logsumexp = Primitive(
    "logsumexp",
    value=_value,
    shape=same_dtype,
    derivative=(_to_x,),
    lower=Composition(_composition),
)


def logsumexp(x: TensorLike, axis: Axis = None, keepdims: bool = False, **names: Any) -> Tensor:
    """Return log(sum(exp(x))) over `axis` without overflow."""
    if not isinstance(x, Tensor):
        x = as_tensor(x)
    if x.array.dtype.kind != "f":
        x = astype(x, float32)
    if names:
        axis, keepdims = torch_axis(axis, keepdims, names, "logsumexp")
    array = x.array
    axes = normalize_axes(axis, array.ndim, "logsumexp")
    if not array.size:
        require_elements(array.shape, axes, "logsumexp")
    attributes = {"axes": axes, "keepdims": keepdims}
    if TRACER.get() is not None:
        return apply(_logsumexp, (x,), attributes)
    out = _value(array, axes=axes, keepdims=keepdims)
    return record(_logsumexp, (x,), attributes, out, x.requires_grad)


logsumexp.primitive = _logsumexp  # type: ignore[attr-defined]
