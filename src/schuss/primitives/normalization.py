"""Softmax, variance, standardisation and the classes' loss: compositions that eager calls hurry.

Each is a composition of other primitives, and a trace sees nothing else, so that the compiler
fuses it with what is around it. But on small arrays five operations cost five times what one
costs, and their derivatives as much again: evaluated at once, each is a single node here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from schuss.compiler.faces import Composition
from schuss.primitives.base import Primitive, Spec, apply, as_tensor, astype
from schuss.primitives.elementwise import add, divide, exp, log, multiply, negative, sqrt, subtract
from schuss.primitives.indexing import getitem
from schuss.primitives.movement import reshape
from schuss.primitives.recipe import Recipe, number, places
from schuss.primitives.reduction import (
    Axis,
    max,
    normalize_axes,
    require_elements,
    restore,
    same_dtype,
    sum,
)
from schuss.primitives.sums import reduced_shape
from schuss.tensor import Array, Tensor, TensorLike, float32, leaf

Axes = tuple[int, ...]


def _share(shape: tuple[int, ...], axes: Axes, correction: float = 0) -> float:
    """Return one over the number of elements, less the correction."""
    count = shape[axes[0]] if len(axes) == 1 else math.prod([shape[a] for a in axes])
    return 1.0 / (count - correction) if count > correction else math.inf


# What the compositions are made of.


def _below_largest(x: Tensor, axes: Axes) -> Tensor:
    return subtract(x, max(x.detach(), axes, keepdims=True))


def _mean(x: Tensor, axes: Axes) -> Tensor:
    return multiply(sum(x, axes, keepdims=True), _share(x.shape, axes))


def _first(*specs: Spec, **attributes: Any) -> Spec:
    return specs[0]


# Softmax.


_SOFTMAX = Recipe(
    "x",
    """
    m = largest x
    y = subtract x m
    y = exp y
    t = total y
    y = divide y t
    """,
)


def _softmax_composition(x: Tensor, *, axes: Axes) -> Tensor:
    e = exp(_below_largest(x, axes))
    return divide(e, sum(e, axes, keepdims=True))


_softmax = Primitive(
    "softmax",
    value=_SOFTMAX.evaluate,
    shape=_first,
    derivative=(lambda g, y, x, *, axes: apply(_softmax_error, (g, y), {"axes": axes}),),
    lower=Composition(_softmax_composition),
)


_SOFTMAX_ERROR = Recipe(
    "g y",
    """
    e = multiply g y
    t = total e
    u = multiply y t
    e = subtract e u
    """,
)


def _softmax_error_composition(g: Tensor, y: Tensor, *, axes: Axes) -> Tensor:
    error = multiply(g, y)
    return subtract(error, multiply(y, sum(error, axes, keepdims=True)))


_softmax_error: Primitive = Primitive(
    "softmax_error",
    value=_SOFTMAX_ERROR.evaluate,
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


_LOG_SOFTMAX = Recipe(
    "x",
    """
    m = largest x
    y = subtract x m
    u = exp y
    t = total u
    t = log t
    y = subtract y t
    """,
)


def _log_softmax_composition(x: Tensor, *, axes: Axes) -> Tensor:
    y = _below_largest(x, axes)
    return subtract(y, log(sum(exp(y), axes, keepdims=True)))


_log_softmax = Primitive(
    "log_softmax",
    value=_LOG_SOFTMAX.evaluate,
    shape=_first,
    derivative=(lambda g, y, x, *, axes: apply(_log_softmax_error, (g, y), {"axes": axes}),),
    lower=Composition(_log_softmax_composition),
)


_LOG_SOFTMAX_ERROR = Recipe(
    "y g",
    """
    e = exp y
    t = total g
    e = multiply e t
    e = subtract g e
    """,
)


def _log_softmax_error_composition(g: Tensor, y: Tensor, *, axes: Axes) -> Tensor:
    return subtract(g, multiply(exp(y), sum(g, axes, keepdims=True)))


_log_softmax_error: Primitive = Primitive(
    "log_softmax_error",
    value=lambda g, y, axes: _LOG_SOFTMAX_ERROR.evaluate(y, g, axes=axes),
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


def picked(x: Tensor, classes: Tensor, axis: int) -> Tensor:
    """Return the element of x along `axis` that each of `classes` names, in one gather."""
    index = [leaf(place) for place in places(x.ndim, x.shape, axis)]
    index.insert(axis, classes)
    return getitem(x, tuple(index))


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
    y = _below_largest(x, (axis,))
    return subtract(log(sum(exp(y), axis)), picked(y, classes, axis))


_class_loss = Primitive(
    "class_loss",
    value=lambda x, classes, axis: _CLASS_LOSS.evaluate(x, classes, axes=(axis,)),
    shape=lambda x, classes, *, axis: (classes[0], x[1]),
    derivative=(
        lambda g, y, x, classes, *, axis: apply(_class_error, (g, x, classes), {"axis": axis}),
        None,
    ),
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


_STANDARDIZE = Recipe(
    "x share:number eps:number",
    """
    m = total x
    m = multiply m share
    y = subtract x m
    u = multiply y y
    v = total u
    v = multiply v share
    v = add v eps
    v = sqrt v
    y = divide y v
    """,
)


def _standardize_value(x: Array, axes: Axes, eps: float) -> Any:
    kind = x.dtype
    return _STANDARDIZE.evaluate(
        x, number(_share(x.shape, axes), kind), number(eps, kind), axes=axes
    )


def _deviation(centred: Tensor, axes: Axes, eps: float) -> Tensor:
    return sqrt(add(_mean(multiply(centred, centred), axes), eps))


def _standardize_composition(x: Tensor, *, axes: Axes, eps: float) -> Tensor:
    centred = subtract(x, _mean(x, axes))
    return divide(centred, _deviation(centred, axes, eps))


_standardize = Primitive(
    "standardize",
    value=_standardize_value,
    shape=_first,
    derivative=(
        lambda g, y, x, *, axes, eps: apply(_standardize_error, (g, x), {"axes": axes, "eps": eps}),
    ),
    lower=Composition(_standardize_composition),
)


_STANDARDIZE_ERROR = Recipe(
    "g x share:number eps:number",
    """
    m = total x
    m = multiply m share
    y = subtract x m
    u = multiply y y
    v = total u
    v = multiply v share
    v = add v eps
    v = sqrt v
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
    """,
)


def _standardize_error_value(g: Array, x: Array, *, axes: Axes, eps: float) -> Any:
    kind = x.dtype
    share = number(_share(x.shape, axes), kind)
    return _STANDARDIZE_ERROR.evaluate(g, x, share, number(eps, kind), axes=axes)


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
    shape=_first,
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
    """
    m = total x
    m = multiply m share
    y = subtract x m
    u = multiply y y
    v = total u
    v = multiply v share
    v = add v eps
    v = sqrt v
    y = divide y v
    y = multiply y w
    y = add y b
    """,
)


def _layer_norm_value(x: Array, weight: Array, bias: Array, *, axes: Axes, eps: float) -> Any:
    kind = x.dtype
    share = number(_share(x.shape, axes), kind)
    return _LAYER_NORM.evaluate(x, weight, bias, share, number(eps, kind), axes=axes)


_layer_norm = Primitive(
    "layer_norm",
    value=_layer_norm_value,
    shape=_first,
    derivative=(
        lambda g, y, x, weight, bias, *, axes, eps: apply(
            _standardize_error, (multiply(g, weight), x), {"axes": axes, "eps": eps}
        ),
        lambda g, y, x, weight, bias, *, axes, eps: multiply(g, standardize(x, axes, eps)),
        lambda g, y, x, weight, bias, *, axes, eps: g,
    ),
    lower=Composition(
        lambda x, weight, bias, *, axes, eps: add(multiply(standardize(x, axes, eps), weight), bias)
    ),
)


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor, axes: Axes, eps: float) -> Tensor:
    """Return standardize(x) * weight + bias, both of the last `axes`' shape and x's dtype."""
    return apply(_layer_norm, (x, weight, bias), {"axes": axes, "eps": eps})


softmax.primitive = _softmax  # type: ignore[attr-defined]
log_softmax.primitive = _log_softmax  # type: ignore[attr-defined]
