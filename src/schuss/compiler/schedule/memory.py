"""Memory planning: the buffer of each value, temporary ones by their liveness in one arena."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from schuss.compiler.graph.abi import ALIGNMENT, REFUSED
from schuss.compiler.graph.graph import Graph, GraphError, Node
from schuss.compiler.schedule.stages import Plan, Stage

__all__ = ["Buffer", "Memory", "lives_of", "plan_memory", "verify_plan"]

# Where all temporaries together have no more bytes, memory is used again only after a barrier: to
# use it sooner would take more of them.
_SPARED = 512 * 1024


@dataclass(eq=False)
class Buffer:
    """Where a value lies: in the arena at `place` bytes, or behind entry `place` of the table.

    Args:
        kind: "arena", "input" or "state".
        place: offset in the arena, or position among the inputs or states.
        nbytes: length.
    """

    kind: str
    place: int
    nbytes: int

    def overlaps(self, other: Buffer) -> bool:
        """Whether a byte of memory belongs to both."""
        if self.kind != "arena" or other.kind != "arena":
            return (self.kind, self.place) == (other.kind, other.place)
        apart = self.place + self.nbytes <= other.place or other.place + other.nbytes <= self.place
        return not apart


@dataclass
class Memory:
    """The buffers of all values, and the arena's length.

    Args:
        of: the buffer of each node that has one.
        nbytes: length of the arena.
        fixed: bytes at its beginning that keep their contents between calls.
        temporary: sum of the lengths of all temporaries, which share the rest.
    """

    of: dict[Node, Buffer]
    nbytes: int
    fixed: int
    temporary: int


def _rounded(nbytes: int) -> int:
    return max(-(-nbytes // ALIGNMENT), 1) * ALIGNMENT


# The first and the last time of each stretch of time in which a value is needed.
_Life: TypeAlias = list[tuple[int, int]]


class _Arena:
    """Places intervals of time in as few bytes as a greedy choice finds."""

    def __init__(self, start: int) -> None:
        self.top = start
        self.start = start
        # Of what is placed: the first and last time, the first byte, and the one after the last.
        self._placed = np.empty((64, 4), np.int64)
        self._count = 0

    def place(self, life: _Life, nbytes: int) -> int:
        """Return the lowest offset that is free at all times of a life."""
        placed = self._placed[: self._count]
        meets = [(placed[:, 1] >= first) & (placed[:, 0] <= last) for first, last in life]
        busy = placed[np.logical_or.reduce(meets), 2:]
        offset = self.start
        for low, high in busy[np.argsort(busy[:, 0])].tolist():
            if offset + nbytes <= low:
                break
            offset = max(offset, high)
        for first, last in life:
            if self._count == len(self._placed):
                self._placed = np.concatenate([self._placed, np.empty_like(self._placed)])
            self._placed[self._count] = first, last, offset, offset + nbytes
            self._count += 1
        self.top = max(self.top, offset + nbytes)
        return offset


def plan_memory(
    graph: Graph,
    plan: Plan,
    times: Mapping[Stage, int],
    segments: Mapping[Stage, int],
    *,
    spared: int = _SPARED,
) -> Memory:
    """Give every stored value a buffer.

    Args:
        graph: what is computed.
        plan: its stages.
        times: when each stage runs; some run at the same time.
        segments: for each stage, how many barriers come before it, if threads share stages.
        spared: bytes of temporaries up to which memory is used again only after a barrier.
    """
    of: dict[Node, Buffer] = {}
    for i, node in enumerate(graph.inputs):
        of[node] = Buffer("input", i, node.nbytes)
    for i, state in enumerate(graph.states):
        of[state.node] = Buffer("state", i, state.node.nbytes)
    top = ALIGNMENT  # before it, what value checks found
    for node in [*graph.numbers, *[n for n in graph.nodes() if n.array is not None]]:
        of[node] = Buffer("arena", top, node.nbytes)
        top += _rounded(node.nbytes)
    fixed = top
    lives = lives_of(graph, plan, times)
    if segments and sum(_rounded(n.nbytes) for n in lives if n not in plan.in_place) <= spared:
        lives = lives_of(graph, plan, segments)
    arena = _Arena(fixed)
    temporary = 0
    # The largest first: they are the hardest to place.
    for node in sorted(lives, key=lambda n: -n.nbytes):
        home = plan.in_place.get(node)
        if home is not None:
            of[node] = of[graph.states[home].node]
            continue
        if node is plan.refused:
            of[node] = Buffer("arena", REFUSED, node.nbytes)
            continue
        of[node] = Buffer("arena", arena.place(lives[node], _rounded(node.nbytes)), node.nbytes)
        temporary += _rounded(node.nbytes)
    return Memory(of, arena.top, fixed, temporary)


def lives_of(graph: Graph, plan: Plan, order: Mapping[Stage, int]) -> dict[Node, _Life]:
    """Return when each stored value is needed.

    What a deferred gradient is computed of is needed by the next run, too, until it is known that
    this one changes anything at all.
    """
    end = len(plan.stages)
    lives = {n: (order[plan.stage_of[n]],) * 2 for n in plan.stored}
    for stage in plan.stages:
        for node in stage.nodes:
            for x in node.inputs:
                root = plan.layouts.of(x).root
                if root in lives:
                    lives[root] = (lives[root][0], max(lives[root][1], order[stage]))
    parts = [x for n in plan.deferred.values() for x in n.inputs]
    for node in [*graph.roots(), *parts]:
        root = plan.layouts.of(node).root
        if root in lives:
            lives[root] = (lives[root][0], end)
    found = {node: [life] for node, life in lives.items()}
    checked = min([order[stage] for stage in plan.lasting], default=-1)
    for node in parts:
        root = plan.layouts.of(node).root
        if root in found and checked >= 0:
            found[root].append((0, checked))
    return found


def verify_plan(graph: Graph, plan: Plan, times: Mapping[Stage, int], memory: Memory) -> None:
    """Check the order of the stages, and that no two values need the same memory at once.

    Raises:
        GraphError: naming the nodes.
    """
    order = {stage: i for i, stage in enumerate(plan.stages)}
    stored = set(plan.stored)
    for stage in plan.stages:
        # A loop nest has its values in registers, and a kernel what its results are made of.
        done = set(stage.nodes) if not stage.is_kernel else set(stage.nodes[:1])
        for node in stage.nodes:
            for x in node.inputs:
                root = plan.layouts.of(x).root
                if root.primitive is None or root in done:
                    continue
                if root not in stored or order[plan.stage_of[root]] >= order[stage]:
                    raise GraphError(f"fuse: {node} reads {root} before it is there.")
    _verify_overwriting(graph, plan, order)
    lives = [(n, x) for n, x in lives_of(graph, plan, times).items() if n not in plan.in_place]
    for i, (a, life) in enumerate(lives):
        for b, other in lives[:i]:
            apart = all(p[1] < q[0] or q[1] < p[0] for p in life for q in other)
            p, q = memory.of[a], memory.of[b]
            disjoint = p.place + p.nbytes <= q.place or q.place + q.nbytes <= p.place
            if not apart and not disjoint:
                raise GraphError(f"memory: {a} and {b} are alive at once in the same place.")


def _verify_overwriting(graph: Graph, plan: Plan, order: dict[Stage, int]) -> None:
    """Check that a state that is updated in place is not read later."""
    written = {
        graph.states[home].node: order[plan.stage_of[n]] for n, home in plan.in_place.items()
    }
    for stage in plan.stages:
        for node in stage.nodes:
            for x in node.inputs:
                root = plan.layouts.of(x).root
                if order[stage] > written.get(root, len(order)):
                    raise GraphError(f"fuse: {node} reads {root} after it was overwritten.")
    checked = max([order[stage] for stage in plan.checking], default=-1)
    for stage in plan.lasting:
        if order[stage] <= checked:
            raise GraphError(f"fuse: {stage.nodes} are written before the values are checked.")
