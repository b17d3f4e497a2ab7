"""Rules of padding for primitives that move elements."""

from __future__ import annotations

from typing import Any

from schuss.compiler.padding.axes import (
    PLACES,
    REPEATED,
    Axes,
    Axis,
    Differs,
    Rows,
    Shape,
    aligned,
    reshaped,
)
from schuss.compiler.padding.case import Case, Rule
from schuss.compiler.padding.index_rules import whole_index

__all__ = ["MOVEMENTS"]


def _reshape(case: Case) -> Axes:
    own, larger = case.node.shape, case.larger.shape
    if PLACES in case.axes[0] and _is_line(case.larger.inputs[0].shape) and _is_line(larger):
        return tuple(PLACES if n != 1 else None for n in larger)
    return reshaped(case.settled(0), case.node.inputs[0].shape, own, larger, case.lengths)


def _is_line(shape: Shape) -> bool:
    """Whether all axes but one have length 1."""
    return sum(n != 1 for n in shape) == 1


def _broadcast_to(case: Case) -> Axes:
    return aligned([case.operand(0)], case.node.shape, case.larger.shape)


def _permute_dims(case: Case) -> Axes:
    case.require_equal()
    return tuple(case.axes[0][a] for a in case.node.attributes["axes"])


def _flip(case: Case) -> Axes:
    case.require_equal()
    if any(isinstance(case.axes[0][a], Rows) for a in case.node.attributes["axes"]):
        raise Differs
    return case.axes[0]


def _sliced(case: Case, axis: Axis, own: tuple[int, Any], larger: tuple[int, Any]) -> Axis:
    """Return what a slice leaves of an axis, given each of its lengths and slices."""
    (n, item), (most, item_at_capacity) = own, larger
    mine, others = range(n)[item], range(most)[item_at_capacity]
    if len(mine) == n and len(others) == most and mine == range(n) and others == range(most):
        return axis
    if axis is REPEATED:
        return None if len(mine) == len(others) else REPEATED
    if isinstance(axis, Rows) and not axis.is_prefix:
        raise Differs
    if mine == others:
        return None
    if not mine or mine != others[: len(mine)]:
        raise Differs
    return case.lengths.rows(len(mine), len(others))


def _slice(case: Case) -> Axes:
    axes, own, larger = case.operand(0)
    items, others = (
        whole_index(node.attributes["template"], len(own)) for node in (case.node, case.larger)
    )
    if len(items) != len(others):
        raise Differs
    found: list[Axis] = []
    a = 0
    for item, other in zip(items, others, strict=True):
        if type(item) is not type(other):
            raise Differs
        if item is None:
            found.append(None)
            continue
        if isinstance(item, slice):
            found.append(_sliced(case, axes[a], (own[a], item), (larger[a], other)))
        else:
            _require_one_place(axes[a], range(own[a])[item], range(larger[a])[other])
        a += 1
    return tuple(found)


def _require_one_place(axis: Axis, own: int, larger: int) -> None:
    """Raise Differs unless places along an axis mean the same element."""
    is_turned = isinstance(axis, Rows) and not axis.is_prefix
    if axis is not REPEATED and (own != larger or is_turned):
        raise Differs


def _unslice(case: Case) -> Axes:
    out, most = case.node.shape, case.larger.shape
    items, others = (
        whole_index(node.attributes["template"], len(out)) for node in (case.node, case.larger)
    )
    if len(items) != len(others):
        raise Differs
    found: list[Axis] = []
    # Which axes of the result, and of what is put into it, come next.
    a = g = 0
    for item, other in zip(items, others, strict=True):
        if type(item) is not type(other):
            raise Differs
        if item is not None:
            is_slice = isinstance(item, slice)
            found.append(_filled(case, (out[a], item), (most[a], other), g if is_slice else None))
            a += 1
        g += item is None or isinstance(item, slice)
    return tuple(found)


def _filled(case: Case, own: tuple[int, Any], larger: tuple[int, Any], source: int | None) -> Axis:
    """Return an axis of zeros, but for some places, given each of its lengths and indices.

    Args:
        case: has what is put there.
        own: the axis's length, and the index.
        larger: the same at capacity.
        source: which axis is put there, None for a single place.
    """
    (n, item), (most, item_at_capacity) = own, larger
    mine, others = range(n)[item], range(most)[item_at_capacity]
    given = None if source is None else case.axes[0][source]
    if mine == range(n) and others == range(most):
        return given
    axis = None if n == most else case.lengths.rows(n, most)
    if mine == others and given is None:
        return axis
    if source is None or not mine or mine != others[: len(mine)]:
        raise Differs
    given = case.settled(0)[source]
    if not (isinstance(given, Rows) and given.is_prefix):
        raise Differs
    case.mask(0, [source], 0)
    return axis


def _pad(case: Case) -> Axes:
    case.require_equal()
    for axis, widths in zip(case.axes[0], case.node.attributes["widths"], strict=True):
        if axis is not None and any(widths):
            raise Differs
    return case.axes[0]


def _concat(case: Case) -> Axes:
    case.require_equal()
    joined = case.node.attributes["axis"]
    if any(axes[joined] is not None for axes in case.axes):
        raise Differs
    found: list[Axis] = []
    for a, axis in enumerate(zip(*case.axes, strict=True)):
        met = set(axis) - {REPEATED}
        if a != joined and len(met) > 1:
            raise Differs
        found.append(None if a == joined else met.pop() if met else REPEATED)
    return tuple(found)


def _stack(case: Case) -> Axes:
    case.require_equal()
    place = case.node.attributes["axis"]
    first = case.node.inputs[0].shape, case.larger.inputs[0].shape
    axes = aligned([case.operand(i) for i in range(len(case.axes))], *first)
    return (*axes[:place], None, *axes[place:])


MOVEMENTS: dict[str, Rule] = {
    "broadcast_to": _broadcast_to,
    "concat": _concat,
    "flip": _flip,
    "pad": _pad,
    "permute_dims": _permute_dims,
    "reshape": _reshape,
    "slice": _slice,
    "stack": _stack,
    "unslice": _unslice,
}
