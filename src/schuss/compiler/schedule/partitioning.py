"""Partitionings of stages, and the memory of which each partition uses its own part alone."""

from __future__ import annotations

from collections.abc import Sequence

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import Partitioning, lies_disjoint, preferred_count
from schuss.compiler.graph.views import Layouts
from schuss.compiler.schedule.loop_nest import Nest
from schuss.compiler.schedule.stages import Stage

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


def partitionings_of(stage: Stage, nest: Nest | None) -> Sequence[Partitioning]:
    """Return in which ways threads can share a stage; the last one suits a single thread, too."""
    if stage.kernel is not None:
        return stage.kernel.partitionings
    assert nest is not None
    return [_partitioning_of_nest(nest)]


def _partitioning_of_nest(nest: Nest) -> Partitioning:
    axis, extent = nest.axis, nest.extent
    if axis is None or nest.sums:
        # The sums of rows that a loop makes on its way read whatever they list.
        return Partitioning(extent, count=extent)
    apart: dict[Node, bool] = {}
    for access in nest.accesses:
        mine = lies_disjoint(access.node, access.offset, nest.shape, access.strides, axis)
        apart[access.node] = apart.get(access.node, True) and mine
    private = frozenset(node for node, is_own in apart.items() if is_own)
    rows = (nest.stage.shape or (extent,))[0] if axis == 0 else extent // _GROUP
    return Partitioning(extent, private, preferred_count(extent, rows))
