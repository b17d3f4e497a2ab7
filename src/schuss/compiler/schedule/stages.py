"""Stages: loop nests and kernels in their order, and the plan that holds them."""

from __future__ import annotations

from dataclasses import dataclass, field

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.views import Layouts
from schuss.compiler.kernels.plan import KernelPlan
from schuss.lowering.kinds import SegmentSum

__all__ = ["Plan", "Stage", "has_rows", "loop_shape"]


@dataclass(eq=False)
class Stage:
    """One loop nest, or one kernel.

    Args:
        shape: lengths of the loops (without axes of length 1); None for a kernel.
        nodes: what it computes, in order.
        axes: the axes of `shape` that its reductions run over, or None without any.
        number: of the stage.
        on_demand: whether it only runs when the outputs on demand are asked for.
        before: the numbers of the stages that must run before it, as bits.
        kernel: how a kernel computes its node; None for a loop nest.
    """

    shape: tuple[int, ...] | None
    nodes: list[Node] = field(default_factory=list)
    axes: tuple[int, ...] | None = None
    number: int = 0
    on_demand: bool = False
    before: int = 0
    kernel: KernelPlan | None = None

    @property
    def is_kernel(self) -> bool:
        """Whether it is one kernel, and no loop nest."""
        return self.kernel is not None


@dataclass
class Plan:
    """The stages in the order in which they run, and what each node is a view of.

    Args:
        stages: in their order.
        layouts: the view that each node is.
        stage_of: the stage that computes a node.
        stored: the nodes that are read from memory.
        in_place: updates that are written straight into their state, by its position.
        copies: updates that are copied into their state after the last stage.
        deferred: by a state's position, the sum of rows that its gradient is left as.
        refused: the value that says whether a value check fails, or None without checks.
        checking: the stages after which it is known whether the step may change anything.
    """

    stages: list[Stage]
    layouts: Layouts
    stage_of: dict[Node, Stage]
    stored: list[Node]
    in_place: dict[Node, int]
    copies: list[tuple[int, Node]]
    deferred: dict[int, Node]
    refused: Node | None = None
    checking: frozenset[Stage] = frozenset()

    @property
    def lasting(self) -> set[Stage]:
        """The stages that write what outlives a run, which they do when the checks have passed."""
        if not self.checking:
            return set()
        parts = [self.layouts.of(x).root for n in self.deferred.values() for x in n.inputs]
        return {self.stage_of[n] for n in [*self.in_place, *parts] if n in self.stage_of}


def has_rows(stage: Stage) -> bool:
    """Whether a stage sums rows as it goes."""
    return any(isinstance(n.primitive and n.primitive.lower, SegmentSum) for n in stage.nodes)


def loop_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return `shape` without axes of length 1."""
    return tuple(n for n in shape if n != 1)
