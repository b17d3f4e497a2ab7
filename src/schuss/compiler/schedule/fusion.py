"""Fusion: which values are computed in one loop, and in which order the loops run."""

from __future__ import annotations

from schuss.compiler.graph.graph import Graph, Node
from schuss.compiler.graph.views import Layouts
from schuss.compiler.kernels.plan import KernelPlan
from schuss.compiler.kernels.registry import kernel_of
from schuss.compiler.schedule.stages import Stage, has_rows, loop_shape
from schuss.lowering.kinds import Elementwise, Reduction, Result, SegmentSum, View

__all__ = ["Fuser", "fuse"]


class Fuser:
    """Puts the nodes of a graph into stages.

    Args:
        graph: of primitives with a native form.
        on_demand: the nodes that share no stage with others.
    """

    def __init__(self, graph: Graph, on_demand: frozenset[Node]) -> None:
        self.graph = graph
        self.on_demand = on_demand
        self.layouts = Layouts()
        self.stages: list[Stage] = []
        self.stage_of: dict[Node, Stage] = {}
        # For each stage, by number, the set (as bits) of stages that must run before it.
        self.before: list[int] = []
        # The stages that any other one needs (or once needed).
        self._awaited = 0
        # Values that are in memory anyway, for a kernel reads them.
        self._kept: set[Node] = set()
        # For each view that may not be used before other values are there, these values.
        self._awaiting: dict[Node, tuple[Node, ...]] = {}

    def run(self) -> None:
        """Put every node into a stage."""
        nodes = self.graph.nodes()
        for node in nodes:
            if kernel_of(node) is not None:
                self._kept.update(self.layouts.of(x).root for x in node.inputs)
        for node in nodes:
            if node.primitive is None:
                continue
            if isinstance(node.primitive.lower, View):
                self._note_awaited(node)
                continue
            lowering, kernel = node.primitive.lower, kernel_of(node)
            if kernel is not None:
                plan = kernel.plan(node, self.layouts)
                self._place(node, self._new(None, node, plan))
            elif isinstance(lowering, Elementwise):
                self._elementwise(node)
            elif isinstance(lowering, Reduction):
                self._reduction(node)
            elif isinstance(lowering, Result):
                self._place(node, self.stage_of[node.inputs[0]])
            else:
                assert isinstance(lowering, SegmentSum)  # a trace records no compositions
                self._place(node, self._new(loop_shape(node.shape), node))

    def _note_awaited(self, node: Node) -> None:
        awaited = self._awaiting.get(node.inputs[0], ()) + node.inputs[1:]
        if awaited:
            self._awaiting[node] = awaited

    # Building stages.

    def _new(
        self, shape: tuple[int, ...] | None, node: Node, kernel: KernelPlan | None = None
    ) -> Stage:
        on_demand = node in self.on_demand
        stage = Stage(shape, number=len(self.stages), on_demand=on_demand, kernel=kernel)
        self.stages.append(stage)
        self.before.append(0)
        return stage

    def _place(self, node: Node, stage: Stage) -> None:
        stage.nodes.append(node)
        self.stage_of[node] = stage
        self.require(stage, self._needs(node) & ~(1 << stage.number))

    def require(self, stage: Stage, needed: int) -> None:
        """Note that a stage runs after others, given by number as bits."""
        if not needed & ~self.before[stage.number]:
            return
        mine = 1 << stage.number
        self.before[stage.number] |= needed
        self._awaited |= needed
        if not self._awaited & mine:
            return
        for other, bits in enumerate(self.before):
            if bits & mine:
                self.before[other] |= needed

    def _needs(self, node: Node) -> int:
        needed = 0
        for x in self._used(node):
            stage = self.stage_of.get(self.layouts.of(x).root)
            if stage is not None:
                needed |= 1 << stage.number | self.before[stage.number]
        return needed

    def _used(self, node: Node) -> list[Node]:
        """Return a node's inputs, and what has to be there before they may be used."""
        used = list(node.inputs)
        if self._awaiting:
            used += [x for y in node.inputs for x in self._awaiting.get(y, ())]
        return used

    def _direct(self, x: Node) -> Stage | None:
        """Return the loop that has `x` in a register at the same place, if there is one."""
        view = self.layouts.of(x)
        stage = self.stage_of.get(view.root)
        if stage is None or stage.is_kernel or not view.is_whole:
            return None
        if isinstance(view.root.primitive and view.root.primitive.lower, Reduction):
            return None
        if loop_shape(view.shape) != stage.shape:
            return None
        return stage

    def _fits(self, node: Node, stage: Stage, direct: set[Node]) -> bool:
        """Return whether `node` can be computed in `stage` without having to run twice."""
        if stage.on_demand is not (node in self.on_demand):
            return False
        bit = 1 << stage.number
        if has_rows(stage) and not self._is_flat(node):
            return False
        for x in self._used(node):
            root = self.layouts.of(x).root
            other = self.stage_of.get(root)
            if other is None:
                continue
            if other is stage:
                if x not in direct:
                    return False
            elif self.before[other.number] & bit:
                return False
        return True

    def _elementwise(self, node: Node) -> None:
        shape = loop_shape(node.shape)
        direct: set[Node] = set()
        candidates: dict[Stage, None] = {}
        for x in node.inputs:
            stage = self._direct(x)
            if stage is not None and stage.shape == shape and x.size == node.size:
                direct.add(x)
                candidates[stage] = None
        fitting = [s for s in candidates if self._fits(node, s, direct)]
        chosen: Stage | None = None
        for stage in sorted(fitting, key=lambda s: s.number):
            if chosen is None:
                chosen = stage
            elif self._can_merge(chosen, stage):
                self._merge(chosen, stage)
        self._place(node, chosen if chosen is not None else self._new(shape, node))

    def _is_flat(self, node: Node) -> bool:
        """Return whether a loop from the first to the last element computes `node`.

        That is what rows that are summed on the way can be read by.
        """
        lowering = node.primitive and node.primitive.lower
        if isinstance(lowering, SegmentSum):
            return True
        x = node.inputs[0]
        if isinstance(lowering, Reduction):
            return len(node.attributes["axes"]) == len(x.shape)
        views = [self.layouts.of(x) for x in node.inputs]
        return all(
            v.root.size == 1 or (v.is_whole and loop_shape(v.shape) == loop_shape(node.shape))
            for v in views
        )

    def _can_merge(self, a: Stage, b: Stage) -> bool:
        if (has_rows(a) or has_rows(b)) and not all(map(self._is_flat, [*a.nodes, *b.nodes])):
            return False
        apart = not (self.before[a.number] >> b.number & 1 or self.before[b.number] >> a.number & 1)
        return apart and (a.axes is None or b.axes is None or a.axes == b.axes)

    def _merge(self, a: Stage, b: Stage) -> None:
        """Move the nodes of `b` into `a`."""
        a.nodes.extend(b.nodes)
        a.axes = b.axes if a.axes is None else a.axes
        for node in b.nodes:
            self.stage_of[node] = a
        b.nodes = []
        gone, here = 1 << b.number, 1 << a.number
        # What needed one of the two needs both now, and all that they need.
        both = self.before[a.number] | self.before[b.number]
        self.before[a.number] |= both
        for other, bits in enumerate(self.before):
            if bits & (gone | here):
                self.before[other] = (bits & ~gone) | here | both
        self._awaited |= both
        if self._awaited & gone:
            self._awaited |= here

    def _reduction(self, node: Node) -> None:
        x = node.inputs[0]
        shape = loop_shape(x.shape)
        place = {a: i for i, a in enumerate(a for a, n in enumerate(x.shape) if n != 1)}
        axes = tuple(place[a] for a in node.attributes["axes"] if a in place)
        stage = self._direct(x)
        if stage is not None and axes and axes[-1] != len(shape) - 1 and x in self._kept:
            # The rows that a column is summed of would no longer be shared by rows.
            stage = None
        fits = (
            stage is not None
            and stage.shape == shape
            and stage.axes in (None, axes)
            and self._fits(node, stage, {x})
        )
        if not fits or stage is None:
            stage = self._new(shape, node)
        stage.axes = axes
        self._place(node, stage)

    def in_order(self) -> list[Stage]:
        """Return the stages that compute something, each after those that it needs."""
        alive = [s for s in self.stages if s.nodes]
        for stage in alive:
            stage.before = self.before[stage.number]
        main = sum(1 << s.number for s in alive if not s.on_demand)

        def place(stage: Stage) -> tuple[int, bool, int, int]:
            # What is on demand comes between the others, but does not change their order.
            bits = self.before[stage.number]
            return (bits & main).bit_count(), not stage.on_demand, bits.bit_count(), stage.number

        return sorted(alive, key=place)


def fuse(graph: Graph, on_demand: frozenset[Node] = frozenset()) -> Fuser:
    """Group the graph's nodes into stages; those of `on_demand` share none with others."""
    fuser = Fuser(graph, on_demand)
    fuser.run()
    return fuser
