"""Softmax and its logarithm: compositions that eager calls hurry.

Each is a composition of other primitives, and a trace sees nothing else, so that the compiler
fuses it with what is around it. But on small arrays five operations cost five times what one
costs, and their derivatives as much again: evaluated at once, each is a single node here.
"""

from __future__ import annotations

from schuss.core import TRACER, Tensor, TensorLike, float32, is_plain, leaf
from schuss.lowering.kinds import Composition
from schuss.primitives.base import Primitive, apply, as_tensor, astype, record
from schuss.primitives.elementwise import divide, exp, log, multiply, negative, subtract
from schuss.primitives.recipe import Recipe
from schuss.primitives.reduction import Axis, max, normalize_axes, require_elements, sum

Axes = tuple[int, ...]


def below_largest(x: Tensor, axes: Axes) -> Tensor:
    """Return x less its largest element along `axes`, from which no error flows back."""
    return subtract(x, max(x.detach(), axes, keepdims=True))


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
    e = exp(below_largest(x, axes))
    return divide(e, sum(e, axes, keepdims=True))


def _softmax_to_x(g: Tensor, y: Tensor, x: Tensor, *, axes: Axes) -> Tensor:
    if is_plain():
        return leaf(_SOFTMAX_ERROR.evaluate(g.array, y.array, axes=axes))
    return apply(softmax_error, (g, y), {"axes": axes})


_softmax = Primitive(
    "softmax",
    value=_SOFTMAX.evaluate,
    shape=lambda *specs, axes: specs[0],
    derivative=(_softmax_to_x,),
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


softmax_error: Primitive = Primitive(
    "softmax_error",
    value=_SOFTMAX_ERROR.evaluate,
    shape=lambda *specs, axes: specs[0],
    derivative=(
        lambda h, z, g, y, *, axes: apply(softmax_error, (h, y), {"axes": axes}),
        lambda h, z, g, y, *, axes: subtract(
            multiply(h, subtract(g, sum(multiply(g, y), axes, keepdims=True))),
            multiply(g, sum(multiply(h, y), axes, keepdims=True)),
        ),
    ),
    lower=Composition(_softmax_error_composition),
)


def softmax(x: TensorLike, axis: int = -1, *, dim: int | None = None) -> Tensor:
    """Return exp(x) divided by its sum along `axis`: positive numbers that add up to 1."""
    return _along(_softmax, _SOFTMAX, x, axis if dim is None else dim)


def _along(primitive: Primitive, recipe: Recipe, x: TensorLike, axis: Axis) -> Tensor:
    """Apply a primitive whose value is a recipe to x, as floats, along `axis`."""
    if not isinstance(x, Tensor):
        x = as_tensor(x)
    array = x.array
    axes = normalize_axes(axis, array.ndim, primitive.name)
    if not array.size:
        require_elements(array.shape, axes, primitive.name)
    if array.dtype.kind != "f":
        x = astype(x, float32)
        array = x.array
    if TRACER.get() is not None:
        return apply(primitive, (x,), {"axes": axes})
    out = recipe.evaluate(array, axes=axes)
    return record(primitive, (x,), {"axes": axes}, out, x.requires_grad)


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
    y = below_largest(x, axes)
    return subtract(y, log(sum(exp(y), axes, keepdims=True)))


def _log_softmax_to_x(g: Tensor, y: Tensor, x: Tensor, *, axes: Axes) -> Tensor:
    if is_plain():
        return leaf(_LOG_SOFTMAX_ERROR.evaluate(y.array, g.array, axes=axes))
    return apply(_log_softmax_error, (g, y), {"axes": axes})


_log_softmax = Primitive(
    "log_softmax",
    value=_LOG_SOFTMAX.evaluate,
    shape=lambda *specs, axes: specs[0],
    derivative=(_log_softmax_to_x,),
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
    shape=lambda *specs, axes: specs[0],
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
    return _along(_log_softmax, _LOG_SOFTMAX, x, axis if dim is None else dim)


softmax.primitive = _softmax  # type: ignore[attr-defined]
log_softmax.primitive = _log_softmax  # type: ignore[attr-defined]
