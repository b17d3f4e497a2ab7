"""Recomputation: what the way back needs is computed again in segments, to keep within a limit.

Chen et al., 2016, arXiv 1604.06174. All that is computed until the temporaries are largest is cut
into segments where little goes over from one to the next. That is kept; what else is read later
is computed again from it, a segment at a time, when the first value that reads it is due.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from schuss.compiler.graph.graph import Graph, Node, again, result
from schuss.compiler.kernels.registry import kernel_of
from schuss.compiler.schedule.memory import lives_of
from schuss.compiler.schedule.schedule import Schedule
from schuss.compiler.schedule.stages import Plan, Stage
from schuss.primitives.loop import loop, loop_result
from schuss.primitives.ordering import AFTER

__all__ = ["candidates"]

# Into so many segments the way there is cut, one number after the other.
_SEGMENTS = (2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64)


def candidates(graph: Graph, plan: Plan, scheduled: Schedule) -> Iterator[Graph]:
    """Yield graphs that compute the same with fewer values kept, more and more of it again.

    Args:
        graph: with the nodes that plan and schedule are of.
        plan: its stages.
        scheduled: their order.
    """
    program = _Program.of(graph, plan, scheduled)
    seen: set[tuple[int, ...]] = set()
    for count in _SEGMENTS:
        cuts = program.cuts(count)
        if cuts and cuts not in seen:
            seen.add(cuts)
            yield _Rewriter(program, cuts).run()


@dataclass
class _Program:
    """What a schedule says about the nodes of a graph.

    Args:
        graph: what is computed.
        plan: its stages.
        nodes: those that are computed, in the order of their times.
        time: of each of them.
        last_use: when each stored value is read last.
        forward_use: when it is read last until the peak.
        peak: the time at which the temporaries are largest.
    """

    graph: Graph
    plan: Plan
    nodes: list[Node]
    time: dict[Node, int]
    last_use: dict[Node, int]
    forward_use: dict[Node, int]
    peak: int

    @classmethod
    def of(cls, graph: Graph, plan: Plan, scheduled: Schedule) -> _Program:
        """Find out when values are computed and read."""
        order = scheduled.times
        place = {node: i for i, node in enumerate(graph.nodes())}
        time = {n: order[plan.stage_of[n]] for n in place if n in plan.stage_of}
        nodes = sorted(time, key=lambda n: (time[n], place[n]))
        peak = _peak(graph, plan, order)
        last_use: dict[Node, int] = {}
        forward_use: dict[Node, int] = {}
        for node in nodes:
            for x in node.inputs:
                root = plan.layouts.of(x).root
                last_use[root] = max(last_use.get(root, -1), time[node])
                if time[node] <= peak:
                    forward_use[root] = max(forward_use.get(root, -1), time[node])
        return cls(graph, plan, nodes, time, last_use, forward_use, peak)

    def root(self, node: Node) -> Node:
        """Return the node that has the buffer of this one."""
        return self.plan.layouts.of(node).root

    def waiting(self) -> list[Node]:
        """Return the values that are computed before the peak and read after it."""
        return [
            node
            for node in self.nodes
            if node in self.stored and self.time[node] <= self.peak < self.last_use.get(node, -1)
        ]

    @cached_property
    def stored(self) -> set[Node]:
        """The values that are in memory."""
        return set(self.plan.stored)

    def cuts(self, count: int) -> tuple[int, ...]:
        """Return the times after which segments end, where little goes over."""
        waiting = self.waiting()
        if not waiting:
            return ()
        kept, crossing = np.zeros(self.peak + 1), np.zeros(self.peak + 2)
        for node in waiting:
            kept[self.time[node]] += node.nbytes
        for node, end in self.forward_use.items():
            if node in self.stored:
                crossing[self.time[node]] += node.nbytes
                crossing[end] -= node.nbytes
        sums, crossing = np.cumsum(kept), np.cumsum(crossing)
        found = []
        for i in range(1, count):
            ends = np.searchsorted(sums, [(i + d) / count * sums[-1] for d in (-0.4, 0.0, 0.4)])
            times = np.arange(ends[0], min(ends[2], self.peak - 1) + 1)
            if len(times):
                # Where least goes over; of several such places the one nearest to the middle.
                least = np.lexsort((abs(times - ends[1]), crossing[times]))
                found.append(int(times[least[0]]))
        return tuple(sorted(set(found)))


def _peak(graph: Graph, plan: Plan, order: Mapping[Stage, int]) -> int:
    """Return the time at which the temporaries are largest."""
    change = np.zeros(len(order) + 2)
    for node, lives in lives_of(graph, plan, order).items():
        for first, last in lives:
            change[first] += node.nbytes
            change[min(last, len(order)) + 1] -= node.nbytes
    return int(np.argmax(np.cumsum(change)))


class _Rewriter:
    """Makes the graph in which segments are computed again.

    Args:
        program: what is known of the graph.
        cuts: the times after which segments end; what comes after the last one is kept.
    """

    def __init__(self, program: _Program, cuts: tuple[int, ...]) -> None:
        self._program = program
        self._cuts = cuts
        # What goes from one segment to another.
        self._kept = {
            node
            for node, end in program.forward_use.items()
            if node in program.time and self._segment(node) != bisect_left(cuts, end)
        }
        self._left_out = {
            node
            for node in program.waiting()
            if program.time[node] <= cuts[-1] and not self._is_given(node)
        }
        self._images: dict[Node, Node] = {}
        self._copies: dict[tuple[int, Node], Node] = {}
        # For each segment, what has to be there before it is computed again.
        self._awaited: dict[int, Node] = {}

    def _segment(self, node: Node) -> int:
        return bisect_left(self._cuts, self._program.time[node])

    def _is_given(self, node: Node) -> bool:
        """Whether a value is kept: also what loops leave, and what may find something wrong."""
        kernel = kernel_of(node)
        may_fail = kernel is not None and kernel.may_fail
        of_loop = node.primitive in (loop, loop_result)
        return node in self._kept or of_loop or may_fail

    def run(self) -> Graph:
        """Return the graph."""
        program = self._program
        before = latest = None
        now = -1
        for node in program.nodes:
            time = program.time[node]
            if time > now:
                before, now = latest, time
            if program.plan.stage_of[node].on_demand:
                self._image(node)
                continue
            if time > self._cuts[-1]:
                inputs = tuple(self._late(x, before) for x in node.inputs)
                self._images[node] = latest = again(node, inputs)
            else:
                self._image(node)
        return program.graph.mapped(self._image)

    def _image(self, node: Node) -> Node:
        """Return what takes a node's place."""
        found = self._images.get(node)
        if found is None:
            is_leaf = node.primitive is None
            found = node if is_leaf else again(node, tuple(map(self._image, node.inputs)))
            self._images[node] = found
        return found

    def _late(self, node: Node, before: Node | None) -> Node:
        """Return what takes a node's place where it is read on the way back.

        Args:
            node: which one.
            before: what was computed last.
        """
        root = self._program.root(node)
        if root not in self._left_out or before is None:
            return self._image(node)
        segment = self._segment(root)
        self._awaited.setdefault(segment, before)
        return self._copy(node, segment)

    def _copy(self, node: Node, segment: int) -> Node:
        """Return a node computed again, from what is kept, for a segment."""
        found = self._copies.get((segment, node))
        if found is not None:
            return found
        is_computed = node in self._program.time
        if node.array is not None:
            found = node
        elif node.primitive is None or (
            is_computed and (self._segment(node) < segment or self._is_given(node))
        ):
            found = result(AFTER, (self._image(node), self._awaited[segment]), {})
        else:
            found = again(node, tuple(self._copy(x, segment) for x in node.inputs))
        self._copies[segment, node] = found
        return found
