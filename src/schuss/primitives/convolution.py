"""Convolutions over channels-last arrays: three primitives that are each other's derivatives.

Of the sum over all positions and taps of x[read] * weight[tap] * g[position], each of the three
leaves one factor out. So the derivative of each is one of the others, to any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schuss.core import Array, Tensor
from schuss.lowering.kinds import Kernel
from schuss.primitives.base import Primitive, Spec, apply
from schuss.primitives.batching import expanded
from schuss.primitives.movement import permute_dims, reshape
from schuss.values import convolution as values
from schuss.values.convolution import Geometry

__all__ = ["convolution", "convolution_input", "convolution_weight", "geometry_of"]


def geometry_of(
    name: str, shapes: Sequence[tuple[int, ...]], attributes: dict[str, Any]
) -> Geometry:
    """Return the geometry of one of the three, from its name, its inputs' shapes and attributes."""
    first, second = shapes
    sizes = {
        "convolution": (first[1:-1], second[2:], attributes["size"]),
        "convolution_input": (attributes["size"], second[2:], first[1:-1]),
        "convolution_weight": (first[1:-1], attributes["size"], second[1:-1]),
    }[name]
    return Geometry(*sizes, attributes["stride"], attributes["padding"], attributes["dilation"])


def _value(name: str) -> Any:
    function = getattr(values, name)

    def value(first: Array, second: Array, **attributes: Any) -> Array:
        geometry = geometry_of(name, (first.shape, second.shape), attributes)
        found: Array = function(first, second, geometry, attributes["groups"])
        return found

    return value


def _shape(x: Spec, weight: Spec, *, size: tuple[int, ...], **_: Any) -> Spec:
    return (x[0][0], *size, weight[0][0]), x[1]


def _input_shape(g: Spec, weight: Spec, *, size: tuple[int, ...], groups: int, **_: Any) -> Spec:
    return (g[0][0], *size, weight[0][1] * groups), g[1]


def _weight_shape(x: Spec, g: Spec, *, size: tuple[int, ...], groups: int, **_: Any) -> Spec:
    return (g[0][-1], x[0][-1] // groups, *size), x[1]


def _spatial(x: Tensor) -> tuple[int, ...]:
    return x.shape[1:-1]


def _with(attributes: dict[str, Any], size: tuple[int, ...]) -> dict[str, Any]:
    return {**attributes, "size": size}


# Batching: pictures of the whole batch are one large batch; where the weights differ, too, each
# has groups of its own.


def _joined_pictures(x: Tensor) -> Tensor:
    return reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))


def _as_groups(x: Tensor) -> Tensor:
    """Put the batch's axis before the channels: (size, batch, ..., c) to (batch, ..., size * c)."""
    moved = permute_dims(x, (*range(1, x.ndim - 1), 0, x.ndim - 1))
    return reshape(moved, (*moved.shape[:-2], moved.shape[-2] * moved.shape[-1]))


def _from_groups(x: Tensor, size: int) -> Tensor:
    apart = reshape(x, (*x.shape[:-1], size, x.shape[-1] // size))
    return permute_dims(apart, (apart.ndim - 2, *range(apart.ndim - 2), apart.ndim - 1))


def _batch_pictures(
    primitive: Any, size: int, batched: Sequence[bool], inputs: Any, attributes: dict[str, Any]
) -> Tensor:
    """Batch a convolution of pictures with weights."""
    x, weight = inputs
    if not batched[1]:
        out = apply(primitive, (_joined_pictures(x), weight), attributes)
        return reshape(out, (size, x.shape[1], *out.shape[1:]))
    x, weight = expanded(size, batched, inputs)
    more = {**attributes, "groups": attributes["groups"] * size}
    out = apply(primitive, (_as_groups(x), _joined_pictures(weight)), more)
    return _from_groups(out, size)


def _batch_weight(
    primitive: Any, size: int, batched: Sequence[bool], inputs: Any, attributes: dict[str, Any]
) -> Tensor:
    """Batch the gradient of the weights: each of the batch has groups of its own."""
    x, g = expanded(size, batched, inputs)
    more = {**attributes, "groups": attributes["groups"] * size}
    out = apply(primitive, (_as_groups(x), _as_groups(g)), more)
    return reshape(out, (size, out.shape[0] // size, *out.shape[1:]))


_convolution = Primitive(
    "convolution",
    value=_value("convolution"),
    shape=_shape,
    derivative=(
        lambda g, y, x, weight, **a: convolution_input(g, weight, **_with(a, _spatial(x))),
        lambda g, y, x, weight, **a: convolution_weight(x, g, **_with(a, weight.shape[2:])),
    ),
    batch=_batch_pictures,
    lower=Kernel("convolution", is_row_major=True),
)
_convolution_input = Primitive(
    "convolution_input",
    value=_value("convolution_input"),
    shape=_input_shape,
    derivative=(
        lambda h, y, g, weight, **a: convolution(h, weight, **_with(a, _spatial(g))),
        lambda h, y, g, weight, **a: convolution_weight(h, g, **_with(a, weight.shape[2:])),
    ),
    batch=_batch_pictures,
    lower=Kernel("convolution_input", is_row_major=True),
)
_convolution_weight = Primitive(
    "convolution_weight",
    value=_value("convolution_weight"),
    shape=_weight_shape,
    derivative=(
        lambda h, y, x, g, **a: convolution_input(g, h, **_with(a, _spatial(x))),
        lambda h, y, x, g, **a: convolution(x, h, **_with(a, _spatial(g))),
    ),
    batch=_batch_weight,
    lower=Kernel("convolution_weight", is_row_major=True),
)


def convolution(x: Tensor, weight: Tensor, **attributes: Any) -> Tensor:
    """Return the cross-correlation of pictures with a kernel.

    Args:
        x: floats of shape (batch, *spatial, inputs).
        weight: shape (outputs, inputs / groups, *kernel), of x's dtype.
        attributes: stride, padding (zeros before the first element; those behind the last one
            follow from size) and dilation, a tuple each; groups; and size, that of the output.

    Returns:
        Shape (batch, *size, outputs).
    """
    return apply(_convolution, (x, weight), attributes)


def convolution_input(g: Tensor, weight: Tensor, **attributes: Any) -> Tensor:
    """Return the convolution's derivative by its input, which is the transposed convolution.

    Args:
        g: floats of shape (batch, *output, outputs).
        weight: shape (outputs, inputs / groups, *kernel), of g's dtype.
        attributes: as above, but that size is the input's.

    Returns:
        Shape (batch, *size, inputs).
    """
    return apply(_convolution_input, (g, weight), attributes)


def convolution_weight(x: Tensor, g: Tensor, **attributes: Any) -> Tensor:
    """Return the convolution's derivative by its weight.

    Args:
        x: floats of shape (batch, *spatial, inputs).
        g: shape (batch, *output, outputs), of x's dtype.
        attributes: as above, but that size is the kernel's.

    Returns:
        Shape (outputs, inputs / groups, *size).
    """
    return apply(_convolution_weight, (x, g), attributes)


convolution.primitive = _convolution  # type: ignore[attr-defined]
convolution_input.primitive = _convolution_input  # type: ignore[attr-defined]
convolution_weight.primitive = _convolution_weight  # type: ignore[attr-defined]
