"""In-place aliasing: which updates are written over their state, and which values are stored."""

from __future__ import annotations

from schuss.compiler.graph.graph import Node
from schuss.compiler.kernels.registry import kernel_of
from schuss.compiler.schedule.fusion import Fuser
from schuss.compiler.schedule.stages import Plan, Stage, loop_shape
from schuss.lowering.kinds import Reduction, SegmentSum, View
from schuss.primitives.deferred import DeferredTensor

__all__ = ["plan_stages"]


def plan_stages(fuser: Fuser) -> Plan:
    """Return the stages in their order, with what is stored, and where updated states go."""
    return _Planner(fuser).plan()


class _Planner:
    def __init__(self, fuser: Fuser) -> None:
        self._fuser = fuser
        self._graph = fuser.graph
        self._layouts = fuser.layouts
        self._stage_of = fuser.stage_of

        self._checking = frozenset(filter(self._may_stop, fuser.stages))
        # They, and all that they need, as bits.
        self._checks = 0
        for stage in self._checking:
            self._checks |= 1 << stage.number | fuser.before[stage.number]

    def _may_stop(self, stage: Stage) -> bool:
        """Whether a stage finds that the step must not change anything."""
        refused = self._graph.refused
        kernels = [kernel_of(node) for node in stage.nodes if stage.is_kernel]
        fails = any(kernel is not None and kernel.may_fail for kernel in kernels)
        checks = refused is not None and self._layouts.of(refused).root in stage.nodes
        return checks or (fails and not stage.on_demand)

    def plan(self) -> Plan:
        """Return the plan."""
        nodes = self._graph.nodes()
        deferred = self._deferred(nodes)
        in_place, copies = self._find_in_place(nodes)
        stages = self._fuser.in_order()
        position = {node: i for i, node in enumerate(nodes)}
        for stage in stages:
            stage.nodes.sort(key=position.__getitem__)
        refused = self._graph.refused
        return Plan(
            stages,
            self._layouts,
            self._stage_of,
            self._stored(nodes),
            in_place,
            copies,
            deferred,
            None if refused is None else self._layouts.of(refused).root,
            self._checking,
        )

    def _stored(self, nodes: list[Node]) -> list[Node]:
        """Return the computed nodes that are read from memory."""
        wanted: dict[Node, None] = {}
        for node in nodes:
            if node.primitive is None or isinstance(node.primitive.lower, View):
                continue
            stage = self._stage_of[node]
            if stage.is_kernel or isinstance(node.primitive.lower, Reduction):
                wanted[node] = None
            for x in node.inputs:
                root = self._layouts.of(x).root
                if root.primitive is not None and self._stage_of[root] is not stage:
                    wanted[root] = None
        for root in self._graph.roots():
            root = self._layouts.of(root).root
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
                    root = self._layouts.of(x).root
                    readers.setdefault(root, set()).add(self._stage_of[node])
        ends = [self._layouts.of(n).root for n in self._graph.roots()]
        deferred: dict[int, Node] = {}
        for place, state in enumerate(self._graph.states):
            sums = state.updated
            is_sum = isinstance(sums and sums.primitive and sums.primitive.lower, SegmentSum)
            if sums is None or not is_sum or type(state.tensor) is not DeferredTensor:
                continue
            parts = [self._layouts.of(x).root for x in sums.inputs]
            is_inside = readers.get(sums) == {self._stage_of[sums]} and ends.count(sums) == 1
            is_kept = all((x.primitive or x.array is not None) and x not in ends for x in parts)
            is_alone = state.node not in readers and state.node not in ends
            if is_inside and is_kept and is_alone and self._come_after_checks(parts):
                deferred[place] = sums
                state.updated = None
        return deferred

    def _come_after_checks(self, nodes: list[Node]) -> bool:
        """Have what outlives a run be computed after the value checks; return whether it can be."""
        stages = {self._stage_of[node] for node in nodes if node in self._stage_of}
        if any(self._checks >> stage.number & 1 for stage in stages):
            return False
        for stage in stages:
            self._fuser.require(stage, self._checks)
        return True

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
                readers.setdefault(self._layouts.of(x).root, []).append(node)
        read_out = {self._layouts.of(n).root for n in self._graph.outputs}
        for state in self._graph.states:
            if state.updated is not None:
                source = self._layouts.of(state.updated).root
                if source is not state.node and source.op == "state":
                    read_out.add(source)
        in_place: dict[Node, int] = {}
        copies: list[tuple[int, Node]] = []
        for place, state in enumerate(self._graph.states):
            if state.updated is None:
                continue
            view = self._layouts.of(state.updated)
            direct = (
                view.is_whole
                and view.root in self._stage_of
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
        stage = self._stage_of[new]
        reduced = isinstance(new.primitive and new.primitive.lower, Reduction)
        others: set[Stage] = set()
        for reader in readers:
            other = self._stage_of[reader]
            if other is not stage:
                others.add(other)
                continue
            if stage.is_kernel or reduced:
                return False
            for x in reader.inputs:
                view = self._layouts.of(x)
                same = view.is_whole and loop_shape(x.shape) == stage.shape
                if view.root is old and not same:
                    return False
        if any(self._fuser.before[o.number] >> stage.number & 1 for o in others):
            return False
        if not self._come_after_checks([new]):
            return False
        for other in others:
            self._fuser.require(stage, 1 << other.number | self._fuser.before[other.number])
        return True
