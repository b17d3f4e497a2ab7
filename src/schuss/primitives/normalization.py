"""Softmax, variance, standardisation and the classes' loss: compositions that eager calls hurry.

Each is a composition of other primitives, and a trace sees nothing else, so that the compiler
fuses it with what is around it. But on small arrays five operations cost five times what one
costs, and their derivatives as much again: evaluated at once, each is a single node here.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from schuss.compiler.faces import Composition
from schuss.primitives.base import Primitive, Spec, apply, as_tensor, astype
from schuss.primitives.elementwise import add, divide, exp, log, multiply, negative, sqrt, subtract
from schuss.primitives.indexing import getitem
from schuss.primitives.movement import reshape
from schuss.primitives.reduction import (
    LONG_SUM,
    Axis,
    max,
    normalize_axes,
    ones,
    reduced_shape,
    require_elements,
    restore,
    same_dtype,
    sum,
    sum_value,
)
from schuss.tensor import Array, Tensor, TensorLike, float32, leaf

Axes = tuple[int, ...]

# Sums of more numbers are worth NumPy's care for their digits.
_FEW = 1024
_largest: Any = np.maximum.reduce


# What the values are made of, with reduced axes kept.


@lru_cache(256)
def _number(value: float, dtype: Any) -> Any:
    """Return a NumPy number, which its own kind is multiplied with in no time."""
    return dtype.type(value)


def _total(x: Array, axes: Axes) -> Any:
    shape = x.shape
    if len(axes) == 1 and axes[0] == len(shape) - 1 and x.size < _FEW and shape[-1] < LONG_SUM:
        # A product with ones takes half the time of a reduction; without axes, its result is
        # broadcast in half the time, too.
        return x.dot(ones(shape if len(shape) == 1 else (shape[-1], 1), x.dtype))
    return sum_value(x, axes, True)


def _average(x: Array, axes: Axes) -> Any:
    return _total(x, axes) * _number(_share(x.shape, axes), x.dtype)


def _share(shape: tuple[int, ...], axes: Axes, correction: float = 0) -> float:
    """Return one over the number of elements, less the correction."""
    count = shape[axes[0]] if len(axes) == 1 else math.prod([shape[a] for a in axes])
    return 1.0 / (count - correction) if count > correction else math.inf


def _lowered(x: Array, axes: Axes) -> Array:
    """Return x less its largest elements, in memory of its own."""
    if x.ndim == 1:
        return np.subtract(x, x[x.argmax(), ...])
    return np.asarray(np.subtract(x, _largest(x, axes, None, None, True)))


# What the compositions are made of.


def _below_largest(x: Tensor, axes: Axes) -> Tensor:
    return subtract(x, max(x.detach(), axes, keepdims=True))


def _mean(x: Tensor, axes: Axes) -> Tensor:
    return multiply(sum(x, axes, keepdims=True), _share(x.shape, axes))


def _first(*specs: Spec, **attributes: Any) -> Spec:
    return specs[0]


# Softmax.


def _softmax_value(x: Array, axes: Axes) -> Any:
    e = _lowered(x, axes)
    np.exp(e, e)
    return np.divide(e, _total(e, axes), e)


def _softmax_composition(x: Tensor, *, axes: Axes) -> Tensor:
    e = exp(_below_largest(x, axes))
    return divide(e, sum(e, axes, keepdims=True))


_softmax = Primitive(
    "softmax",
    value=_softmax_value,
    shape=_first,
    derivative=(lambda g, y, x, *, axes: apply(_softmax_error, (g, y), {"axes": axes}),),
    lower=Composition(_softmax_composition),
)


def _softmax_error_value(g: Array, y: Array, axes: Axes) -> Any:
    error = np.asarray(np.multiply(g, y))
    return np.subtract(error, np.multiply(y, _total(error, axes)), error)


def _softmax_error_composition(g: Tensor, y: Tensor, *, axes: Axes) -> Tensor:
    error = multiply(g, y)
    return subtract(error, multiply(y, sum(error, axes, keepdims=True)))


_softmax_error: Primitive = Primitive(
    "softmax_error",
    value=_softmax_error_value,
    shape=_first,
    derivative=(
        lambda h, z, g, y, *, axes: apply(_softmax_error, (h, y), {"axes": axes}),
        lambda h, z, g, y, *, axes: subtract(
            multiply(h, subtract(g, sum(multiply(g, y), axes, keepdims=True))),
            multiply(g, sum(multiply(h, y), axes, keepdims=True)),
        ),
    ),
    lower=Composition(_softmax_error_composition),
)


def softmax(x: TensorLike, axis: int = -1, *, dim: int | None = None) -> Tensor:
    """Return exp(x) divided by its sum along `axis`: positive numbers that add up to 1."""
    x, axes = _floats_along(x, axis if dim is None else dim, "softmax")
    return apply(_softmax, (x,), {"axes": axes})


def _floats_along(x: TensorLike, axis: Axis, owner: str) -> tuple[Tensor, Axes]:
    if not isinstance(x, Tensor):
        x = as_tensor(x)
    array = x.array
    axes = normalize_axes(axis, array.ndim, owner)
    if not array.size:
        require_elements(array.shape, axes, owner)
    return (x if array.dtype.kind == "f" else astype(x, float32)), axes


# Its logarithm.


def _log_softmax_value(x: Array, axes: Axes) -> Any:
    y = _lowered(x, axes)
    return np.subtract(y, np.log(_total(np.exp(y), axes)), y)


def _log_softmax_composition(x: Tensor, *, axes: Axes) -> Tensor:
    y = _below_largest(x, axes)
    return subtract(y, log(sum(exp(y), axes, keepdims=True)))


_log_softmax = Primitive(
    "log_softmax",
    value=_log_softmax_value,
    shape=_first,
    derivative=(lambda g, y, x, *, axes: apply(_log_softmax_error, (g, y), {"axes": axes}),),
    lower=Composition(_log_softmax_composition),
)


def _log_softmax_error_value(g: Array, y: Array, axes: Axes) -> Any:
    error = np.asarray(np.exp(y))
    np.multiply(error, _total(g, axes), error)
    return np.subtract(g, error, error)


def _log_softmax_error_composition(g: Tensor, y: Tensor, *, axes: Axes) -> Tensor:
    return subtract(g, multiply(exp(y), sum(g, axes, keepdims=True)))


_log_softmax_error: Primitive = Primitive(
    "log_softmax_error",
    value=_log_softmax_error_value,
    shape=_first,
    derivative=(
        lambda h, z, g, y, *, axes: subtract(h, sum(multiply(h, exp(y)), axes, keepdims=True)),
        lambda h, z, g, y, *, axes: negative(
            multiply(multiply(h, exp(y)), sum(g, axes, keepdims=True))
        ),
    ),
    lower=Composition(_log_softmax_error_composition),
)


def log_softmax(x: TensorLike, axis: int = -1, *, dim: int | None = None) -> Tensor:
    """Return log(softmax(x)) along `axis`, exact for small probabilities too."""
    x, axes = _floats_along(x, axis if dim is None else dim, "log_softmax")
    return apply(_log_softmax, (x,), {"axes": axes})


# The loss of classes: -log(softmax(x)) at each row's class.


def _places(ndim: int, shape: tuple[int, ...], axis: int) -> list[Array]:
    """Return the index arrays of every axis but `axis`, to go with one of classes."""
    found = []
    for place, length in enumerate(shape):
        if place != axis:
            found.append(_counted(length, ndim - place - (1 if place > axis else 2)))
    return found


@lru_cache(256)
def _counted(length: int, after: int) -> Array:
    return np.arange(length).reshape((-1,) + (1,) * after)


def picked(x: Tensor, classes: Tensor, axis: int) -> Tensor:
    """Return the element of x along `axis` that each of `classes` names, in one gather."""
    index = [leaf(places) for places in _places(x.ndim, x.shape, axis)]
    index.insert(axis, classes)
    return getitem(x, tuple(index))


def _index(shape: tuple[int, ...], classes: Array, axis: int) -> tuple[Array, ...]:
    index = _places(len(shape), shape, axis)
    index.insert(axis, classes)
    return tuple(index)


def _class_loss_value(x: Array, classes: Array, axis: int) -> Any:
    y = _lowered(x, (axis,))
    total = np.asarray(np.log(_total(np.exp(y), (axis,))))
    return np.subtract(total.reshape(classes.shape), y[_index(x.shape, classes, axis)])


def _class_loss_composition(x: Tensor, classes: Tensor, *, axis: int) -> Tensor:
    y = _below_largest(x, (axis,))
    return subtract(log(sum(exp(y), axis)), picked(y, classes, axis))


_class_loss = Primitive(
    "class_loss",
    value=_class_loss_value,
    shape=lambda x, classes, *, axis: (classes[0], x[1]),
    derivative=(
        lambda g, y, x, classes, *, axis: apply(_class_error, (g, x, classes), {"axis": axis}),
        None,
    ),
    lower=Composition(_class_loss_composition),
)


def _class_error_value(g: Array, x: Array, classes: Array, axis: int) -> Any:
    error = _softmax_value(x, (axis,))
    error[_index(x.shape, classes, axis)] -= _number(1.0, x.dtype)
    return np.multiply(error, g.reshape(reduced_shape(x.shape, (axis,), True)), error)


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
            _softmax_error, (multiply(h, _as_rows(g, x, axis)), softmax(x, axis)), {"axes": (axis,)}
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
    return apply(_class_loss, (x, classes), {"axis": axis})


# Variance.


def _variance_value(x: Array, axes: Axes, keepdims: bool, correction: float) -> Any:
    distance = np.subtract(x, _average(x, axes))
    total = _total(np.multiply(distance, distance), axes)
    found = total * _number(_share(x.shape, axes, correction), x.dtype)
    return np.asarray(found).reshape(reduced_shape(x.shape, axes, keepdims))


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


def _standardize_value(x: Array, axes: Axes, eps: float) -> Any:
    y = np.asarray(np.subtract(x, _average(x, axes)))
    spread = _average(np.multiply(y, y), axes) + _number(eps, x.dtype)
    return np.divide(y, np.sqrt(spread), y)


def _standardize_composition(x: Tensor, *, axes: Axes, eps: float) -> Tensor:
    centred = subtract(x, _mean(x, axes))
    return divide(centred, sqrt(add(_mean(multiply(centred, centred), axes), eps)))


def _from_standardized(g: Tensor, y: Tensor, x: Tensor, *, axes: Axes, eps: float) -> Tensor:
    deviation = sqrt(add(variance(x, axes, True, 0), eps))
    return apply(_standardize_error, (g, y, deviation), {"axes": axes})


_standardize = Primitive(
    "standardize",
    value=_standardize_value,
    shape=_first,
    derivative=(_from_standardized,),
    lower=Composition(_standardize_composition),
)


def _standardize_error_value(g: Array, y: Array, deviation: Array, axes: Axes) -> Any:
    error = np.asarray(np.multiply(y, _average(np.multiply(g, y), axes)))
    np.add(error, _average(g, axes), error)
    np.subtract(g, error, error)
    return np.divide(error, deviation, error)


def _standardize_error_composition(
    g: Tensor, y: Tensor, deviation: Tensor, *, axes: Axes
) -> Tensor:
    taken = add(multiply(y, _mean(multiply(g, y), axes)), _mean(g, axes))
    return divide(subtract(g, taken), deviation)


_standardize_error: Primitive = Primitive(
    "standardize_error",
    value=_standardize_error_value,
    shape=_first,
    derivative=(
        lambda h, z, g, y, deviation, *, axes: apply(
            _standardize_error, (h, y, deviation), {"axes": axes}
        ),
        lambda h, z, g, y, deviation, *, axes: negative(
            divide(
                add(
                    multiply(h, _mean(multiply(g, y), axes)),
                    multiply(g, _mean(multiply(h, y), axes)),
                ),
                deviation,
            )
        ),
        lambda h, z, g, y, deviation, *, axes: negative(divide(multiply(h, z), deviation)),
    ),
    lower=Composition(_standardize_error_composition),
)


def standardize(x: Tensor, axes: Axes, eps: float) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps) over `axes`, which count from 0."""
    return apply(_standardize, (x,), {"axes": axes, "eps": eps})


softmax.primitive = _softmax  # type: ignore[attr-defined]
log_softmax.primitive = _log_softmax  # type: ignore[attr-defined]
