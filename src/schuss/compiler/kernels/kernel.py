"""Kernel descriptors: what the compiler asks of the operations that are no elementwise loops."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import Partitioning, preferred_count
from schuss.compiler.graph.views import Layouts, Strided
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.plan import KernelPlan

__all__ = ["KernelDescriptor"]


class KernelDescriptor(ABC):
    """All facts about one kernel; only `write` must be given.

    The registry holds one instance of each subclass, under the name that primitives lower to.
    """

    # Whether it may note in `%status` that it failed; then the step changes nothing.
    may_fail: ClassVar[bool] = False

    def flops(self, node: Node) -> int:
        """Return about how many floating-point operations a node takes."""
        return node.size

    def accepts(self, view: Strided) -> bool:
        """Whether an input may lie as this view; where it may not, it is copied first."""
        return True

    def accepts_input(self, node: Node, place: int, view: Strided) -> bool:
        """Whether the input at a place may lie as this view."""
        return self.accepts(view)

    def extent(self, node: Node) -> int:
        """Return how many steps there are for threads to share: `%lo` to `%hi` are some of them."""
        return 1

    def private(self, node: Node, layouts: Layouts) -> frozenset[Node]:
        """Return the values of which each step uses its own part alone, in order."""
        return frozenset()

    def scratch_bytes(self, node: Node) -> int:
        """Return the bytes of working memory that each thread needs."""
        return 0

    def plan(self, node: Node, layouts: Layouts) -> KernelPlan:
        """Decide how a node is computed; a kernel that has a choice overrides this."""
        extent, rows = self.extent(node), node.shape[0] if node.shape else 1
        private = self.private(node, layouts)
        partitioning = Partitioning(extent, private, preferred_count(extent, rows))
        return KernelPlan((partitioning,), self.scratch_bytes(node))

    @abstractmethod
    def write(self, k: KernelEmitter) -> None:
        """Write the body of the function that computes some steps of a node."""
