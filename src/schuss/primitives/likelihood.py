"""The negative log-likelihood of classes, -x at each row's class, as one node where evaluated."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import TRACER, Array, Tensor, is_plain, leaf
from schuss.lowering.kinds import Composition
from schuss.primitives.base import REGISTRY, Primitive, Spec, apply, as_operand, record
from schuss.primitives.class_loss import picked
from schuss.primitives.elementwise import multiply, negative
from schuss.primitives.indexing import ARRAY
from schuss.primitives.recipe import Recipe, class_index, places
from schuss.primitives.reduction import broadcast_to, mean
from schuss.values.sums import reduced_shape, sum_value

_LIKELIHOOD = Recipe("x classes:classes", "loss = negative x@")


def _value(x: Array, classes: Array, axis: int, averaged: bool) -> Any:
    loss = _LIKELIHOOD.evaluate(x, classes, axes=(axis,))
    return _averaged(loss) if averaged else loss


def _averaged(loss: Array) -> Any:
    """Return the mean, as `mean` takes it."""
    total = sum_value(loss, tuple(range(loss.ndim)), False)
    share = 1.0 / loss.size
    return total * (as_operand(share, loss.dtype) if type(total) is np.ndarray else share)


def _composition(x: Tensor, classes: Tensor, *, axis: int, averaged: bool) -> Tensor:
    loss = negative(picked(x, classes, axis))
    return mean(loss) if averaged else loss


def _shape(x: Spec, classes: Spec, *, axis: int, averaged: bool) -> Spec:
    return () if averaged else reduced_shape(x[0], (axis,), False), x[1]


def _to_x(g: Tensor, y: Tensor, x: Tensor, classes: Tensor, *, axis: int, averaged: bool) -> Tensor:
    shape, rows = x.array.shape, classes.array
    if is_plain():
        error = g.array
        if averaged:
            error = error * as_operand(1.0 / rows.size, error.dtype)
        out = np.zeros(shape, error.dtype)
        # Each row has one class, so that nothing is to be added; a zero is a positive one.
        out[class_index(shape, rows, axis)] = 0.0 - error
        return leaf(out)
    if averaged:
        g = broadcast_to(multiply(g, 1.0 / rows.size), rows.shape)
    index = [leaf(place) for place in places(len(shape), shape, axis)]
    index.insert(axis, classes)
    attributes = {"template": (ARRAY,) * len(index), "shape": shape}
    return apply(REGISTRY["scatter_add"], (negative(g), *index), attributes)


_likelihood_loss = Primitive(
    "likelihood_loss",
    value=_value,
    shape=_shape,
    derivative=(_to_x, None),
    lower=Composition(_composition),
)


def likelihood_loss(x: Tensor, classes: Tensor, axis: int, averaged: bool) -> Tensor:
    """Return -x at the class of each row, or the mean of that.

    Args:
        x: floats, of any shape.
        classes: integers from 0 on, of x's shape without `axis`.
        axis: along which the classes lie, from 0 on.
        averaged: whether the mean over the rows is wanted, of which there is one at least.
    """
    attributes = {"axis": axis, "averaged": averaged}
    if TRACER.get() is not None:
        return apply(_likelihood_loss, (x, classes), attributes)
    out = _value(x.array, classes.array, axis, averaged)
    return record(_likelihood_loss, (x, classes), attributes, out, x.requires_grad)


_ROWS = (0,)
_AVERAGED = {"axis": 1, "averaged": True}


def few_likelihoods(x: Tensor, classes: Tensor, ignored: int) -> Tensor | None:
    """Return the mean of -x at the class of each row where machine code can find it, or None.

    It looks at the classes by itself, so that nothing has to be checked before.

    Args:
        x: of any shape.
        classes: of any shape, too.
        ignored: a class that must not be one.
    """
    array, rows = x.array, classes.array
    native = _LIKELIHOOD.native.get(array.dtype)
    shape = array.shape
    if native is None or rows.ndim != 1 or len(shape) != 2 or TRACER.get() is not None:
        return None
    if 0 <= ignored < shape[1]:
        return None
    loss = np.empty(rows.shape, array.dtype)
    if native(array, rows, loss) is None:
        return None
    # What _averaged does.
    out = sum_value(loss, _ROWS, False) * (1.0 / loss.size)
    return record(_likelihood_loss, (x, classes), _AVERAGED, out, x.requires_grad)
