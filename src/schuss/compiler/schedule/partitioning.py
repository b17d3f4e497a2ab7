"""In which ways a stage can be shared between threads, and which memory each share keeps to."""

from __future__ import annotations

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import Partitioning, is_disjoint, lies_disjoint
from schuss.compiler.graph.views import Layouts
from schuss.compiler.kernels.gather_scatter import COLUMNS as SCATTERED_COLUMNS
from schuss.compiler.kernels.gather_scatter import has_columns
from schuss.compiler.kernels.matmul import matmul_partitionings
from schuss.compiler.passes.one_hot import picks_one_of_each_row
from schuss.compiler.schedule.loop_nest import Nest
from schuss.compiler.schedule.stages import Stage
from schuss.lowering.ir_builder import F32, kind_of

__all__ = ["partitionings_of", "used_by"]

# Columns that a thread takes at least, where columns are summed: a cache line of float32.
_GROUP = 16


def used_by(stage: Stage, nest: Nest | None, layouts: Layouts) -> frozenset[Node]:
    """Return the values that a stage reads or writes in memory."""
    if nest is None:
        nodes = stage.nodes + [layouts.of(x).root for n in stage.nodes for x in n.inputs]
        return frozenset(nodes)
    listed = [layouts.of(x).root for n in nest.sums for x in n.inputs]
    return frozenset([*listed, *[access.node for access in nest.accesses]])


def partitionings_of(stage: Stage, nest: Nest | None, layouts: Layouts) -> list[Partitioning]:
    """Return the ways in which a stage can be shared, the last one for a single thread, too."""
    if nest is not None:
        return _partitionings_of_nest(nest)
    (node,) = stage.nodes
    if node.op == "matmul":
        return matmul_partitionings(node, layouts)
    extent = _extent(node)
    rows = node.shape[0] if node.shape else 1
    return [Partitioning(extent, _private_of(node, layouts), _count(extent, rows))]


def _count(extent: int, rows: int) -> int:
    """Return into how many shares so many steps may fall: as many as there are rows, if it can."""
    return rows if rows and extent % rows == 0 else extent


def _private_of(node: Node, layouts: Layouts) -> frozenset[Node]:
    """Return the values of which each step of a kernel of its own kind uses its own part."""
    private = []
    if node.op == "gather":
        private.append(node)
        if picks_one_of_each_row(node, node.inputs[0].shape):
            views = [layouts.of(x) for x in node.inputs]
            private += [view.root for view in views if is_disjoint(view)]
    if node.op == "random_uniform" and node.size % _block(node) == 0:
        private.append(node)
    return frozenset(private)


def _block(node: Node) -> int:
    """Return how many random numbers come of one draw."""
    return 8 if kind_of(node.dtype) == F32 else 4


def _extent(node: Node) -> int:
    """Return how many steps a kernel of its own kind can be split into."""
    if node.op == "gather":
        return node.shape[0] if node.shape else 1
    if node.op in ("argmax", "argmin", "cumulative_sum"):
        shape, axis = node.inputs[0].shape, node.attributes["axis"]
        return next(iter(shape[:axis] + shape[axis + 1 :]), 1)
    if node.op == "scatter_add":
        return max(-(-node.shape[-1] // SCATTERED_COLUMNS), 1) if has_columns(node) else 1
    if node.op == "random_uniform":
        return max(-(-node.size // _block(node)), 1)
    return int(node.attributes["rows"]) if node.op == "segment_lists" else 1


def _partitionings_of_nest(nest: Nest) -> list[Partitioning]:
    axis, extent = nest.axis, nest.extent
    if axis is None or nest.sums:
        # The sums of rows that a loop makes on its way read whatever they list.
        return [Partitioning(extent, count=extent)]
    apart: dict[Node, bool] = {}
    for access in nest.accesses:
        mine = lies_disjoint(access.node, access.offset, nest.shape, access.strides, axis)
        apart[access.node] = apart.get(access.node, True) and mine
    private = frozenset(node for node, is_own in apart.items() if is_own)
    rows = (nest.stage.shape or (extent,))[0] if axis == 0 else extent // _GROUP
    return [Partitioning(extent, private, _count(extent, rows))]
