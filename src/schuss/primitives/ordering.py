"""The primitive that says when a value may be used: not before another one is there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schuss.core import TRACER, Array, Tensor
from schuss.lowering.kinds import VIEW
from schuss.primitives.base import Primitive, apply

__all__ = ["AFTER", "after"]


def _value(x: Array, *_: Array) -> Array:
    return x


def _batch(
    primitive: Any, size: int, batched: Sequence[bool], inputs: Any, attributes: dict[str, Any]
) -> Tensor:
    x, other = inputs
    return apply(primitive, (x, other), attributes) if batched[0] else x


AFTER = Primitive(
    "after",
    value=_value,
    shape=lambda x, other: x,
    derivative=(lambda g, y, x, other: g, None),
    batch=_batch,
    lower=VIEW,
)


def after(x: Tensor, other: Tensor) -> Tensor:
    """Return x, which a compiled program takes for another value than x, and reads after `other`.

    What is computed of it is computed anew, and not before `other` is there, whatever was computed
    of x itself. Eager evaluation has that order anyway.

    Args:
        x: any shape.
        other: any shape.
    """
    return x if TRACER.get() is None else apply(AFTER, (x, other), {})
