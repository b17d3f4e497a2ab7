"""Varying lengths: which axes of a function's arguments change from call to call, and together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from schuss.compiler.padding.axes import Axes, Axis, Rows, Shape

__all__ = ["VaryingLengths", "axes_of_inputs", "capacity_for"]

# An axis of an argument: the argument's number, and the axis's.
Place: TypeAlias = tuple[int, int]
# So many lengths of an axis are seen before it counts as one that varies.
_ENOUGH = 3
# The least capacity, and the largest: a program for so many rows takes long in any case.
_LEAST, _MOST = 10, 65_536


def capacity_for(length: int) -> int | None:
    """Return the length that a program has for a length that varies, always a larger one.

    It is 5 or 7 times a power of two, so that it fits powers of two, which are met most, closely.
    None where a program of its own is right.

    >>> [capacity_for(n) for n in (1, 9, 10, 32, 100, 512)]
    [10, 10, 14, 40, 112, 640]
    """
    if not 0 < length < _MOST:
        return None
    most = _LEAST
    while most <= length:
        # From 5 to 7 times a power of two, and on to 10 times it.
        most = most * 7 // 5 if most % 5 == 0 else most * 10 // 7
    return most


def axes_of_inputs(shapes: Sequence[Shape], groups: Sequence[Sequence[Place]]) -> list[Axes]:
    """Return the axes of arguments, of which those of each group have one length that varies."""
    length_of = {place: number for number, group in enumerate(groups) for place in group}

    def axis(place: Place) -> Axis:
        return Rows.of(length_of[place]) if place in length_of else None

    return [tuple(axis((i, a)) for a in range(len(shape))) for i, shape in enumerate(shapes)]


class VaryingLengths:
    """Finds the axes of one function's arguments whose lengths vary, from the shapes of calls.

    Axes that had the same length in every call vary together, as those of rows and their labels.
    """

    def __init__(self) -> None:
        self._groups: list[tuple[tuple[Place, ...], frozenset[int]]] = []
        self._is_first = True

    def note(self, shapes: Sequence[Shape]) -> None:
        """Note a call with arguments of these shapes."""
        if self._is_first:
            every = tuple((i, a) for i, shape in enumerate(shapes) for a in range(len(shape)))
            self._groups, self._is_first = [(every, frozenset())], False
        found: list[tuple[tuple[Place, ...], frozenset[int]]] = []
        for places, seen in self._groups:
            by_length: dict[int, list[Place]] = {}
            for i, a in places:
                by_length.setdefault(shapes[i][a], []).append((i, a))
            for length, together in by_length.items():
                met = seen if len(seen) >= _ENOUGH else seen | {length}
                found.append((tuple(together), met))
        self._groups = found

    @property
    def groups(self) -> tuple[tuple[Place, ...], ...]:
        """The axes that vary, those together that do so together."""
        return tuple(sorted(places for places, seen in self._groups if len(seen) >= _ENOUGH))
