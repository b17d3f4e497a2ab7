"""Layers that put elements around sequences, pictures and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.functional.convolution import lengths
from schuss.nn.module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    """What the layers have in common."""

    axes: ClassVar[int]
    mode: ClassVar[str] = "constant"
    value: float | None = None
    padding: tuple[int, ...]

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        owner = type(self).__name__
        self.padding = lengths(owner, "padding", padding, 2 * self.axes, -(1 << 62))

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, *spatial), or without batch, with more around it.

        Raises:
            ValueError: if x has another number of axes.
        """
        if self.mode != "constant" and input.ndim not in (self.axes + 1, self.axes + 2):
            raise ValueError(
                f"{type(self).__name__}: expected x of {self.axes + 1} or {self.axes + 2} axes, "
                f"got shape {input.shape}."
            )
        return functional.pad(input, self.padding, self.mode, self.value)

    def extra_repr(self) -> str:
        """Return the options."""
        return f"{self.padding}" + ("" if self.value is None else f", value={self.value}")


class _ConstantPad(_Pad):
    """Puts a value there."""

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value


class ConstantPad1d(_ConstantPad):
    """Put a value around sequences.

    Args:
        padding: how many at all ends, or (left, right); negative numbers take off.
        value: what is put there.

    >>> from schuss import nn, ones
    >>> nn.ConstantPad1d(1, 0.5)(ones((1, 1, 4))).shape
    (1, 1, 6)
    """

    axes = 1


class ConstantPad2d(_ConstantPad):
    """Put a value around pictures.

    Args:
        padding: how many at all ends, or (left, right, top, bottom); negative numbers take off.
        value: what is put there.

    >>> from schuss import nn, ones
    >>> nn.ConstantPad2d(1, 0.5)(ones((1, 1, 4, 4))).shape
    (1, 1, 6, 6)
    """

    axes = 2


class ConstantPad3d(_ConstantPad):
    """Put a value around volumes.

    Args:
        padding: how many at all ends, or (left, right, top, bottom, front, back); negative
            numbers take off.
        value: what is put there.

    >>> from schuss import nn, ones
    >>> nn.ConstantPad3d(1, 0.5)(ones((1, 1, 4, 4, 4))).shape
    (1, 1, 6, 6, 6)
    """

    axes = 3


class ZeroPad1d(_Pad):
    """Put zeros around sequences.

    Args:
        padding: how many at all ends, or (left, right); negative numbers take off.

    >>> from schuss import nn, ones
    >>> nn.ZeroPad1d(1)(ones((1, 1, 4))).shape
    (1, 1, 6)
    """

    axes = 1


class ZeroPad2d(_Pad):
    """Put zeros around pictures.

    Args:
        padding: how many at all ends, or (left, right, top, bottom); negative numbers take off.

    >>> from schuss import nn, ones
    >>> nn.ZeroPad2d(1)(ones((1, 1, 4, 4))).shape
    (1, 1, 6, 6)
    """

    axes = 2


class ZeroPad3d(_Pad):
    """Put zeros around volumes.

    Args:
        padding: how many at all ends, or (left, right, top, bottom, front, back); negative
            numbers take off.

    >>> from schuss import nn, ones
    >>> nn.ZeroPad3d(1)(ones((1, 1, 4, 4, 4))).shape
    (1, 1, 6, 6, 6)
    """

    axes = 3


class ReflectionPad1d(_Pad):
    """Put their reflection, without the outermost element around sequences.

    Args:
        padding: how many at all ends, or (left, right); negative numbers take off.

    >>> from schuss import nn, ones
    >>> nn.ReflectionPad1d(1)(ones((1, 1, 4))).shape
    (1, 1, 6)
    """

    axes = 1
    mode = "reflect"


class ReflectionPad2d(_Pad):
    """Put their reflection, without the outermost element around pictures.

    Args:
        padding: how many at all ends, or (left, right, top, bottom); negative numbers take off.

    >>> from schuss import nn, ones
    >>> nn.ReflectionPad2d(1)(ones((1, 1, 4, 4))).shape
    (1, 1, 6, 6)
    """

    axes = 2
    mode = "reflect"


class ReflectionPad3d(_Pad):
    """Put their reflection, without the outermost element around volumes.

    Args:
        padding: how many at all ends, or (left, right, top, bottom, front, back); negative
            numbers take off.

    >>> from schuss import nn, ones
    >>> nn.ReflectionPad3d(1)(ones((1, 1, 4, 4, 4))).shape
    (1, 1, 6, 6, 6)
    """

    axes = 3
    mode = "reflect"


class ReplicationPad1d(_Pad):
    """Put their outermost elements around sequences.

    Args:
        padding: how many at all ends, or (left, right); negative numbers take off.

    >>> from schuss import nn, ones
    >>> nn.ReplicationPad1d(1)(ones((1, 1, 4))).shape
    (1, 1, 6)
    """

    axes = 1
    mode = "replicate"


class ReplicationPad2d(_Pad):
    """Put their outermost elements around pictures.

    Args:
        padding: how many at all ends, or (left, right, top, bottom); negative numbers take off.

    >>> from schuss import nn, ones
    >>> nn.ReplicationPad2d(1)(ones((1, 1, 4, 4))).shape
    (1, 1, 6, 6)
    """

    axes = 2
    mode = "replicate"


class ReplicationPad3d(_Pad):
    """Put their outermost elements around volumes.

    Args:
        padding: how many at all ends, or (left, right, top, bottom, front, back); negative
            numbers take off.

    >>> from schuss import nn, ones
    >>> nn.ReplicationPad3d(1)(ones((1, 1, 4, 4, 4))).shape
    (1, 1, 6, 6, 6)
    """

    axes = 3
    mode = "replicate"


class CircularPad1d(_Pad):
    """Put what is at their other end around sequences.

    Args:
        padding: how many at all ends, or (left, right); negative numbers take off.

    >>> from schuss import nn, ones
    >>> nn.CircularPad1d(1)(ones((1, 1, 4))).shape
    (1, 1, 6)
    """

    axes = 1
    mode = "circular"


class CircularPad2d(_Pad):
    """Put what is at their other end around pictures.

    Args:
        padding: how many at all ends, or (left, right, top, bottom); negative numbers take off.

    >>> from schuss import nn, ones
    >>> nn.CircularPad2d(1)(ones((1, 1, 4, 4))).shape
    (1, 1, 6, 6)
    """

    axes = 2
    mode = "circular"


class CircularPad3d(_Pad):
    """Put what is at their other end around volumes.

    Args:
        padding: how many at all ends, or (left, right, top, bottom, front, back); negative
            numbers take off.

    >>> from schuss import nn, ones
    >>> nn.CircularPad3d(1)(ones((1, 1, 4, 4, 4))).shape
    (1, 1, 6, 6, 6)
    """

    axes = 3
    mode = "circular"
