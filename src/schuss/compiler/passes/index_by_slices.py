"""Indices for every element that pick whole slices: one index for each slice.

`x.scatter_add(0, index.unsqueeze(1).expand(-1, n), y)`, as networks on graphs have it, names a row
for each element, and so does the gather of its gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.compiler.graph.graph import Node, made
from schuss.compiler.graph.views import Layouts
from schuss.lowering.kinds import VIEW
from schuss.primitives.index_template import ARRAY

__all__ = ["by_slices"]


def by_slices(node: Node) -> Node | None:
    """Return a gather or a scatter by an index along one axis, where it says no more than that."""
    x, *indices = node.inputs
    picked, picking = (node, x) if node.op == "scatter_add" else (x, node)
    axes = len(picked.shape)
    if axes < 2 or tuple(node.attributes["template"]) != (ARRAY,) * axes:
        return None
    if len(picking.shape) != axes:
        return None
    along = [a for a, i in enumerate(indices) if not _counts(i, a, picking.shape)]
    if len(along) != 1:
        return None
    (axis,) = along
    index = _of_slices(indices[axis], axis, picking.shape)
    if index is None:
        return None
    lengths = zip(picking.shape, picked.shape, strict=True)
    template: list[Any] = [slice(None) if m == n else slice(0, m) for m, n in lengths]
    template[axis] = ARRAY
    while template[-1] == slice(None):
        template.pop()
    return made(node.op, x, index, **{**node.attributes, "template": tuple(template)})


def _counts(index: Node, axis: int, shape: tuple[int, ...]) -> bool:
    """Whether an index is the position along an axis."""
    n, after = shape[axis], len(shape) - axis - 1
    if index.array is None or index.shape != (n, *[1] * after):
        return False
    return np.array_equal(index.array.ravel(), np.arange(n))


def _of_slices(index: Node, axis: int, shape: tuple[int, ...]) -> Node | None:
    """Return what is repeated along all axes but one, as a vector; None where that differs."""
    if index.shape != shape or not index.size:
        return None
    if not _repeats(index, axis):
        return None
    only = tuple(slice(None) if a == axis else 0 for a in range(len(shape)))
    return made("slice", index, template=only)


def _repeats(index: Node, axis: int) -> bool:
    """Whether an index is a view that does not move along the other axes."""
    movements = []
    x = index
    while x.primitive is not None and x.primitive.lower is VIEW:
        movements.append(x)
        x = x.inputs[0]
    view = Layouts().of(x)
    for movement in reversed(movements):
        moved = Layouts.moved(movement, view)
        if moved is None:
            return False
        view = moved
    steps = zip(view.shape, view.strides, strict=True)
    return all(a == axis or n == 1 or not step for a, (n, step) in enumerate(steps))
