"""Memory planning: the buffer of each value, temporary ones by their liveness in one arena."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schuss.compiler.graph.abi import ALIGNMENT
from schuss.compiler.graph.graph import Graph, GraphError, Node
from schuss.compiler.schedule.stages import Plan, Stage

__all__ = ["Buffer", "Memory", "plan_memory", "verify_plan"]

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


class _Arena:
    """Places intervals of time in as few bytes as a greedy choice finds."""

    def __init__(self, start: int) -> None:
        self.top = start
        self.start = start
        self._placed: list[tuple[int, int, int, int]] = []

    def place(self, first: int, last: int, nbytes: int) -> int:
        """Return the lowest offset free from time `first` to `last`."""
        busy = sorted((o, o + n) for f, t, o, n in self._placed if not (t < first or last < f))
        offset = self.start
        for low, high in busy:
            if offset + nbytes <= low:
                break
            offset = max(offset, high)
        self._placed.append((first, last, offset, nbytes))
        self.top = max(self.top, offset + nbytes)
        return offset


def plan_memory(
    graph: Graph, plan: Plan, times: Mapping[Stage, int], segments: Mapping[Stage, int]
) -> Memory:
    """Give every stored value a buffer.

    Args:
        graph: what is computed.
        plan: its stages.
        times: when each stage runs; some run at the same time.
        segments: for each stage, how many barriers come before it, if threads share stages.
    """
    of: dict[Node, Buffer] = {}
    for i, node in enumerate(graph.inputs):
        of[node] = Buffer("input", i, node.nbytes)
    for i, state in enumerate(graph.states):
        of[state.node] = Buffer("state", i, state.node.nbytes)
    top = ALIGNMENT  # the status word
    for node in [*graph.numbers, *[n for n in graph.nodes() if n.array is not None]]:
        of[node] = Buffer("arena", top, node.nbytes)
        top += _rounded(node.nbytes)
    fixed = top
    lives = _lives(graph, plan, times)
    if segments and sum(_rounded(n.nbytes) for n in lives if n not in plan.in_place) <= _SPARED:
        lives = _lives(graph, plan, segments)
    arena = _Arena(fixed)
    temporary = 0
    # The largest first: they are the hardest to place.
    for node in sorted(lives, key=lambda n: -n.nbytes):
        home = plan.in_place.get(node)
        if home is not None:
            of[node] = of[graph.states[home].node]
            continue
        first, last = lives[node]
        of[node] = Buffer("arena", arena.place(first, last, _rounded(node.nbytes)), node.nbytes)
        temporary += _rounded(node.nbytes)
    return Memory(of, arena.top, fixed, temporary)


def _lives(graph: Graph, plan: Plan, order: Mapping[Stage, int]) -> dict[Node, tuple[int, int]]:
    """Return the first and the last time that each stored value is used."""
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
    return lives


def verify_plan(graph: Graph, plan: Plan, times: Mapping[Stage, int], memory: Memory) -> None:
    """Check the order of the stages, and that no two values need the same memory at once.

    Raises:
        GraphError: naming the nodes.
    """
    order = {stage: i for i, stage in enumerate(plan.stages)}
    stored = set(plan.stored)
    for stage in plan.stages:
        done = {n for n in stage.nodes if not stage.is_kernel}
        for node in stage.nodes:
            for x in node.inputs:
                root = plan.layouts.of(x).root
                if root.primitive is None or root in done:
                    continue
                if root not in stored or order[plan.stage_of[root]] >= order[stage]:
                    raise GraphError(f"fuse: {node} reads {root} before it is there.")
    _verify_overwriting(graph, plan, order)
    lives = [(n, *life) for n, life in _lives(graph, plan, times).items() if n not in plan.in_place]
    for i, (a, first_a, last_a) in enumerate(lives):
        for b, first_b, last_b in lives[:i]:
            apart = last_a < first_b or last_b < first_a
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
