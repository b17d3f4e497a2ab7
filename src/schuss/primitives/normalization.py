"""Variance, standardisation and layer norm: compositions that eager calls hurry.

Each is a composition of other primitives, and a trace sees nothing else, so that the compiler
fuses it with what is around it. But on small arrays five operations cost five times what one
costs, and their derivatives as much again: evaluated at once, each is a single node here.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from schuss.core import TRACER, Array, Tensor, is_plain, leaf
from schuss.lowering.kinds import Composition
from schuss.primitives.base import Primitive, apply, record
from schuss.primitives.elementwise import add, divide, multiply, negative, sqrt, subtract
from schuss.primitives.recipe import Handed, Recipe, number
from schuss.primitives.reduction import restore, same_dtype, sum
from schuss.values.sums import reduced_shape

Axes = tuple[int, ...]


def _share(shape: tuple[int, ...], axes: Axes, correction: float = 0) -> float:
    """Return one over the number of elements, less the correction."""
    count = shape[axes[0]] if len(axes) == 1 else math.prod([shape[a] for a in axes])
    return 1.0 / (count - correction) if count > correction else math.inf


def _mean(x: Tensor, axes: Axes) -> Tensor:
    return multiply(sum(x, axes, keepdims=True), _share(x.shape, axes))


# Variance.


_VARIANCE = Recipe(
    "x share:number factor:number",
    """
    m = total x
    m = multiply m share
    y = subtract x m
    y = multiply y y
    t = total y
    v = multiply t factor
    """,
)


def _variance_value(x: Array, axes: Axes, keepdims: bool, correction: float) -> Any:
    kind, shape = x.dtype, x.shape
    given = number(_share(shape, axes), kind), number(_share(shape, axes, correction), kind)
    if len(axes) == len(shape):
        found = _VARIANCE.evaluate(x.reshape(-1), *given, axes=(0,))
    else:
        found = _VARIANCE.evaluate(x, *given, axes=axes)
    return found.reshape(reduced_shape(shape, axes, True)) if keepdims else found


def _variance_composition(x: Tensor, *, axes: Axes, keepdims: bool, correction: float) -> Tensor:
    distance = subtract(x, _mean(x, axes))
    total = sum(multiply(distance, distance), axes, keepdims)
    return multiply(total, _share(x.shape, axes, correction))


def _from_variance(
    g: Tensor, y: Tensor, x: Tensor, *, axes: Axes, keepdims: bool, correction: float
) -> Tensor:
    slope = multiply(restore(g, x, axes, keepdims), 2 * _share(x.shape, axes, correction))
    return multiply(slope, subtract(x, _mean(x, axes)))


_variance = Primitive(
    "variance",
    value=_variance_value,
    shape=lambda x, *, axes, keepdims, correction: same_dtype(x, axes=axes, keepdims=keepdims),
    derivative=(_from_variance,),
    lower=Composition(_variance_composition),
)


def variance(x: Tensor, axes: Axes, keepdims: bool, correction: float) -> Tensor:
    """Return the sum of squared distances from the mean, over the count less `correction`."""
    attributes = {"axes": axes, "keepdims": keepdims, "correction": correction}
    return apply(_variance, (x,), attributes)


# Standardisation.


# The differences from the mean (y), and the square root of the variance (v).
DEVIATIONS = """
    m = total x
    m = multiply m share
    y = subtract x m
    u = multiply y y
    v = total u
    v = multiply v share
    v = add v eps
    v = sqrt v
    """
_STANDARDIZE = Recipe(
    "x share:number eps:number",
    f"""
    {DEVIATIONS}
    y = divide y v
    """,
)


@lru_cache(256)
def scales(shape: tuple[int, ...], axes: Axes, eps: float, dtype: Any) -> tuple[Array, Array]:
    """Return the share of each element in a mean, and eps, as recipes take them."""
    return number(_share(shape, axes), dtype), number(eps, dtype)


def _standardize_value(x: Array, axes: Axes, eps: float) -> Any:
    return _STANDARDIZE.evaluate(x, *scales(x.shape, axes, eps, x.dtype), axes=axes)


def _deviation(centred: Tensor, axes: Axes, eps: float) -> Tensor:
    return sqrt(add(_mean(multiply(centred, centred), axes), eps))


def _standardize_composition(x: Tensor, *, axes: Axes, eps: float) -> Tensor:
    centred = subtract(x, _mean(x, axes))
    return divide(centred, _deviation(centred, axes, eps))


_standardize = Primitive(
    "standardize",
    value=_standardize_value,
    shape=lambda *specs, axes, eps: specs[0],
    derivative=(
        lambda g, y, x, *, axes, eps: apply(_standardize_error, (g, x), {"axes": axes, "eps": eps}),
    ),
    lower=Composition(_standardize_composition),
)


_TO_X = f"""
    {DEVIATIONS}
    y = divide y v
    u = multiply g y
    a = total u
    a = multiply a share
    b = total g
    b = multiply b share
    u = multiply y a
    u = add u b
    e = subtract g u
    e = divide e v
    """
_STANDARDIZE_ERROR = Recipe("g x share:number eps:number", _TO_X)


def _standardize_error_value(g: Array, x: Array, *, axes: Axes, eps: float) -> Any:
    return _STANDARDIZE_ERROR.evaluate(g, x, *scales(x.shape, axes, eps, x.dtype), axes=axes)


def _standardize_error_composition(g: Tensor, x: Tensor, *, axes: Axes, eps: float) -> Tensor:
    centred = subtract(x, _mean(x, axes))
    deviation = _deviation(centred, axes, eps)
    y = divide(centred, deviation)
    taken = add(multiply(y, _mean(multiply(g, y), axes)), _mean(g, axes))
    return divide(subtract(g, taken), deviation)


def _second_standardize_error(
    h: Tensor, z: Tensor, g: Tensor, x: Tensor, *, axes: Axes, eps: float
) -> Tensor:
    """Take an error in the error back to x: through y = standardize(x), and its deviation."""
    attributes = {"axes": axes, "eps": eps}
    y = apply(_standardize, (x,), attributes)
    deviation = sqrt(add(variance(x, axes, True, 0), eps))
    by_y = add(multiply(h, _mean(multiply(g, y), axes)), multiply(g, _mean(multiply(h, y), axes)))
    through_y = apply(_standardize_error, (divide(by_y, deviation), x), attributes)
    by_deviation = divide(_mean(multiply(h, z), axes), deviation)
    return negative(add(through_y, multiply(by_deviation, y)))


_standardize_error: Primitive = Primitive(
    "standardize_error",
    value=_standardize_error_value,
    shape=lambda *specs, axes, eps: specs[0],
    derivative=(
        lambda h, z, g, x, *, axes, eps: apply(
            _standardize_error, (h, x), {"axes": axes, "eps": eps}
        ),
        _second_standardize_error,
    ),
    lower=Composition(_standardize_error_composition),
)


def standardize(x: Tensor, axes: Axes, eps: float) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps) over `axes`, which count from 0."""
    return apply(_standardize, (x,), {"axes": axes, "eps": eps})


