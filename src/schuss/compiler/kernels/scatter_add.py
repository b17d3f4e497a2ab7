"""Scatter that adds, in the order of the indices: the gradient of a gather."""

from __future__ import annotations

import math

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import private_values
from schuss.compiler.graph.views import Layouts
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.index_arrays import IndexedPlaces, expanded
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.lowering.llvm_types import kind_of

__all__ = ["ScatterAdd"]

# Columns that one thread takes at least: a cache line of float32.
_COLUMNS = 16
# From this length on the first axis is shared.
_ROWS = 8


class ScatterAdd(KernelDescriptor):
    """Zeros, with each element of g added where the indices say.

    Threads share the first axis where the indices leave it alone, or else the columns: several
    indices may name a row.
    """

    def extent(self, node: Node) -> int:
        """Return the length of the first axis, or how many groups of columns there are."""
        if _keeps_first_axis(node):
            return node.shape[0]
        return max(-(-node.shape[-1] // _COLUMNS), 1) if _has_columns(node) else 1

    def private(self, node: Node, layouts: Layouts) -> frozenset[Node]:
        """Return the result and what is added, where threads share the first axis."""
        if not _keeps_first_axis(node):
            return frozenset()
        views = [(layouts.of(x), None if i else 0) for i, x in enumerate(node.inputs)]
        return private_values(views) | {node}

    def write(self, k: KernelEmitter) -> None:
        """Add in the order of the indices; each thread has elements of its own."""
        zero = k.f.number(0, kind_of(k.node.dtype))
        columns = None
        shared = _keeps_first_axis(k.node)
        if not shared and _has_columns(k.node):
            columns = k.low * _COLUMNS, (k.high * _COLUMNS).minimum(k.node.shape[-1])
            with k.loops(k.node.shape[:-1]) as index, k.f.loop(*columns) as last:
                k.store(zero, k.out, [*index, last])
        else:
            with k.loops(k.node.shape, shared=shared) as index:
                k.store(zero, k.out, index)
        indices = [k.view(i) for i in range(1, len(k.node.inputs))]
        places = IndexedPlaces(k, k.out, indices, k.node.attributes["template"])
        g = k.view(0)
        if math.prod(g.shape) == 0:
            return
        with places.loops(g.shape, shared=shared, columns=columns) as at:
            total = k.load(places.source, at.source) + k.load(g, at.index)
            k.store(total, places.source, at.source)


def _keeps_first_axis(node: Node) -> bool:
    """Whether all of the first axis stays where it is, of so many that threads can share it."""
    if not node.shape or node.shape[0] < _ROWS:
        return False
    items = expanded(node.attributes["template"], len(node.shape))
    # Index arrays with something else between them put their axes first.
    return items[0] == slice(None) and len(node.inputs) == 2


def _has_columns(node: Node) -> bool:
    """Whether whole rows are added, so that threads can share their columns."""
    items = expanded(node.attributes["template"], len(node.shape))
    return len(node.shape) > 1 and items[-1] == slice(None)
