"""The cores of losses: of classes, of binary targets, and of distances."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import Array, Tensor, leaf
from schuss.functions.activations import softplus_parts
from schuss.functions.elementwise import clip
from schuss.functions.softmaxes import below_largest
from schuss.primitives.axes import EVERY_AXIS
from schuss.primitives.elementwise import add, exp, log, multiply, negative, relu, subtract
from schuss.primitives.fused import fused
from schuss.primitives.indexing import gather
from schuss.primitives.reduction import mean, sum
from schuss.values.along import largest_along, mean_value, restored
from schuss.values.indices import class_index, picked_value, places
from schuss.values.numbers import as_operand, number
from schuss.values.sums import sum_value

__all__ = ["binary_loss", "class_loss", "huber", "likelihood_loss", "picked"]


def picked(x: Tensor, classes: Tensor, axis: int) -> Tensor:
    """Return the element of x along `axis` that each of `classes` names, in one gather."""
    index = [leaf(place) for place in places(x.array.shape, axis)]
    index.insert(axis, classes)
    return gather(x, tuple(index))


def _class_loss_value(x: Array, classes: Array, axis: int, averaged: bool) -> tuple[Any, ...]:
    y = x - largest_along(x, (axis,))
    loss = picked_value(y, classes, axis)
    e = np.exp(y, y)
    total = sum_value(e, (axis,), False)
    return _averaged(np.log(total) - loss, averaged), e, total


def _averaged(loss: Any, averaged: bool) -> Any:
    return mean_value(loss, EVERY_AXIS[loss.ndim], False) if averaged else loss


def _to_each(g: Array, classes: Array, averaged: bool) -> Any:
    """Return the error in each row's loss."""
    return g * as_operand(1.0 / classes.size, g.dtype) if averaged else g


def _class_loss_to_x(
    g: Array,
    y: Array,
    x: Array,
    classes: Array,
    axis: int,
    averaged: bool,
    kept: tuple[Array, Array],
) -> Array:
    e, total = kept
    error = e / restored(total, x.shape, (axis,))
    error[class_index(x.shape, classes, axis)] -= as_operand(1.0, x.dtype)
    error *= restored(_to_each(g, classes, averaged), x.shape, (axis,))
    return error


@fused(value=_class_loss_value, derivative=(_class_loss_to_x, None))
def class_loss(x: Tensor, classes: Tensor, *, axis: int, averaged: bool) -> Tensor:
    """Return log(sum(exp(x))) along `axis`, less the x that each class names.

    Args:
        x: floats, of any shape.
        classes: integers from 0 on, of x's shape without `axis`.
        axis: along which the classes lie, from 0 on.
        averaged: whether the mean over the rows is wanted, of which there is one at least.
    """
    y = below_largest(x, (axis,))
    loss = subtract(log(sum(exp(y), axis)), picked(y, classes, axis))
    return mean(loss) if averaged else loss


def _likelihood_to_x(
    g: Array, y: Array, x: Array, classes: Array, axis: int, averaged: bool
) -> Array:
    error = np.zeros(x.shape, x.dtype)
    # Each row has one class, so that nothing is to be added; a zero is a positive one.
    error[class_index(x.shape, classes, axis)] = 0.0 - _to_each(g, classes, averaged)
    return error


def _likelihood_value(x: Array, classes: Array, axis: int, averaged: bool) -> Any:
    return _averaged(np.negative(picked_value(x, classes, axis)), averaged)


@fused(value=_likelihood_value, derivative=(_likelihood_to_x, None))
def likelihood_loss(x: Tensor, classes: Tensor, *, axis: int, averaged: bool) -> Tensor:
    """Return -x at the class of each row, or the mean of that; arguments as in `class_loss`."""
    loss = negative(picked(x, classes, axis))
    return mean(loss) if averaged else loss


def _binary_value(x: Array, target: Array) -> tuple[Any, Any]:
    e = np.exp(np.negative(np.abs(x)))
    return (np.maximum(x, number(0.0, x.dtype)) - x * target) + np.log1p(e), e


def _binary_to_x(g: Array, y: Array, x: Array, target: Array, kept: list[Array]) -> Any:
    # sigmoid(x) - target, such that what is left of them keeps its digits.
    (e,) = kept
    share = e / (e + number(1.0, x.dtype))
    above = np.greater(x, number(0.0, x.dtype)).astype(x.dtype)
    share -= (share + share) * above
    share += above - target
    share *= g
    return share


@fused(
    value=_binary_value, derivative=(_binary_to_x, lambda g, y, x, target, kept: np.negative(g * x))
)
def binary_loss(x: Tensor, target: Tensor) -> Tensor:
    """Return log(1 + exp(x)) - x * target, for logits and targets of one shape."""
    _, positive, tail = softplus_parts(x)
    return add(subtract(positive, multiply(x, target)), tail)


def _huber_value(x: Array, y: Array, delta: float, scale: float) -> tuple[Array, Array]:
    kind = x.dtype
    error = x - y
    near = np.minimum(np.maximum(error, number(-delta, kind)), number(delta, kind))
    error -= near * number(0.5, kind)
    near = near * number(scale, kind)
    return near * error, near


@fused(
    value=_huber_value,
    derivative=(
        lambda g, z, x, y, delta, scale, kept: g * kept[0],
        lambda g, z, x, y, delta, scale, kept: np.negative(g * kept[0]),
    ),
)
def huber(x: Tensor, y: Tensor, *, delta: float, scale: float) -> Tensor:
    """Return scale * e^2 / 2 where |e| <= delta, scale * delta * (|e| - delta / 2) elsewhere.

    Args:
        x: floats of any shape.
        y: the same shape and dtype; e = x - y.
        delta: where the parabola becomes a straight line, above 0.
        scale: a factor.
    """
    error = subtract(x, y)
    # Without |e|: its derivative 0 at 0 would lose the parabola's second derivative there. What is
    # beyond delta is added, so that no derivative is a product of it, which may be infinite.
    near = clip(error, -delta, delta)
    beyond = add(relu(subtract(error, delta)), relu(subtract(-delta, error)))
    loss = add(multiply(multiply(near, near), 0.5 * scale), multiply(beyond, delta * scale))
    return loss
