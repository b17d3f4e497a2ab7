"""Loops: stages, memory and partitions of a step, and whether threads share its rows or steps."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from schuss.compiler.graph.body import Body
from schuss.compiler.graph.graph import Graph, Node
from schuss.compiler.graph.partition import Partition, Partitioning
from schuss.compiler.kernels.cost import cost_of
from schuss.compiler.kernels.loop import LoopPlan, rounded
from schuss.compiler.schedule.aliasing import plan_stages
from schuss.compiler.schedule.fusion import fuse
from schuss.compiler.schedule.loop_nest import Nest
from schuss.compiler.schedule.memory import Memory, plan_memory, verify_plan
from schuss.compiler.schedule.partitioning import partitionings_of, used_by
from schuss.compiler.schedule.rematerialize import rematerialize
from schuss.compiler.schedule.schedule import Schedule
from schuss.compiler.schedule.stages import Plan, Stage
from schuss.primitives.loop import loop

__all__ = ["StepProgram", "plan_loops"]


@dataclass(frozen=True, eq=False)
class StepProgram:
    """All that is decided about one step of a loop.

    Args:
        graph: of the step.
        plan: its stages.
        schedule: how threads share them.
        memory: its buffers.
    """

    graph: Graph
    plan: Plan
    schedule: Schedule
    memory: Memory


def plan_loops(graph: Graph, *, verify: bool) -> None:
    """Plan the loops of a graph, those within their steps first.

    Args:
        graph: with bodies that are ready.
        verify: whether to check the plans.
    """
    for node in graph.nodes():
        if node.primitive is loop:
            body: Body = node.attributes["body"]
            plan_loops(body.graph, verify=verify)
            if verify:
                body.graph.verify("loops")
            body.plan = _plan(body, verify=verify)
            body.workspace = body.plan.workspace(body)
            node.shape = (body.workspace,)
            node.size = body.workspace


def _plan(body: Body, *, verify: bool) -> LoopPlan:
    graph = body.graph
    fuser = fuse(graph)
    rematerialize(fuser)
    plan = plan_stages(fuser)
    assert not plan.copies, "the bodies of loops are made so that nothing has to be copied"
    nests = {s: Nest(s, plan) for s in plan.stages if not s.is_kernel}
    by_steps = not body.carried and body.length > 1
    shared = None if by_steps else _by_rows(body, plan, nests)
    rows = 1 if shared is None else next(iter(shared.values())).count
    alone = {s: Partition(partitionings_of(s, nests.get(s))[-1], 1) for s in plan.stages}
    schedule = Schedule(nests, shared or alone, {}, {})
    # By rows of their own, threads may be at several stages, and steps, at once.
    segments = {} if shared is None else dict.fromkeys(plan.stages, 0)
    memory = plan_memory(graph, plan, schedule.times, segments, spared=sys.maxsize)
    if verify:
        verify_plan(graph, plan, segments or schedule.times, memory)
    scratch = max([s.kernel.scratch_bytes for s in plan.stages if s.kernel is not None], default=0)
    parts = body.length if by_steps else rows

    def buffers(node: Node) -> tuple[str, int, int]:
        buffer = memory.of[node]
        return buffer.kind, buffer.place, buffer.nbytes

    return LoopPlan(
        partitionings=(Partitioning(parts, count=parts), Partitioning(parts)),
        scratch_bytes=scratch + by_steps * rounded(memory.nbytes),
        program=StepProgram(graph, plan, schedule, memory),
        buffers=buffers,
        arena=memory.nbytes,
        rows=rows,
        by_steps=by_steps,
        flops=body.length * sum(cost_of(n) for s in plan.stages for n in s.nodes),
    )


def _by_rows(body: Body, plan: Plan, nests: Mapping[Stage, Nest]) -> dict[Stage, Partition] | None:
    """Return how threads share the steps so that each keeps to rows of its own; None if not."""
    _, sliced, fixed = body.inputs
    read_only = {*sliced, *fixed}
    options: dict[Stage, list[Partitioning]] = {}
    counts: set[int] | None = None
    for stage in plan.stages:
        written = used_by(stage, nests.get(stage), plan.layouts) - read_only
        found = [
            p
            for p in partitionings_of(stage, nests.get(stage))
            if p.extent > 1 and {n for n in written if n.array is None} <= p.private
        ]
        mine = {n for p in found for n in _divisors(p)}
        counts = mine if counts is None else counts & mine
        options[stage] = found
    if not counts:
        return None
    count = max(counts)
    return {
        stage: Partition(next(p for p in found if p.extent % count == 0), count)
        for stage, found in options.items()
    }


def _divisors(partitioning: Partitioning) -> list[int]:
    """Return into how many parts the steps fall, but for one."""
    extent = partitioning.extent
    return [n for n in range(2, extent + 1) if extent % n == 0]
