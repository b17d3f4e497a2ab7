"""The Euclidean norm: a composition that eager calls hurry.

A trace sees what it is composed of; evaluated it is one node, with the same bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import TRACER, Array, Tensor, is_plain, leaf
from schuss.lowering.kinds import Composition
from schuss.primitives.base import Primitive, apply, record
from schuss.primitives.elementwise import abs, divide, multiply, sqrt
from schuss.primitives.logic import equal, where
from schuss.primitives.recipe import Recipe, number
from schuss.primitives.reduction import restore, same_dtype, sum
from schuss.values.sums import reduced_shape, sum_value

Axes = tuple[int, ...]


def root(x: Tensor) -> Tensor:
    """Square root with derivative 0 at 0, where a norm and a deviation have no direction."""
    flat = equal(x, 0.0)
    return where(flat, 0.0, sqrt(where(flat, 1.0, x)))


def _composition(x: Tensor, *, axes: Axes, keepdims: bool) -> Tensor:
    size = abs(x)
    return root(sum(multiply(size, size), axes, keepdims))


def _value(x: Array, axes: Axes, keepdims: bool) -> Any:
    return np.sqrt(sum_value(x * x, axes, keepdims))


# What goes through |x| * |x|, twice, and |x|; at -0.0 it is another zero than h * x.
_ERROR = Recipe(
    "x h:row",
    """
    s = sign x
    y = absolute x
    y = multiply y h
    y = add y y
    y = multiply y s
    """,
)


def _to_x(g: Tensor, y: Tensor, x: Tensor, *, axes: Axes, keepdims: bool) -> Tensor:
    if not is_plain():
        flat = equal(y, 0.0)
        slope = where(flat, 0.0, divide(g, where(flat, 1.0, y)))
        return multiply(restore(slope, x, axes, keepdims), x)
    array, length = x.array, y.array
    zero = number(0.0, array.dtype)
    if not length.ndim:
        share = np.asarray(g.array / (length + length)) if length else zero
    else:
        share = np.where(length == 0.0, zero, g.array / (length + length))
    if keepdims:
        share = share.reshape(reduced_shape(array.shape, axes, False))
    if len(axes) == array.ndim > 1:
        return leaf(_ERROR.evaluate(array.reshape(-1), share, axes=(0,)).reshape(array.shape))
    return leaf(_ERROR.evaluate(array, share, axes=axes))


_norm = Primitive(
    "norm",
    value=_value,
    shape=same_dtype,
    derivative=(_to_x,),
    lower=Composition(_composition),
)


def euclidean_norm(x: Tensor, axes: Axes, keepdims: bool) -> Tensor:
    """Return sqrt(sum(x * x)) of floats over `axes`, with derivative 0 at 0."""
    attributes = {"axes": axes, "keepdims": keepdims}
    if TRACER.get() is not None:
        return apply(_norm, (x,), attributes)
    return record(_norm, (x,), attributes, _value(x.array, axes, keepdims), x.requires_grad)