# Layer norm: standardised, scaled and shifted.


_LAYER_NORM = Recipe(
    "x w:column b:column share:number eps:number",
    f"""
    {DEVIATIONS}
    y = divide y v
    y = multiply y w
    y = add y b
    """,
)


def _layer_norm_value(x: Array, weight: Array, bias: Array, *, axes: Axes, eps: float) -> Any:
    return _LAYER_NORM.evaluate(x, weight, bias, *scales(x.shape, axes, eps, x.dtype), axes=axes)


# What the rules below compute, where nothing is recorded, in one go.
_LAYER_NORM_TO_X = Recipe("g x w:column share:number eps:number", "g = multiply g w\n" + _TO_X)
_LAYER_NORM_TO_BOTH = Recipe(
    "g x w:column share:number eps:number",
    _TO_X.replace("y = divide y v", "y = divide y v\n p = multiply g y\n g = multiply g w"),
    beside="p",
)
_handed = Handed()
_LAYER_NORM_TO_WEIGHT = Recipe(
    "x g share:number eps:number",
    f"""
    {DEVIATIONS}
    y = divide y v
    y = multiply g y
    """,
)


def _layer_norm_to_x(
    g: Tensor, y: Tensor, x: Tensor, weight: Tensor, bias: Tensor, *, axes: Axes, eps: float
) -> Tensor:
    if is_plain():
        array = x.array
        given = scales(array.shape, axes, eps, array.dtype)
        if weight.requires_grad and axes == (array.ndim - 1,):
            both = _LAYER_NORM_TO_BOTH.evaluate_both(g.array, array, weight.array, *given)
            if both is not None:
                _handed.put(both[1], g, array, eps)
                return leaf(both[0])
        return leaf(_LAYER_NORM_TO_X.evaluate(g.array, array, weight.array, *given, axes=axes))
    return apply(_standardize_error, (multiply(g, weight), x), {"axes": axes, "eps": eps})


def _layer_norm_to_weight(
    g: Tensor, y: Tensor, x: Tensor, weight: Tensor, bias: Tensor, *, axes: Axes, eps: float
) -> Tensor:
    if is_plain():
        array = x.array
        found = _handed.take(g, array, eps)
        if found is not None:
            return leaf(found)
        given = scales(array.shape, axes, eps, array.dtype)
        return leaf(_LAYER_NORM_TO_WEIGHT.evaluate(array, g.array, *given, axes=axes))
    return multiply(g, standardize(x, axes, eps))


_layer_norm = Primitive(
    "layer_norm",
    value=_layer_norm_value,
    shape=lambda *specs, axes, eps: specs[0],
    derivative=(
        _layer_norm_to_x,
        _layer_norm_to_weight,
        lambda g, y, x, weight, bias, *, axes, eps: g,
    ),
    lower=Composition(
        lambda x, weight, bias, *, axes, eps: add(multiply(standardize(x, axes, eps), weight), bias)
    ),
)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, axes: Axes, eps: float) -> Tensor:
    """Return standardize(x) * weight + bias, both of the last `axes`' shape and x's dtype."""
    attributes = {"axes": axes, "eps": eps}
    if TRACER.get() is not None:
        return apply(_layer_norm, (x, weight, bias), attributes)
    out = _layer_norm_value(x.array, weight.array, bias.array, axes=axes, eps=eps)
    wanted = x.requires_grad or weight.requires_grad or bias.requires_grad
    return record(_layer_norm, (x, weight, bias), attributes, out, wanted)
