"""Batch norm by the batch's own figures: a composition that eager calls on few numbers hurry.

What it is composed of is in `composed`, which a trace sees, and gives errors of errors. On small
arrays it is one node, whose value and errors are, to the last bit, what going through the
composition and back finds.
"""

from __future__ import annotations

from typing import Any

from schuss.core import TRACER, Array, Tensor, is_plain, leaf
from schuss.lowering.kinds import Composition
from schuss.primitives.base import REGISTRY, Primitive, apply, record
from schuss.primitives.elementwise import add, divide, multiply, sqrt, subtract
from schuss.primitives.normalization import DEVIATIONS, Axes, scales, standardize
from schuss.primitives.recipe import Handed, Recipe
from schuss.primitives.reduction import mean

# Arrays of fewer elements are worth a node of their own.
_FEW = 1024


def composed(x: Tensor, weight: Tensor, bias: Tensor, *, axes: Axes, eps: float) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias, operation by operation."""
    centred = subtract(x, mean(x, axes, keepdims=True))
    variance = mean(multiply(centred, centred), axes, keepdims=True)
    return add(multiply(divide(centred, sqrt(add(variance, eps))), weight), bias)


_DEVIATIONS = DEVIATIONS.replace("total", "down")
_BATCH_NORM = Recipe(
    "x w:column b:column share:number eps:number",
    f"""
    {_DEVIATIONS}
    y = divide y v
    y = multiply y w
    y = add y b
    """,
)
# From the deviation's error d on, those of what it is computed from.
_BACK = f"""
    {_DEVIATIONS}
    u = divide y v
    g = multiply g w
    u = multiply g u
    u = divide u v
    u = negative u
    d = down u
    t = add v v
    d = divide d t
    d = multiply d share
    g = divide g v
    u = multiply d y
    g = add g u
    g = add g u
    u = negative g
    d = down u
    d = multiply d share
    g = add g d
    """
_TO_X = Recipe("g x w:column share:number eps:number", _BACK)
# With the weight's error p.
_TO_BOTH = Recipe(
    "g x w:column share:number eps:number",
    _BACK.replace("u = divide y v", "u = divide y v\n p = multiply g u"),
    beside="p",
)
_handed = Handed()
_TO_WEIGHT = Recipe(
    "x g share:number eps:number",
    f"""
    {_DEVIATIONS}
    y = divide y v
    y = multiply g y
    """,
)


def _follow(recipe: Recipe, x: Array, axes: Axes, eps: float, *inputs: Array) -> Any:
    given = scales(x.shape, axes, eps, x.dtype)
    # What lies next to each other in memory, as a single column does, NumPy adds in another order.
    follow = recipe.evaluate if x.shape[1] > 1 else recipe.follow
    return follow(*inputs, *given, axes=axes)


def _value(x: Array, weight: Array, bias: Array, *, axes: Axes, eps: float) -> Any:
    return _follow(_BATCH_NORM, x, axes, eps, x, weight, bias)


def _to_x(
    g: Tensor, y: Tensor, x: Tensor, weight: Tensor, bias: Tensor, *, axes: Axes, eps: float
) -> Tensor:
    if is_plain():
        array = x.array
        if weight.requires_grad and array.shape[1] > 1 and array.ndim == 2:
            given = scales(array.shape, axes, eps, array.dtype)
            both = _TO_BOTH.evaluate_both(g.array, array, weight.array, *given)
            if both is not None:
                _handed.put(both[1], g, array, eps)
                return leaf(both[0])
        return leaf(_follow(_TO_X, array, axes, eps, g.array, array, weight.array))
    error = REGISTRY["standardize_error"]
    return apply(error, (multiply(g, weight), x), {"axes": axes, "eps": eps})


def _to_weight(
    g: Tensor, y: Tensor, x: Tensor, weight: Tensor, bias: Tensor, *, axes: Axes, eps: float
) -> Tensor:
    if is_plain():
        array = x.array
        found = _handed.take(g, array, eps)
        return leaf(
            _follow(_TO_WEIGHT, array, axes, eps, array, g.array) if found is None else found
        )
    return multiply(g, standardize(x, axes, eps))


_batch_norm = Primitive(
    "batch_norm",
    value=_value,
    shape=lambda *specs, axes, eps: specs[0],
    derivative=(_to_x, _to_weight, lambda g, y, x, weight, bias, *, axes, eps: g),
    lower=Composition(composed),
)


def is_small(x: Tensor) -> bool:
    """Return whether `batch_norm` is for x: few numbers in order, outside of a trace."""
    if TRACER.get() is not None:
        return False
    array = x.array
    return array.size < _FEW and array.flags.c_contiguous


def batch_norm(x: Tensor, weight: Tensor, bias: Tensor, axes: Axes, eps: float) -> Tensor:
    """Return standardize(x) * weight + bias along axis 1.

    Args:
        x: floats, with two axes or more.
        weight: of x's dtype; it broadcasts against x, along axis 1.
        bias: the same.
        axes: all but 1.
        eps: added to the variance.
    """
    out = _value(x.array, weight.array, bias.array, axes=axes, eps=eps)
    wanted = x.requires_grad or weight.requires_grad or bias.requires_grad
    return record(_batch_norm, (x, weight, bias), {"axes": axes, "eps": eps}, out, wanted)
