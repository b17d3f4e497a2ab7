"""Partitionings: in which ways threads can share a stage, and the partition that is chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.views import Strided

__all__ = ["Partition", "Partitioning", "is_disjoint", "lies_disjoint", "preferred_count"]
__all__ += ["private_values"]


@dataclass(frozen=True)
class Partitioning:
    """A way to share a stage between threads: its steps, in parts that follow each other.

    Args:
        extent: how many steps there are.
        private: values of which step i uses part i alone, of as many equal parts as steps.
        count: into how many parts the steps best fall; it divides the extent.
        kind: for kernels that can be shared in several ways, which one it is.
        allows_epilogue: whether the steps are rows of the result, a few of which are computed at a
            time, so that loops can be fused that read them while they are in the cache.
    """

    extent: int
    private: frozenset[Node] = frozenset()
    count: int = 1
    kind: str = ""
    allows_epilogue: bool = False


@dataclass(frozen=True)
class Partition:
    """How a stage is shared.

    Args:
        partitioning: the chosen one.
        count: number of parts; threads take about equally many, in order.
    """

    partitioning: Partitioning
    count: int

    @property
    def extent(self) -> int:
        """How many steps there are."""
        return self.partitioning.extent

    @property
    def steps_per_part(self) -> int:
        """How many steps are in a part."""
        return self.extent // self.count

    @property
    def is_parallel(self) -> bool:
        """Whether there is more than one part."""
        return self.count > 1


def preferred_count(extent: int, rows: int) -> int:
    """Return into how many parts so many steps best fall: as many as there are rows, if they can.

    Stages that are shared by the same rows need no barrier between them.
    """
    return rows if rows and extent % rows == 0 else extent


def private_values(views: Iterable[tuple[Strided, int | None]]) -> frozenset[Node]:
    """Return the values of which each step uses its own part alone.

    Args:
        views: all views that a stage has of values, each with the axis that steps go along; None
            where a step may use any element.
    """
    found: dict[Node, bool] = {}
    for view, axis in views:
        mine = axis is not None and axis < len(view.shape) and is_disjoint(view, axis)
        found[view.root] = found.get(view.root, True) and mine
    return frozenset(root for root, is_private in found.items() if is_private)


def is_disjoint(view: Strided, axis: int = 0) -> bool:
    """Whether each index along an axis means a part of the memory of its own, in order."""
    return lies_disjoint(view.root, view.offset, view.shape, view.strides, axis)


def lies_disjoint(
    node: Node, offset: int, shape: Sequence[int], strides: Sequence[int], axis: int
) -> bool:
    """The same for a view that is given by its parts."""
    step = strides[axis]
    if offset < 0 or min(strides) < 0 or step * shape[axis] != node.size:
        return False
    others = [(n - 1) * s for a, (n, s) in enumerate(zip(shape, strides, strict=True)) if a != axis]
    return offset + sum(others) < step
