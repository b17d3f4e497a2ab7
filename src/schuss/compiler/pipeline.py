"""The pipeline: from a traced graph to the text of its modules, pass by pass."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from schuss.compiler.codegen.emit_program import emit_program
from schuss.compiler.codegen.llvm_module import Module
from schuss.compiler.graph.graph import Graph, Node
from schuss.compiler.passes.half_storage import store_in_halves
from schuss.compiler.passes.layout_assignment import assign_layouts
from schuss.compiler.passes.legalize import legalize
from schuss.compiler.passes.loops import prepare_loops
from schuss.compiler.passes.on_demand import split_on_demand
from schuss.compiler.passes.permutations import move_permutations
from schuss.compiler.passes.simplify import simplify
from schuss.compiler.passes.split_products import split_products
from schuss.compiler.passes.split_reductions import split_reductions
from schuss.compiler.runtime.artifact import Artifact, Place, View
from schuss.compiler.schedule.aliasing import plan_stages
from schuss.compiler.schedule.fusion import fuse
from schuss.compiler.schedule.loops import plan_loops
from schuss.compiler.schedule.memory import Memory, plan_memory, verify_plan
from schuss.compiler.schedule.recompute import candidates
from schuss.compiler.schedule.rematerialize import rematerialize
from schuss.compiler.schedule.schedule import Schedule, schedule
from schuss.compiler.schedule.stages import Plan

__all__ = ["Compilation", "run_pipeline"]


@dataclass
class Compilation:
    """All that the compiler found out about a program.

    Args:
        graph: rewritten.
        traced: how many nodes the graph had before.
        plan: its stages.
        schedule: their order, and how threads share them.
        memory: its buffers.
        module: its text.
    """

    graph: Graph
    traced: int
    plan: Plan
    schedule: Schedule
    memory: Memory
    module: Module

    def artifact(self, code: str) -> Artifact:
        """Return what there is to know to run it, where `code` is the name of its machine code."""
        memory, module = self.memory, self.module
        constants = [n for n in self.graph.nodes() if n.array is not None]
        return Artifact(
            code=code,
            symbols=module.symbols,
            scan=module.scan,
            arena=memory.nbytes,
            fixed=memory.fixed,
            scratch=module.scratch,
            flops=module.flops,
            has_checks=module.has_checks,
            is_parallel=module.is_parallel,
            numbers=[memory.of[n].place for n in self.graph.numbers],
            outputs=[self._place(n) for n in self.graph.outputs],
            constants=[(memory.of[n].place, _bytes(n)) for n in constants],
            deferred={
                i: (n.op, [self._view(x) for x in n.inputs]) for i, n in self.plan.deferred.items()
            },
        )

    def _place(self, node: Node) -> Place:
        buffer = self.memory.of[self.plan.layouts.of(node).root]
        return Place(buffer.kind, buffer.place)

    def _view(self, node: Node) -> View:
        part = self.plan.layouts.of(node)
        dtype = part.root.dtype
        start = self.memory.of[part.root].place + part.offset * dtype.itemsize
        strides = [step * dtype.itemsize for step in part.strides]
        return View(dtype.str, list(part.shape), start, strides)


def _bytes(node: Node) -> bytes:
    return np.ascontiguousarray(node.array).tobytes()


_PASSES: list[tuple[str, Callable[[Graph], None] | None]] = [
    ("trace", None),
    ("simplify", simplify),
    ("permute", move_permutations),
    ("loops", prepare_loops),
    ("split", split_reductions),
    ("orient", assign_layouts),
    ("cut", split_products),
    ("halves", store_in_halves),
    ("legalise", legalize),
]


def run_pipeline(graph: Graph) -> Compilation:
    """Decide everything about the program of a graph, which is rewritten.

    Raises:
        GraphError: under SCHUSS_DEBUG=verify, when a pass left something wrong.
    """
    verify = os.environ.get("SCHUSS_DEBUG") == "verify"
    traced = len(graph.nodes())
    for name, stage in _PASSES:
        if stage is not None:
            stage(graph)
        if verify:
            graph.verify(name)
    plan_loops(graph, verify=verify)
    graph, plan, scheduled, memory = _within_limit(graph)
    if verify:
        verify_plan(graph, plan, scheduled.times, memory)
    module = emit_program(graph, plan, scheduled, memory, in_segments=verify)
    return Compilation(graph, traced, plan, scheduled, memory, module)


# After so many graphs in a row that take no less memory no others are tried.
_MOST_WORSE = 3

_Planned: TypeAlias = tuple[Graph, Plan, Schedule, Memory]


def _planned(graph: Graph) -> _Planned:
    fuser = fuse(graph, split_on_demand(graph))
    rematerialize(fuser)
    plan = plan_stages(fuser)
    scheduled = schedule(graph, plan)
    return graph, plan, scheduled, plan_memory(graph, plan, scheduled.times, scheduled.segments)


def _within_limit(graph: Graph) -> _Planned:
    """Return a graph with its plan, computing as little again as its limit of memory asks for."""
    best = first = _planned(graph)
    limit = graph.memory
    if limit is None or first[-1].nbytes <= limit:
        return first
    worse = 0
    for candidate in candidates(*first[:-1]):
        found = _planned(candidate)
        worse += 1
        if found[-1].nbytes < best[-1].nbytes:
            best, worse = found, 0
        if worse == _MOST_WORSE:
            break
        if best[-1].nbytes <= limit:
            return best
    warnings.warn(
        f"compile: expected temporaries of at most {limit:,} bytes, got {best[-1].nbytes:,} with "
        "all that pays computed again; smaller batches take less.",
        stacklevel=2,
    )
    return best
