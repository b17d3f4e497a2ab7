"""The loss of classes, -log(softmax(x)) at each row's class, as one node where it is evaluated."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import TRACER, Array, Tensor, is_plain, leaf
from schuss.lowering.kinds import Composition
from schuss.primitives.base import Primitive, apply, astype, record
from schuss.primitives.elementwise import exp, log, multiply, subtract
from schuss.primitives.indexing import gather
from schuss.primitives.movement import reshape
from schuss.primitives.recipe import Recipe, number, places
from schuss.primitives.reduction import sum
from schuss.primitives.softmax import below_largest, softmax, softmax_error
from schuss.values.sums import reduced_shape


def picked(x: Tensor, classes: Tensor, axis: int) -> Tensor:
    """Return the element of x along `axis` that each of `classes` names, in one gather."""
    shape = x.array.shape
    index = [leaf(place) for place in places(len(shape), shape, axis)]
    index.insert(axis, classes)
    return gather(x, tuple(index))


_CLASS_LOSS = Recipe(
    "x classes:classes",
    """
    m = largest x
    y = subtract x m
    u = exp y
    t = total u
    t = log t
    loss = subtract t y@
    """,
)


def _class_loss_composition(x: Tensor, classes: Tensor, *, axis: int) -> Tensor:
    y = below_largest(x, (axis,))
    return subtract(log(sum(exp(y), axis)), picked(y, classes, axis))


def _class_loss_to_x(g: Tensor, y: Tensor, x: Tensor, classes: Tensor, *, axis: int) -> Tensor:
    if is_plain():
        return leaf(_class_error_value(g.array, x.array, classes.array, axis))
    return apply(_class_error, (g, x, classes), {"axis": axis})


_class_loss = Primitive(
    "class_loss",
    value=lambda x, classes, axis: _CLASS_LOSS.evaluate(x, classes, axes=(axis,)),
    shape=lambda x, classes, *, axis: (classes[0], x[1]),
    derivative=(_class_loss_to_x, None),
    lower=Composition(_class_loss_composition),
)


_CLASS_ERROR = Recipe(
    "x classes:classes g:row one:number",
    """
    m = largest x
    y = subtract x m
    y = exp y
    t = total y
    y = divide y t
    y@ = subtract y@ one
    y = multiply y g
    """,
)


def _class_error_value(g: Array, x: Array, classes: Array, axis: int) -> Any:
    if not g.flags.c_contiguous:
        # One error for all rows, most often.
        g = g.copy()
    return _CLASS_ERROR.evaluate(x, classes, g, number(1.0, x.dtype), axes=(axis,))


def _as_rows(g: Tensor, x: Tensor, axis: int) -> Tensor:
    return reshape(g, reduced_shape(x.shape, (axis,), True))


def _class_error_composition(g: Tensor, x: Tensor, classes: Tensor, *, axis: int) -> Tensor:
    places = np.arange(x.shape[axis]).reshape((-1,) + (1,) * (x.ndim - axis - 1))
    hot = astype(_as_rows(classes, x, axis) == leaf(places), x.dtype)
    return multiply(subtract(softmax(x, axis), hot), _as_rows(g, x, axis))


_class_error: Primitive = Primitive(
    "class_error",
    value=_class_error_value,
    shape=lambda g, x, classes, *, axis: x,
    derivative=(
        lambda h, z, g, x, classes, *, axis: subtract(
            sum(multiply(h, softmax(x, axis)), axis), picked(h, classes, axis)
        ),
        lambda h, z, g, x, classes, *, axis: apply(
            softmax_error, (multiply(h, _as_rows(g, x, axis)), softmax(x, axis)), {"axes": (axis,)}
        ),
        None,
    ),
    lower=Composition(_class_error_composition),
)


def class_loss(x: Tensor, classes: Tensor, axis: int) -> Tensor:
    """Return log(sum(exp(x))) along `axis`, less the x that each class names.

    Args:
        x: floats, of any shape.
        classes: integers from 0 on, of x's shape without `axis`.
        axis: along which the classes lie, from 0 on.
    """
    attributes = {"axis": axis}
    if TRACER.get() is not None:
        return apply(_class_loss, (x, classes), attributes)
    out = _CLASS_LOSS.evaluate(x.array, classes.array, axes=(axis,))
    return record(_class_loss, (x, classes), attributes, out, x.requires_grad)
