"""Schedule: the order in which stages run, and the partition of each between threads.

Where one stage after the other is shared by the same rows, and each part reads and writes rows of
its own, no thread waits for another between them. So as many stages as possible run before the next
barrier; but where others wait for that (the gradients of weights, while the error goes on from
layer to layer), not so many that what those read would have left the caches.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from schuss.compiler.graph.abi import SINGLE_THREAD_FLOPS
from schuss.compiler.graph.graph import Graph, Node
from schuss.compiler.graph.partition import Partition
from schuss.compiler.kernels.cost import cost_of
from schuss.compiler.schedule.loop_nest import Nest
from schuss.compiler.schedule.partitioning import partitionings_of, used_by
from schuss.compiler.schedule.stages import Plan, Stage, has_rows

__all__ = ["Schedule", "schedule"]

# A stage of fewer operations is left to one thread: a barrier would take longer.
_WORTH_SHARING = 20_000
# Stages that wait for a barrier get one when others have written so many bytes in the meantime.
_MOST_WRITTEN = 1 << 20


@dataclass(frozen=True)
class Schedule:
    """How threads share the stages.

    Args:
        nests: the loops of the stages that are no kernels.
        partitions: how each stage is shared, in the stages' order.
        segments: for each stage, how many barriers come before it.
        epilogues: for a kernel, the loops that are fused into it, row by row.
    """

    nests: dict[Stage, Nest]
    partitions: dict[Stage, Partition]
    segments: dict[Stage, int]
    epilogues: dict[Stage, list[Stage]]

    @property
    def times(self) -> dict[Stage, int]:
        """The stages' times in their order; epilogues run at the time of what they belong to."""
        return {s: i for i, s in enumerate(self.partitions)} | {
            epilogue: i
            for i, s in enumerate(self.partitions)
            for epilogue in self.epilogues.get(s, ())
        }


@dataclass(frozen=True)
class _Use:
    """How a stage uses a value in memory.

    Args:
        count: in how many parts the stage is shared.
        private: whether each of them uses its own part of the value alone.
        writes: whether the value is written.
    """

    count: int
    private: bool
    writes: bool

    def goes_with(self, other: _Use) -> bool:
        """Whether neither has to wait for the other."""
        if not (self.writes or other.writes):
            return True
        return self.count == other.count and (self.count == 1 or (self.private and other.private))


