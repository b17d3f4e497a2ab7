"""Axes whose lengths vary: how the elements of a value lie in the same value of larger lengths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = [
    "PLACES",
    "REPEATED",
    "Axes",
    "Axis",
    "Differs",
    "Lengths",
    "Rows",
    "aligned",
    "reshaped",
]

Shape: TypeAlias = tuple[int, ...]


class Differs(Exception):  # noqa: N818  # a signal, and never shown
    """Two graphs, of smaller and of larger lengths, are not known to compute the same."""


@dataclass(frozen=True)
class Rows:
    """An axis that is joined of lengths that vary, and of others between them.

    Args:
        parts: each length that varies, as (elements of the axes between it and the one before,
            which of the lengths that vary it is).
        block: elements of the axes after the last one.
    """

    parts: tuple[tuple[int, int], ...]
    block: int = 1

    @staticmethod
    def of(length: int, block: int = 1) -> Rows:
        """Return an axis of one length that varies times `block`."""
        return Rows(((1, length),), block)

    @property
    def is_prefix(self) -> bool:
        """Whether an element has the same place whatever the length is."""
        return len(self.parts) == 1 and self.parts[0][0] == 1

    def split(self, lengths: Shape) -> Shape:
        """Return the axes that it is joined of, for the lengths that vary."""
        return (*[n for outer, i in self.parts for n in (outer, lengths[i])], self.block)


# An axis along which all elements are equal: it does not matter which of them is which.
REPEATED: Literal["repeated"] = "repeated"
# An axis of a constant whose elements are their own places: those in any axis of its length.
PLACES: Literal["places"] = "places"
# None for one whose length stays.
Axis: TypeAlias = Rows | Literal["repeated", "places"] | None
Axes: TypeAlias = tuple[Axis, ...]


@dataclass(frozen=True)
class Lengths:
    """The lengths that vary.

    Args:
        own: of a call.
        capacity: of the program that serves it, each larger than its own.
    """

    own: Shape
    capacity: Shape

    def of(self, axis: Rows) -> tuple[int, int]:
        """Return how long an axis is, of its own and at capacity."""
        return math.prod(axis.split(self.own)), math.prod(axis.split(self.capacity))

    def settled(self, axis: Axis, own: int, larger: int) -> Rows | None:
        """Return an axis of these lengths as one with an order, where it may have any.

        Raises:
            Differs: where its lengths are no multiple of a length that varies.
        """
        return axis if axis is None or isinstance(axis, Rows) else self.rows(own, larger)

    def rows(self, own: int, larger: int) -> Rows:
        """Return which length it is that an axis of these lengths is a multiple of.

        Raises:
            Differs: where there is none.
        """
        for number, (n, most) in enumerate(zip(self.own, self.capacity, strict=True)):
            if own % n == 0 and own // n * most == larger:
                return Rows.of(number, own // n)
        raise Differs

    def check(self, axes: Axes, own: Shape, larger: Shape) -> None:
        """Raise Differs unless shapes are those of a value with these axes."""
        if not len(axes) == len(own) == len(larger):
            raise Differs
        for axis, n, most in zip(axes, own, larger, strict=True):
            if isinstance(axis, Rows) and self.of(axis) != (n, most):
                raise Differs
            if (axis is None) is not (n == most):
                raise Differs


def aligned(operands: Sequence[tuple[Axes, Shape, Shape]], own: Shape, larger: Shape) -> Axes:
    """Return the axes of values that are broadcast together.

    Args:
        operands: the axes of each, its shape, and its larger one.
        own: the shape that comes out.
        larger: the larger one.

    Raises:
        Differs: where elements of one meet others than they do at the larger lengths.
    """
    found: list[Axis] = []
    for a in range(-len(own), 0):
        met: set[Axis] = set()
        for axes, shape, most in operands:
            if len(shape) >= -a and (shape[a], most[a]) != (1, 1):
                met.add(axes[a])
        if own[a] == larger[a]:
            axis: Axis = None
            if not met <= {None}:
                raise Differs
        else:
            axes_met = met - {REPEATED}
            if len(axes_met) > 1:
                raise Differs
            axis = axes_met.pop() if axes_met else REPEATED
            if axis is None:
                raise Differs
        found.append(axis)
    return tuple(found)


class _Factors:
    """The lengths of a shape's axes in order: numbers, between lengths that vary."""

    def __init__(self, axes: Axes, shape: Shape) -> None:
        self._varying: list[int] = []
        self._between = [1]
        for axis, n in zip(axes, shape, strict=True):
            if not isinstance(axis, Rows):
                self._between[-1] *= n
                continue
            for outer, length in axis.parts:
                self._between[-1] *= outer
                self._varying.append(length)
                self._between.append(1)
            self._between[-1] *= axis.block

    @property
    def is_empty(self) -> bool:
        """Whether all are taken."""
        return not self._varying and self._between == [1]

    def take_number(self, n: int) -> None:
        """Take an axis whose length stays."""
        if n == 0 or self._between[0] % n:
            raise Differs
        self._between[0] //= n

    def take_rows(self, own: int, larger: int, lengths: Lengths) -> Rows:
        """Take an axis of these lengths, with as many of those that vary as it takes."""
        parts: list[tuple[int, int]] = []
        while self._varying:
            parts.append((self._between.pop(0), self._varying.pop(0)))
            n, most = lengths.of(Rows(tuple(parts)))
            block, rest = divmod(own, n)
            if not rest and block * most == larger:
                self.take_number(block)
                return Rows(tuple(parts), block)
        raise Differs


def reshaped(axes: Axes, shape: Shape, own: Shape, larger: Shape, lengths: Lengths) -> Axes:
    """Return the axes of a value of `shape` in its order in shape `own`, which becomes `larger`.

    Args:
        axes: settled ones.
        shape: of the value.
        own: the shape it gets.
        larger: the shape it gets at capacity.
        lengths: those that vary.

    Raises:
        Differs: where an axis would be cut or joined with another that varies.
    """
    if math.prod(shape) == 0:
        raise Differs
    left = _Factors(axes, shape)
    found: list[Axis] = []
    for n, most in zip(own, larger, strict=True):
        if n == most:
            left.take_number(n)
            found.append(None)
        else:
            found.append(left.take_rows(n, most, lengths))
    if not left.is_empty:
        raise Differs
    return tuple(found)
