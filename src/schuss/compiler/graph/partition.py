"""How a stage falls into shares for threads, and what memory each share keeps to itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.views import Strided

__all__ = ["BY_ROWS", "Partition", "Partitioning", "is_disjoint", "lies_disjoint"]


# A kind of ways: along the rows of a product.
BY_ROWS = "rows"


@dataclass(frozen=True)
class Partitioning:
    """A way to share a stage.

    Args:
        extent: how many steps it has; a share is some that follow each other.
        private: values of which step i uses part i alone, of as many equal parts as steps.
        count: how many shares suit it; it divides the extent.
        kind: for stages that can be shared in several ways, which one it is.
    """

    extent: int
    private: frozenset[Node] = frozenset()
    count: int = 1
    kind: str = ""


@dataclass(frozen=True)
class Partition:
    """A way to share a stage, in so many shares.

    Args:
        partitioning: along what.
        count: number of shares; threads take about equally many, in order.
    """

    partitioning: Partitioning
    count: int

    @property
    def unit(self) -> int:
        """How many steps of the way are in a share."""
        return self.partitioning.extent // self.count

    @property
    def is_parallel(self) -> bool:
        """Whether there is more than one share."""
        return self.count > 1


def is_disjoint(view: Strided, axis: int = 0) -> bool:
    """Whether each index along an axis means a part of the memory of its own, in order."""
    return lies_disjoint(view.root, view.offset, view.shape, view.strides, axis)


def lies_disjoint(
    node: Node, offset: int, shape: Sequence[int], strides: Sequence[int], axis: int
) -> bool:
    """The same for a view that is given by its parts."""
    step = strides[axis]
    if offset or min(strides) < 0 or step * shape[axis] != node.size:
        return False
    others = [(n - 1) * s for a, (n, s) in enumerate(zip(shape, strides, strict=True)) if a != axis]
    return sum(others) < step