class _Scheduler:
    def __init__(self, graph: Graph, plan: Plan, nests: dict[Stage, Nest]) -> None:
        self.plan = plan
        self.in_place = {n: graph.states[place].node for n, place in plan.in_place.items()}
        self.stored = set(plan.stored)
        self.costs = {s: sum(map(cost_of, s.nodes)) for s in plan.stages}
        self.used = {s: used_by(s, nests.get(s), plan.layouts) for s in plan.stages}
        self.partitionings = {s: partitionings_of(s, nests.get(s)) for s in plan.stages}
        self.partitions: dict[Stage, Partition] = {}
        self.segments: dict[Stage, int] = {}
        # How the stages since the last barrier use memory.
        self.uses: dict[Node, set[_Use]] = {}
        self.epilogues: dict[Stage, list[Stage]] = {}
        # Bytes that were written since a stage waits for a barrier.
        self.written = 0
        # The stages that have their place, as bits.
        self.done = 0
        self.position = {stage: i for i, stage in enumerate(plan.stages)}
        self.readers = _readers(plan)
        self.lasting = plan.lasting

    def run(self) -> list[Stage]:
        """Give all stages partitions and segments; return them in their order."""
        order: list[Stage] = []
        waiting, segment = list(self.plan.stages), 0
        while waiting:
            # What is computed on demand has barriers of its own, and comes at one of the others.
            found = self._place(waiting, segment, on_demand=False)
            found = found or self._place(waiting, segment, on_demand=True)
            if not found or self.written > _MOST_WRITTEN:
                self.uses.clear()
                self.written = 0
                segment += 1
            order += found
            waiting = [s for s in waiting if s not in self.partitions]
        return order

    def _place(self, waiting: list[Stage], segment: int, *, on_demand: bool) -> list[Stage]:
        """Place the stages that can run before the next barrier."""
        found: list[Stage] = []
        postponed = False
        for stage in waiting:
            if self.written > _MOST_WRITTEN:
                break
            if stage.on_demand is not on_demand or not self._is_ready(stage, segment):
                continue
            partition = self._partition(stage)
            if partition is None:
                postponed = True
                continue
            found.append(stage)
            if postponed:
                self.written += sum(n.nbytes for n in stage.nodes if n in self.stored)
            self.done |= 1 << stage.number
            self.partitions[stage], self.segments[stage] = partition, segment
            if partition.partitioning.allows_epilogue and partition.is_parallel:
                found += self._place_epilogues(stage, partition)
        return found

    def _is_ready(self, stage: Stage, segment: int) -> bool:
        """Whether a stage has no place yet, and what it needs has one.

        What lasts is written behind a barrier after the value checks, at which all threads stop if
        one of them failed.
        """
        if stage.before & ~self.done or stage in self.partitions:
            return False
        if stage not in self.lasting:
            return True
        return all(self.segments[check] < segment for check in self.plan.checking)

    def _place_epilogues(self, producer: Stage, partition: Partition) -> list[Stage]:
        """Fuse the loops into a kernel that can read its rows as soon as they are computed."""
        found: list[Stage] = []
        # Only what reads the rows, or what is computed of them, in the order of the plan.
        waiting = [(self.position[s], s) for s in self.readers.get(producer, ())]
        heapify(waiting)
        seen = {stage for _, stage in waiting}
        while waiting:
            _, stage = heappop(waiting)
            is_loop = not (stage.is_kernel or stage.on_demand or has_rows(stage))
            if not (is_loop and self._is_ready(stage, self.segments[producer])):
                continue
            own = self._partition(stage, producer=partition)
            if own is not None:
                found.append(stage)
                self.done |= 1 << stage.number
                self.partitions[stage], self.segments[stage] = own, self.segments[producer]
                for reader in self.readers.get(stage, ()):
                    if reader not in seen:
                        seen.add(reader)
                        heappush(waiting, (self.position[reader], reader))
        if found:
            self.epilogues[producer] = found
        return found

    def _partition(self, stage: Stage, producer: Partition | None = None) -> Partition | None:
        """Return how to share a stage without a barrier before it, or None.

        With `producer`, each row of a kernel that is shared so means some steps of the stage.
        """
        if stage.on_demand:
            return self._candidates(stage, set())[0]
        values: dict[Node, list[Node]] = {}
        for node in self.used[stage]:
            values.setdefault(self.in_place.get(node, node), []).append(node)
        written = {self.in_place.get(n, n) for n in stage.nodes if n in self.stored}
        counts = {use.count for v in values for use in self.uses.get(v, ())}
        for partition in self._candidates(stage, counts):
            if producer is not None and not _can_be_epilogue(partition, producer):
                continue
            private = partition.partitioning.private
            uses = {
                value: _Use(partition.count, private.issuperset(nodes), value in written)
                for value, nodes in values.items()
            }
            if all(use.goes_with(x) for v, use in uses.items() for x in self.uses.get(v, ())):
                for value, use in uses.items():
                    self.uses.setdefault(value, set()).add(use)
                return partition
        return None

    def _candidates(self, stage: Stage, counts: set[int]) -> list[Partition]:
        """Return the partitions that may suit a stage, the best ones first."""
        partitionings, cost = self.partitionings[stage], self.costs[stage]
        alone = Partition(partitionings[-1], 1)
        shared = [
            Partition(partitioning, count)
            for partitioning in partitionings
            for count in dict.fromkeys([partitioning.count, *sorted(counts)])
            if count > 1 and partitioning.extent % count == 0
        ]
        if cost >= _WORTH_SHARING:
            return shared or [alone]
        # Where it is not worth a barrier, it may still follow those that share the same rows.
        written = {n for n in stage.nodes if n in self.stored}
        is_by_rows = any(written <= partitioning.private for partitioning in partitionings)
        return [*shared, alone] if is_by_rows else [alone, *shared]


def _readers(plan: Plan) -> dict[Stage, list[Stage]]:
    """Return for each stage those that read what it computes."""
    found: dict[Stage, dict[Stage, None]] = {}
    for stage in plan.stages:
        for node in stage.nodes:
            for x in node.inputs:
                source = plan.stage_of.get(plan.layouts.of(x).root)
                if source is not None and source is not stage:
                    found.setdefault(source, {})[stage] = None
    return {source: list(readers) for source, readers in found.items()}


def _can_be_epilogue(partition: Partition, producer: Partition) -> bool:
    return partition.count == producer.count and partition.extent % producer.extent == 0


def schedule(graph: Graph, plan: Plan) -> Schedule:
    """Decide how stages are shared, and put them into the order that needs the fewest barriers."""
    nests = {s: Nest(s, plan) for s in plan.stages if not s.is_kernel}
    scheduler = _Scheduler(graph, plan, nests)
    if (
        sum(cost for stage, cost in scheduler.costs.items() if not stage.on_demand)
        < SINGLE_THREAD_FLOPS
    ):
        partitions = {
            s: Partition(partitionings[-1], 1)
            for s, partitionings in scheduler.partitionings.items()
        }
        return Schedule(nests, partitions, {}, {})
    plan.stages = scheduler.run()
    return Schedule(nests, scheduler.partitions, scheduler.segments, scheduler.epilogues)
