"""Sums of slices put back in their places, as what flows back to parts side by side: joined.

Each of them is a result full of zeros but for one region, and where the regions are all of it, the
sum is nothing but the slices one behind the other.
"""

from __future__ import annotations

from collections.abc import Sequence

from schuss.compiler.graph.graph import Node, made

__all__ = ["join_slices"]

_Region = tuple[range, ...]


def join_slices(node: Node) -> Node | None:
    """Return the slices that a sum puts back joined along one axis, if they are all of it."""
    parts: list[Node] = []
    waiting = [node]
    while waiting:
        x = waiting.pop()
        if x.op == "add" and all(y.shape == node.shape for y in x.inputs):
            waiting += x.inputs
        elif x.op == "unslice" and x.dtype == node.dtype:
            parts.append(x)
        else:
            return None
    regions = [_region(x) for x in parts]
    if any(region is None for region in regions):
        return None
    pairs = list(zip(parts, [r for r in regions if r is not None], strict=True))
    for axis in range(len(node.shape)):
        pairs.sort(key=lambda pair: pair[1][axis].start)
        if _cover([region for _, region in pairs], axis, node.shape):
            slices = [made("reshape", x.inputs[0], shape=tuple(map(len, r))) for x, r in pairs]
            return made("concat", *slices, axis=axis)
    return None


def _region(node: Node) -> _Region | None:
    """Return what a slice fills, for each axis; None where that is not plain."""
    template, shape = node.attributes["template"], node.shape
    if ... in template:
        at = template.index(...)
        missing = len(shape) - len(template) + 1
        template = (*template[:at], *[slice(None)] * missing, *template[at + 1 :])
    if len(template) > len(shape) or not all(isinstance(x, (int, slice)) for x in template):
        return None
    template = (*template, *[slice(None)] * (len(shape) - len(template)))
    found = tuple(_places(range(n), x) for x, n in zip(template, shape, strict=True))
    return found if all(r.step == 1 for r in found) else None


def _places(axis: range, index: int | slice) -> range:
    if isinstance(index, slice):
        return axis[index]
    return range(axis[index], axis[index] + 1)


def _cover(regions: Sequence[_Region], axis: int, shape: tuple[int, ...]) -> bool:
    """Whether regions lie one behind the other along an axis, and are all of the others."""
    ends = [0, *[region[axis].stop for region in regions]]
    starts = [region[axis].start for region in regions]
    whole = tuple(map(range, shape))
    others = {(*region[:axis], *region[axis + 1 :]) for region in regions}
    is_all = others == {(*whole[:axis], *whole[axis + 1 :])}
    return starts == ends[:-1] and ends[-1] == shape[axis] and is_all
