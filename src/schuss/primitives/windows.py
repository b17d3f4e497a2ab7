"""Largest elements of windows over channels-last arrays, and what flows back to where they were.

The place of an element is the number of its tap in the window, in row-major order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, int32
from schuss.lowering.kinds import Kernel
from schuss.primitives.base import NOT_DIFFERENTIABLE, Primitive, Spec, apply
from schuss.primitives.batching import expanded
from schuss.primitives.movement import reshape
from schuss.values import windows as values
from schuss.values.convolution import Geometry

__all__ = ["window_geometry", "window_max", "window_place", "window_put", "window_take"]


def window_geometry(shape: tuple[int, ...], attributes: dict[str, Any]) -> Geometry:
    """Return which position each tap reads.

    Args:
        shape: of the input, (batch, *spatial, channels).
        attributes: of one of the primitives.
    """
    a = attributes
    return Geometry(shape[1:-1], a["kernel"], a["out"], a["stride"], a["padding"], a["dilation"])


def _output(x: Spec, a: dict[str, Any]) -> tuple[int, ...]:
    return (x[0][0], *a["out"], x[0][-1])


def _value(function: Any) -> Any:
    def value(x: Array, *others: Array, **attributes: Any) -> Array:
        found: Array = function(x, *others, window_geometry(x.shape, attributes))
        return found

    return value


def _put_value(g: Array, place: Array, *, size: tuple[int, ...], **attributes: Any) -> Array:
    shape = (g.shape[0], *size, g.shape[-1])
    return values.put(g, place, window_geometry(shape, attributes))


def _batch(
    primitive: Any, size: int, batched: Sequence[bool], inputs: Any, attributes: dict[str, Any]
) -> Tensor:
    """Batch by joining the pictures of the whole batch."""
    given = expanded(size, batched, inputs)
    joined = tuple(reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:])) for x in given)
    out = apply(primitive, joined, attributes)
    return reshape(out, (size, out.shape[0] // size, *out.shape[1:]))


_window_place = Primitive(
    "window_place",
    value=_value(values.place),
    shape=lambda x, **a: (_output(x, a), np.dtype(int32)),
    derivative=NOT_DIFFERENTIABLE,
    batch=_batch,
    lower=Kernel("window_place", is_row_major=True),
)
_window_max = Primitive(
    "window_max",
    value=_value(values.maximum),
    shape=lambda x, **a: (_output(x, a), x[1]),
    derivative=(lambda g, y, x, **a: window_put(g, window_place(x, **a), size=x.shape[1:-1], **a),),
    batch=_batch,
    lower=Kernel("window_max", is_row_major=True),
)
_window_put = Primitive(
    "window_put",
    value=_put_value,
    shape=lambda g, place, *, size, **a: ((g[0][0], *size, g[0][-1]), g[1]),
    derivative=(lambda h, y, g, place, *, size, **a: window_take(h, place, **a), None),
    batch=_batch,
    lower=Kernel("window_put", is_row_major=True),
)
_window_take = Primitive(
    "window_take",
    value=_value(values.take),
    shape=lambda x, place, **a: (_output(x, a), x[1]),
    derivative=(lambda g, y, x, place, **a: window_put(g, place, size=x.shape[1:-1], **a), None),
    batch=_batch,
    lower=Kernel("window_take", is_row_major=True),
)


def window_max(x: Tensor, **attributes: Any) -> Tensor:
    """Return the largest element of each window; nan where one is.

    Args:
        x: floats of shape (batch, *spatial, channels).
        attributes: kernel, stride, padding (before the first element; what lies outside counts as
            -inf), dilation and out (the size of the output), a tuple each.

    Returns:
        Shape (batch, *out, channels).
    """
    return apply(_window_max, (x,), attributes)


def window_place(x: Tensor, **attributes: Any) -> Tensor:
    """Return the tap of the first largest element of each window, as int32; of the last nan."""
    return apply(_window_place, (x,), attributes)


def window_put(g: Tensor, place: Tensor, *, size: tuple[int, ...], **attributes: Any) -> Tensor:
    """Return zeros of spatial `size`, with each element of g added where its place is."""
    return apply(_window_put, (g, place), {"size": size, **attributes})


def window_take(x: Tensor, place: Tensor, **attributes: Any) -> Tensor:
    """Return the element of each window that is at its place."""
    return apply(_window_take, (x, place), attributes)


window_max.primitive = _window_max  # type: ignore[attr-defined]
window_place.primitive = _window_place  # type: ignore[attr-defined]
window_put.primitive = _window_put  # type: ignore[attr-defined]
window_take.primitive = _window_take  # type: ignore[attr-defined]
