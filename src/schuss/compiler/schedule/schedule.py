"""The order in which stages run, and how threads share each of them.

Where one stage after the other is shared by the same rows, and each share reads and writes rows of
its own, no thread waits for another between them. So as many stages as possible run before threads
have to meet.
"""

from __future__ import annotations

from dataclasses import dataclass

from schuss.compiler.graph.abi import QUICK
from schuss.compiler.graph.graph import Graph, Node, cost_of
from schuss.compiler.graph.partition import BY_ROWS, Share
from schuss.compiler.kernels.matmul import can_be_followed
from schuss.compiler.schedule.fusion import Plan, Stage, has_rows
from schuss.compiler.schedule.loop_nest import Nest
from schuss.compiler.schedule.partitioning import used_by, ways_of

__all__ = ["Schedule", "schedule"]

# A stage of fewer operations is left to one thread: to meet the others would take longer.
_WORTH_SHARING = 20_000


@dataclass(frozen=True)
class Schedule:
    """How stages are shared.

    Args:
        nests: the loops of the stages that are no kernels of their own kind.
        shares: how each stage is shared.
        segments: for each stage, how many meetings come before it.
        followed: for a product, the loops that take its rows over as they are computed.
    """

    nests: dict[Stage, Nest]
    shares: dict[Stage, Share]
    segments: dict[Stage, int]
    followed: dict[Stage, list[Stage]]

    @property
    def times(self) -> dict[Stage, int]:
        """The stages' times in their order; what takes rows over runs at the product's time."""
        return {s: i for i, s in enumerate(self.shares)} | {
            follower: i for i, s in enumerate(self.shares) for follower in self.followed.get(s, ())
        }


@dataclass(frozen=True)
class _Use:
    """How a stage uses a value in memory: in how many shares, each its own part, writing."""

    count: int
    own: bool
    writes: bool

    def goes_with(self, other: _Use) -> bool:
        """Whether neither has to wait for the other."""
        if not (self.writes or other.writes):
            return True
        return self.count == other.count and (self.count == 1 or (self.own and other.own))


class _Scheduler:
    def __init__(self, graph: Graph, plan: Plan, nests: dict[Stage, Nest]) -> None:
        self.plan = plan
        self.homes = {n: graph.states[place].node for n, place in plan.homes.items()}
        self.stored = set(plan.stored)
        self.costs = {s: sum(map(cost_of, s.nodes)) for s in plan.stages}
        self.used = {s: used_by(s, nests.get(s), plan.layouts) for s in plan.stages}
        self.ways = {s: ways_of(s, nests.get(s), plan.layouts) for s in plan.stages}
        self.shares: dict[Stage, Share] = {}
        self.segments: dict[Stage, int] = {}
        # How the stages since the last meeting use memory.
        self.uses: dict[Node, set[_Use]] = {}
        self.followed: dict[Stage, list[Stage]] = {}
        # The stages that have their place, as bits.
        self.done = 0

    def run(self) -> list[Stage]:
        """Give all stages shares and segments; return them in their order."""
        order: list[Stage] = []
        waiting, segment = list(self.plan.stages), 0
        while waiting:
            # What is set aside meets for itself, and comes where the rest has to meet anyway.
            found = self._place(waiting, segment, aside=False)
            found = found or self._place(waiting, segment, aside=True)
            if not found:
                self.uses.clear()
                segment += 1
                continue
            order += found
            waiting = [s for s in waiting if s not in self.shares]
        return order

    def _place(self, waiting: list[Stage], segment: int, *, aside: bool) -> list[Stage]:
        """Place the stages that can run before the next meeting."""
        found: list[Stage] = []
        for stage in waiting:
            if stage.aside is not aside or stage.before & ~self.done or stage in self.shares:
                continue
            share = self._share(stage)
            if share is None:
                continue
            found.append(stage)
            self.done |= 1 << stage.number
            self.shares[stage], self.segments[stage] = share, segment
            if self._can_be_followed(stage, share):
                found += self._followers(stage, share, waiting)
        return found

    def _can_be_followed(self, stage: Stage, share: Share) -> bool:
        node = stage.nodes[0]
        is_by_rows = share.way.kind == BY_ROWS and share.is_shared
        return is_by_rows and can_be_followed(node, self.plan.layouts)

    def _followers(self, product: Stage, share: Share, waiting: list[Stage]) -> list[Stage]:
        """Place the loops that can take rows of a product over as they are computed."""
        found: list[Stage] = []
        needed = 1 << product.number
        for stage in waiting:
            is_loop = not (stage.special or stage.aside or has_rows(stage))
            is_ready = not stage.before & ~self.done and stage not in self.shares
            if not (is_loop and is_ready and stage.before & needed):
                continue
            own = self._share(stage, following=share)
            if own is not None:
                found.append(stage)
                self.done |= 1 << stage.number
                needed |= 1 << stage.number
                self.shares[stage], self.segments[stage] = own, self.segments[product]
        if found:
            self.followed[product] = found
        return found

    def _share(self, stage: Stage, following: Share | None = None) -> Share | None:
        """Return how to share a stage without a meeting before it, or None.

        With `following`, each row of a product that is shared so means some steps of the stage.
        """
        if stage.aside:
            return self._tries(stage, set())[0]
        values: dict[Node, list[Node]] = {}
        for node in self.used[stage]:
            values.setdefault(self.homes.get(node, node), []).append(node)
        written = {self.homes.get(n, n) for n in stage.nodes if n in self.stored}
        counts = {use.count for v in values for use in self.uses.get(v, ())}
        for share in self._tries(stage, counts):
            if following is not None and not _can_follow(share, following):
                continue
            own = share.way.own
            uses = {
                value: _Use(share.count, own.issuperset(nodes), value in written)
                for value, nodes in values.items()
            }
            if all(use.goes_with(x) for v, use in uses.items() for x in self.uses.get(v, ())):
                for value, use in uses.items():
                    self.uses.setdefault(value, set()).add(use)
                return share
        return None

    def _tries(self, stage: Stage, counts: set[int]) -> list[Share]:
        """Return the shares that may suit a stage, the best ones first."""
        ways, cost = self.ways[stage], self.costs[stage]
        alone = Share(ways[-1], 1)
        shared = [
            Share(way, count)
            for way in ways
            for count in dict.fromkeys([way.count, *sorted(counts)])
            if count > 1 and way.extent % count == 0
        ]
        if cost >= _WORTH_SHARING:
            return shared or [alone]
        # Where it is not worth a meeting, it may still follow those that share the same rows.
        written = {n for n in stage.nodes if n in self.stored}
        is_by_rows = any(written <= way.own for way in ways)
        return [*shared, alone] if is_by_rows else [alone, *shared]


def _can_follow(share: Share, product: Share) -> bool:
    return share.count == product.count and share.way.extent % product.way.extent == 0


def schedule(graph: Graph, plan: Plan) -> Schedule:
    """Decide how stages are shared, and put them into the order that needs the fewest meetings."""
    nests = {s: Nest(s, plan) for s in plan.stages if not s.special}
    scheduler = _Scheduler(graph, plan, nests)
    if sum(cost for stage, cost in scheduler.costs.items() if not stage.aside) < QUICK:
        shares = {s: Share(ways[-1], 1) for s, ways in scheduler.ways.items()}
        return Schedule(nests, shares, {}, {})
    plan.stages = scheduler.run()
    return Schedule(nests, scheduler.shares, scheduler.segments, scheduler.followed)
