"""Functions of the standard that move elements."""

from __future__ import annotations

from collections.abc import Sequence

from schuss.core import Tensor, TensorLike
from schuss.functions import shapes
from schuss.primitives import movement, reduction

__all__ = ["broadcast_arrays", "broadcast_to", "concat", "expand_dims", "flip", "moveaxis"]
__all__ += ["permute_dims", "repeat", "reshape", "roll", "squeeze", "stack", "tile", "unstack"]

Axis = int | tuple[int, ...]


def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """Broadcast tensors against each other to one shape."""
    return list(shapes.broadcast_arrays(*arrays))


def broadcast_to(x: Tensor, /, shape: tuple[int, ...]) -> Tensor:
    """Repeat `x` along axes of length 1, and new leading ones, up to `shape`."""
    return reduction.broadcast_to(x, shape)


def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Tensor:
    """Join tensors along `axis`, or all of their elements where it is None."""
    if axis is None:
        return movement.concat([movement.reshape(x, (-1,)) for x in arrays], axis=0)
    return movement.concat(arrays, axis=axis)


def expand_dims(x: Tensor, /, axis: int) -> Tensor:
    """Insert an axis of length 1 at `axis`."""
    return shapes.expand_dims(x, axis)


def flip(x: Tensor, /, *, axis: Axis | None = None) -> Tensor:
    """Reverse the order along `axis`, or along all."""
    return movement.flip(x, axis=axis)


def moveaxis(x: Tensor, source: Axis, destination: Axis, /) -> Tensor:
    """Move axes to new places; the others keep their order."""
    return shapes.moveaxis(x, source, destination)


def permute_dims(x: Tensor, /, axes: tuple[int, ...]) -> Tensor:
    """Return `x` with its axes in the order `axes`."""
    return movement.permute_dims(x, axes)


def repeat(x: Tensor, repeats: int | TensorLike, /, *, axis: int | None = None) -> Tensor:
    """Repeat each element, or each slice along `axis`, `repeats` times."""
    return shapes.repeat(x, repeats, axis=axis)


def reshape(x: Tensor, /, shape: tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """Return the same elements in another shape; one length may be -1 and is worked out."""
    return movement.reshape(x, shape, copy=copy)


def roll(x: Tensor, /, shift: Axis, *, axis: Axis | None = None) -> Tensor:
    """Shift elements along `axis`; those that leave at one end return at the other."""
    return shapes.roll(x, shift, axis=axis)


def squeeze(x: Tensor, /, axis: Axis) -> Tensor:
    """Remove axes of length 1."""
    return shapes.squeeze(x, axis)


def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Tensor:
    """Join tensors along a new axis."""
    return movement.stack(arrays, axis=axis)


def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Tensor:
    """Repeat the whole of `x` along each axis."""
    return shapes.tile(x, repetitions)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """Split along `axis` into a tuple of tensors without it."""
    return shapes.unstack(x, axis=axis)
