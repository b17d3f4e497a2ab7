"""Rules of padding for gathers and scatters by index arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss.compiler.padding.axes import PLACES, Axes, Axis, Differs, Rows, Shape, aligned
from schuss.compiler.padding.case import Case, Mask, Rule
from schuss.primitives.index_template import ARRAY

__all__ = ["INDEXING", "whole_index"]


def whole_index(template: tuple[Any, ...], ndim: int) -> list[Any]:
    """Return an index with an item for each axis, but for new ones, and no ellipsis."""
    taken = sum(item is not None and item is not Ellipsis for item in template)
    rest = [slice(None)] * (ndim - taken)
    place = next((i for i, item in enumerate(template) if item is Ellipsis), None)
    if place is None:
        return [*template, *rest]
    return [*template[:place], *rest, *template[place + 1 :]]


def _index_axes(case: Case, first: int, pointed: Sequence[Axis]) -> Axes:
    """Return the axes of index arrays, which are broadcast together.

    Args:
        case: has them as its inputs.
        first: the first of them.
        pointed: the axes that each points into.
    """
    operands = []
    for i, target in enumerate(pointed, first):
        axes, own, larger = case.operand(i)
        if case.follows(i, target):
            # Places in an axis follow each other as its elements do.
            axes = tuple(target if x is PLACES else x for x in axes)
        operands.append((case.settled_places(axes, own, larger), own, larger))
    own = np.broadcast_shapes(*[shape for _, shape, _ in operands])
    larger = np.broadcast_shapes(*[shape for _, _, shape in operands])
    return aligned(operands, own, larger)


def _indexed_items(case: Case, ndim: int) -> tuple[list[Any], int]:
    """Return the items of a template with index arrays, and where these put their axes.

    Raises:
        Differs: where others than whole axes are picked otherwise.
    """
    case.require_equal("template")
    items = whole_index(case.node.attributes["template"], ndim)
    if any(item is not ARRAY and item != slice(None) for item in items):
        raise Differs
    arrays = [a for a, item in enumerate(items) if item is ARRAY]
    # Apart from each other, they come first.
    return items, arrays[0] if arrays == list(range(arrays[0], arrays[-1] + 1)) else 0


def _gather(case: Case) -> Axes:
    _, own, larger = case.operand(0)
    axes = case.without_places(0)
    items, before = _indexed_items(case, len(own))
    arrays = [a for a, item in enumerate(items) if item is ARRAY]
    pointed = [case.lengths.settled(axes[a], own[a], larger[a]) for a in arrays]
    index = _index_axes(case, 1, pointed)
    for place, (a, axis) in enumerate(zip(arrays, pointed, strict=True), 1):
        case.index(place, axis, own[a], larger[a])
    kept = [axis for a, axis in enumerate(axes) if a not in arrays]
    return (*kept[:before], *index, *kept[before:])


def _scatter_add(case: Case) -> Axes:
    own, larger = case.node.shape, case.larger.shape
    items, before = _indexed_items(case, len(own))
    arrays = [a for a, item in enumerate(items) if item is ARRAY]
    _, g_own, g_larger = case.operand(0)
    g = case.without_places(0)
    many = len(g) - (len(items) - len(arrays))
    picked = range(before, before + many)
    pointed = []
    for place, a in enumerate(arrays, 1):
        axis = None if own[a] == larger[a] else _pointed(case, place, (own[a], larger[a]), picked)
        pointed.append(axis)
    index = _index_axes(case, 1, pointed)
    shapes = [(g_own[a], g_larger[a]) for a in picked]
    mine = aligned(
        [(g[before : before + many], *_transposed(shapes)), (index, *_transposed(shapes))],
        *_transposed(shapes),
    )
    # What lies beyond adds nothing, wherever it goes.
    settled = [case.lengths.settled(x, *shape) for x, shape in zip(mine, shapes, strict=True)]
    masked = [(a, x) for a, x in zip(picked, settled, strict=True) if isinstance(x, Rows)]
    if masked:
        case.needs.append(Mask(0, tuple(masked), 0))
    for place, (a, axis) in enumerate(zip(arrays, pointed, strict=True), 1):
        case.index(place, axis, own[a], larger[a])
    kept = iter([axis for a, axis in enumerate(g) if a not in picked])
    into = iter(pointed)
    return tuple(next(into) if item is ARRAY else next(kept) for item in items)


def _transposed(pairs: list[tuple[int, int]]) -> tuple[Shape, Shape]:
    return tuple(n for n, _ in pairs), tuple(m for _, m in pairs)


def _pointed(case: Case, place: int, lengths: tuple[int, int], picked: range) -> Axis:
    """Return the axis of the result that an index array points into, where it varies.

    Places in it follow each other as the elements do that are added there.
    """
    axes = case.axes[place]
    if PLACES in axes:
        axis = case.axes[0][picked.stop - len(axes) + axes.index(PLACES)]
        if isinstance(axis, Rows):
            return axis
    return case.lengths.rows(*lengths)


INDEXING: dict[str, Rule] = {"gather": _gather, "scatter_add": _scatter_add}
