"""Fusion: which values are computed in one loop, and in which order the loops run."""

from __future__ import annotations

from dataclasses import dataclass, field

from schuss.compiler.graph.graph import Graph, Node
from schuss.compiler.graph.views import Layouts
from schuss.compiler.schedule.rematerialize import rematerialize
from schuss.lowering.kinds import Elementwise, Reduction, SegmentSum, View
from schuss.primitives.deferred import DeferredTensor

__all__ = ["Fuser", "Plan", "Stage", "fuse", "has_rows"]


@dataclass(eq=False)
class Stage:
    """One loop nest, or one kernel of its own kind.

    Args:
        shape: lengths of the loops (without axes of length 1); None for a kernel of its own kind.
        nodes: what it computes, in order.
        axes: the axes of `shape` that its reductions run over, or None without any.
        number: of the stage.
        on_demand: whether it only runs when what is set aside is asked for.
        before: the numbers of the stages that must run before it, as bits.
    """

    shape: tuple[int, ...] | None
    nodes: list[Node] = field(default_factory=list)
    axes: tuple[int, ...] | None = None
    number: int = 0
    on_demand: bool = False
    before: int = 0

    @property
    def is_kernel(self) -> bool:
        """Whether it is a kernel of its own kind."""
        return self.shape is None


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
        deferred: by a state's position, the sums of rows that it is left as, in their parts.
    """

    stages: list[Stage]
    layouts: Layouts
    stage_of: dict[Node, Stage]
    stored: list[Node]
    in_place: dict[Node, int]
    copies: list[tuple[int, Node]]
    deferred: dict[int, Node]


def has_rows(stage: Stage) -> bool:
    """Whether a stage sums rows as it goes."""
    return any(isinstance(n.primitive and n.primitive.lower, SegmentSum) for n in stage.nodes)


def loop_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return `shape` without axes of length 1."""
    return tuple(n for n in shape if n != 1)


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
        # Values that are in memory anyway, for what is no loop reads them.
        self._kept: set[Node] = set()

    def run(self) -> Plan:
        """Return the stages, and what is where."""
        nodes = self.graph.nodes()
        loops = (View, Elementwise, Reduction, SegmentSum)
        for node in nodes:
            if node.primitive is not None and not isinstance(node.primitive.lower, loops):
                self._kept.update(self.layouts.of(x).root for x in node.inputs)
        for node in nodes:
            if node.primitive is None or isinstance(node.primitive.lower, View):
                continue
            lowering = node.primitive.lower
            if isinstance(lowering, Elementwise):
                self._elementwise(node)
            elif isinstance(lowering, Reduction):
                self._reduction(node)
            elif isinstance(lowering, SegmentSum):
                self._place(node, self._new(loop_shape(node.shape), node))
            else:
                self._place(node, self._new(None, node))
        rematerialize(self, self._in_order())
        nodes = self.graph.nodes()
        deferred = self._deferred(nodes)
        in_place, copies = self._find_in_place(nodes)
        return Plan(
            self._in_order(),
            self.layouts,
            self.stage_of,
            self._stored(nodes),
            in_place,
            copies,
            deferred,
        )

    # Building stages.

    def _new(self, shape: tuple[int, ...] | None, node: Node) -> Stage:
        stage = Stage(shape, number=len(self.stages), on_demand=node in self.on_demand)
        self.stages.append(stage)
        self.before.append(0)
        return stage

    def _place(self, node: Node, stage: Stage) -> None:
        stage.nodes.append(node)
        self.stage_of[node] = stage
        self._require(stage, self._needs(node) & ~(1 << stage.number))

    def _require(self, stage: Stage, needed: int) -> None:
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
        for x in node.inputs:
            stage = self.stage_of.get(self.layouts.of(x).root)
            if stage is not None:
                needed |= 1 << stage.number | self.before[stage.number]
        return needed

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
        for x in node.inputs:
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

    # What has a buffer, and where updated states go.

    def _stored(self, nodes: list[Node]) -> list[Node]:
        """Return the computed nodes that are read from memory."""
        wanted: dict[Node, None] = {}
        for node in nodes:
            if node.primitive is None or isinstance(node.primitive.lower, View):
                continue
            stage = self.stage_of[node]
            if stage.is_kernel or isinstance(node.primitive.lower, Reduction):
                wanted[node] = None
            for x in node.inputs:
                root = self.layouts.of(x).root
                if root.primitive is not None and self.stage_of[root] is not stage:
                    wanted[root] = None
        for root in self.graph.roots():
            root = self.layouts.of(root).root
            if root.primitive is not None:
                wanted[root] = None
        return [n for n in nodes if n in wanted]

    def _deferred(self, nodes: list[Node]) -> dict[int, Node]:
        """Take from the states the gradients that need not be stored: sums of rows.

        They are read where they are summed alone, and what they are summed of is in the arena.
        """
        readers: dict[Node, set[Stage]] = {}
        for node in nodes:
            if node.primitive is not None and not isinstance(node.primitive.lower, View):
                for x in node.inputs:
                    root = self.layouts.of(x).root
                    readers.setdefault(root, set()).add(self.stage_of[node])
        ends = [self.layouts.of(n).root for n in self.graph.roots()]
        deferred: dict[int, Node] = {}
        for place, state in enumerate(self.graph.states):
            sums = state.updated
            if sums is None or sums.op != "segment_sum" or type(state.tensor) is not DeferredTensor:
                continue
            parts = [self.layouts.of(x).root for x in sums.inputs]
            is_inside = readers.get(sums) == {self.stage_of[sums]} and ends.count(sums) == 1
            is_kept = all((x.primitive or x.array is not None) and x not in ends for x in parts)
            if is_inside and is_kept and state.node not in readers and state.node not in ends:
                deferred[place] = sums
                state.updated = None
        return deferred

    def _find_in_place(self, nodes: list[Node]) -> tuple[dict[Node, int], list[tuple[int, Node]]]:
        """Decide which updates are written straight into their state, and which are copied.

        An update may overwrite its state where it is computed if everything else that reads the
        state runs before, and it reads the state itself only at the place that it writes.
        """
        readers: dict[Node, list[Node]] = {}
        for node in nodes:
            if node.primitive is None or isinstance(node.primitive.lower, View):
                continue
            for x in node.inputs:
                readers.setdefault(self.layouts.of(x).root, []).append(node)
        read_out = {self.layouts.of(n).root for n in self.graph.outputs}
        for state in self.graph.states:
            if state.updated is not None:
                source = self.layouts.of(state.updated).root
                if source is not state.node and source.op == "state":
                    read_out.add(source)
        in_place: dict[Node, int] = {}
        copies: list[tuple[int, Node]] = []
        for place, state in enumerate(self.graph.states):
            if state.updated is None:
                continue
            view = self.layouts.of(state.updated)
            direct = (
                view.is_whole
                and view.root in self.stage_of
                and view.root not in in_place
                and state.node not in read_out
                and self._may_overwrite(state.node, view.root, readers.get(state.node, []))
            )
            if direct:
                in_place[view.root] = place
            else:
                copies.append((place, state.updated))
        return in_place, copies

    def _may_overwrite(self, old: Node, new: Node, readers: list[Node]) -> bool:
        stage = self.stage_of[new]
        reduced = isinstance(new.primitive and new.primitive.lower, Reduction)
        others: set[Stage] = set()
        for reader in readers:
            other = self.stage_of[reader]
            if other is not stage:
                others.add(other)
                continue
            if stage.is_kernel or reduced:
                return False
            for x in reader.inputs:
                view = self.layouts.of(x)
                same = view.is_whole and loop_shape(x.shape) == stage.shape
                if view.root is old and not same:
                    return False
        if any(self.before[o.number] >> stage.number & 1 for o in others):
            return False
        for other in others:
            self._require(stage, 1 << other.number | self.before[other.number])
        return True

    def _in_order(self) -> list[Stage]:
        """Return the stages that compute something, each after those that it needs."""
        alive = [s for s in self.stages if s.nodes]
        for stage in alive:
            stage.before = self.before[stage.number]
        main = sum(1 << s.number for s in alive if not s.on_demand)

        def place(stage: Stage) -> tuple[int, bool, int, int]:
            # What is set aside comes between the others, but does not change their order.
            bits = self.before[stage.number]
            return (bits & main).bit_count(), not stage.on_demand, bits.bit_count(), stage.number

        return sorted(alive, key=place)


def fuse(graph: Graph, on_demand: frozenset[Node] = frozenset()) -> Plan:
    """Group the graph's nodes into stages; those of `on_demand` share none with others."""
    plan = Fuser(graph, on_demand).run()
    position = {node: i for i, node in enumerate(graph.nodes())}
    for stage in plan.stages:
        stage.nodes.sort(key=position.__getitem__)
    return plan
