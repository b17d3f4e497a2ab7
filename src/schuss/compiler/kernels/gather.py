"""Gather: the elements, or whole rows, that index arrays pick."""

from __future__ import annotations

import numpy as np

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import private_values
from schuss.compiler.graph.views import Layouts
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.index_arrays import IndexedPlaces
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.primitives.index_template import ARRAY

__all__ = ["Gather", "picks_one_of_each_row"]


class Gather(KernelDescriptor):
    """x[indices]; threads share the result's first axis."""

    def extent(self, node: Node) -> int:
        """Return the length of the result's first axis."""
        return node.shape[0] if node.shape else 1

    def private(self, node: Node, layouts: Layouts) -> frozenset[Node]:
        """Return the result, and where each row is picked from, what lies in rows."""
        axis = 0 if picks_one_of_each_row(node, node.inputs[0].shape) else None
        return private_values([(layouts.of(x), axis) for x in node.inputs]) | {node}

    def write(self, k: KernelEmitter) -> None:
        """Copy what the indices pick, in whole rows where they lie without gaps."""
        indices = [k.view(i) for i in range(1, len(k.node.inputs))]
        places = IndexedPlaces(k, k.view(0), indices, k.node.attributes["template"])
        if k.node.size == 0:
            return
        row = places.row(k.node.shape)
        with places.loops(k.node.shape, shared=bool(k.node.shape), whole_rows=row > 1) as at:
            if row > 1:
                k.copy(places.source, at.source, k.out, at.index, row)
            else:
                k.store(k.load(places.source, at.source), k.out, at.index)


def picks_one_of_each_row(node: Node, shape: tuple[int, ...]) -> bool:
    """Whether the indices of a gather from `shape`, or a scatter into it, name one of each row."""
    if len(shape) != 2 or tuple(node.attributes["template"]) != (ARRAY, ARRAY):
        return False
    rows, columns = node.inputs[1:]
    if rows.array is None or not rows.size == shape[0] == columns.size:
        return False
    return np.array_equal(rows.array.ravel(), np.arange(shape[0]))
