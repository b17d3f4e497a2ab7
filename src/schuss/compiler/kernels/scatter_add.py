"""Scatter that adds, in the order of the indices: the gradient of a gather."""

from __future__ import annotations

import math

from schuss.compiler.graph.graph import Node
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.index_arrays import IndexedPlaces, expanded
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.lowering.llvm_types import kind_of

__all__ = ["ScatterAdd"]

# Columns that one thread takes at least: a cache line of float32.
_COLUMNS = 16


class ScatterAdd(KernelDescriptor):
    """Zeros, with each element of g added where the indices say; threads share the columns."""

    def extent(self, node: Node) -> int:
        """Return how many groups of columns there are; several indices may name a row."""
        return max(-(-node.shape[-1] // _COLUMNS), 1) if _has_columns(node) else 1

    def write(self, k: KernelEmitter) -> None:
        """Add in the order of the indices; each thread has columns of its own, and so elements."""
        zero = k.f.number(0, kind_of(k.node.dtype))
        columns = None
        if _has_columns(k.node):
            columns = k.low * _COLUMNS, (k.high * _COLUMNS).minimum(k.node.shape[-1])
            with k.loops(k.node.shape[:-1]) as index, k.f.loop(*columns) as last:
                k.store(zero, k.out, [*index, last])
        else:
            with k.f.loop(0, k.node.size) as i:
                k.f.store(zero, k.pointer(k.node), i)
        indices = [k.view(i) for i in range(1, len(k.node.inputs))]
        places = IndexedPlaces(k, k.out, indices, k.node.attributes["template"])
        g = k.view(0)
        if math.prod(g.shape) == 0:
            return
        with places.loops(g.shape, shared=False, columns=columns) as at:
            total = k.load(places.source, at.source) + k.load(g, at.index)
            k.store(total, places.source, at.source)


def _has_columns(node: Node) -> bool:
    """Whether whole rows are added, so that threads can share their columns."""
    items = expanded(node.attributes["template"], len(node.shape))
    return len(node.shape) > 1 and items[-1] == slice(None)
