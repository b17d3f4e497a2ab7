"""From a plan to the text of one module: a function for each stage, the step, and many steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from schuss.compiler.codegen.denormals import flushing
from schuss.compiler.codegen.llvm_module import Module, Part
from schuss.compiler.codegen.loops import LoopEmitter
from schuss.compiler.codegen.stage_key import StageKey
from schuss.compiler.graph.abi import ALIGNMENT, ARENA, CONTROL, FIRST_BUFFER, ON_DEMAND, SCRATCH
from schuss.compiler.graph.graph import Graph, Node, cost_of
from schuss.compiler.graph.partition import Partition
from schuss.compiler.kernels.dispatch import scratch_of, write_kernel
from schuss.compiler.kernels.kernel import KernelEmitter
from schuss.compiler.schedule.barriers import AccessSet, barriers_before
from schuss.compiler.schedule.memory import Buffer, Memory
from schuss.compiler.schedule.partitioning import used_by
from schuss.compiler.schedule.schedule import Schedule
from schuss.compiler.schedule.stages import Plan, Stage
from schuss.lowering.ir_builder import Function, Scalar

__all__ = ["emit_program"]

# A step of more calls than these is not optimised: that takes long, and the calls take longer.
_MANY_CALLS = 64


@dataclass
class _Call:
    """A stage's function, the nodes whose buffers it gets, and how it is shared."""

    name: str
    nodes: list[Node]
    partition: Partition
    access_set: AccessSet
    on_demand: bool
    then: str | None = None


@dataclass
class _Written:
    """A function: its name, and which buffers of a stage it gets."""

    name: str
    parameters: list[int]


class _ProgramEmitter:
    def __init__(self, graph: Graph, plan: Plan, schedule: Schedule, memory: Memory) -> None:
        self.graph = graph
        self.plan = plan
        self.schedule = schedule
        self.memory = memory
        # Stages that are written as they should run, and loops that LLVM makes vectors of.
        self.plain, self.loops = Part(dict(_DECLARED)), Part()
        self.names: dict[str, str] = {}
        self.written: dict[tuple[Any, ...], _Written] = {}
        self.calls: list[_Call] = []
        # What takes a product's rows over, and how many rows there are, by the name of the function
        # that calls it.
        self.epilogue_calls: dict[str, list[tuple[_Call, int]]] = {}
        self.epilogue_of: dict[Stage, tuple[str, int]] = {}
        self.functions: list[tuple[str, int]] = []
        self.stored = set(plan.stored)
        needed = [scratch_of(n, plan.layouts) for s in plan.stages if s.is_kernel for n in s.nodes]
        self.scratch = -(-max([*needed, 0]) // ALIGNMENT) * ALIGNMENT
        # What is set aside decides nothing of the rest.
        stages = [s for s in plan.stages if not s.on_demand]
        self.flops = sum(cost_of(n) for s in stages for n in s.nodes)

    @property
    def is_parallel(self) -> bool:
        """Whether threads may share the program."""
        return any(call.partition.is_parallel for call in self.calls)

    def stage(self, stage: Stage, number: int) -> None:
        """Write the function of one stage, unless one like it is written."""
        stage_key = StageKey(stage, self.plan.layouts, self.memory)
        partition = self.schedule.partitions[stage]
        epilogue_stages = self.schedule.epilogues.get(stage, [])
        key = (
            *stage_key.key,
            partition.partitioning.kind,
            partition.is_parallel,
            bool(epilogue_stages),
        )
        written = self.written.get(key)
        if written is None:
            written = self.written[key] = self._write(stage, f"stage_{number}", stage_key)
        nodes = [stage_key.holders[i] for i in written.parameters]
        access_set = self._access_set([stage, *epilogue_stages])
        self.functions.append((written.name, partition.count))
        call = _Call(written.name, nodes, partition, access_set, stage.on_demand)
        if stage in self.epilogue_of:
            name, rows = self.epilogue_of[stage]
            self.epilogue_calls[name].append((call, rows))
            return
        self.calls.append(call)
        if epilogue_stages:
            call.then = f"then_{number}"
            self.epilogue_calls[call.then] = []
            self.epilogue_of.update(
                dict.fromkeys(epilogue_stages, (call.then, partition.partitioning.extent))
            )

    def _access_set(self, stages: list[Stage]) -> AccessSet:
        """Return what memory a stage uses, together with those that follow it row by row."""
        apart: dict[Buffer, bool] = {}
        stored: set[Buffer] = set()
        for stage in stages:
            private = self.schedule.partitions[stage].partitioning.private
            for node in used_by(stage, self.schedule.nests.get(stage), self.plan.layouts):
                buffer = self.memory.of[node]
                apart[buffer] = apart.get(buffer, True) and node in private
            stored |= {self.memory.of[n] for n in stage.nodes if n in self.stored}
        mine = frozenset(buffer for buffer, is_own in apart.items() if is_own)
        count = self.schedule.partitions[stages[0]].count
        return AccessSet(frozenset(apart.keys() - stored), frozenset(stored), count, mine)

    def _write(self, stage: Stage, name: str, stage_key: StageKey) -> _Written:
        used: dict[int, str] = {}

        def pointer(node: Node) -> str:
            place = stage_key.place_of(self.memory.of[node])
            return used.setdefault(place, f"%b{len(used)}")

        f = Function(name, [])
        nest, partition = self.schedule.nests.get(stage), self.schedule.partitions[stage]
        epilogues = stage in self.schedule.epilogues
        # A single loop is the same code for all lengths; else it helps to know them.
        if not partition.is_parallel and (nest is None or not nest.is_any_length):
            f.known = {"lo": f.number(0), "hi": f.number(partition.partitioning.extent)}
        if nest is not None:
            LoopEmitter(nest, pointer, f).write()
        else:
            node, layouts = stage.nodes[0], self.plan.layouts
            partitioning = partition.partitioning
            write_kernel(
                KernelEmitter(node, layouts, pointer, partitioning, f, epilogues=epilogues)
            )
        # What follows reads what it writes.
        kind = "ptr" if epilogues else "ptr noalias"
        f.parameters = [f"{kind} {p}" for p in (*used.values(), "%scratch", "%status")]
        f.parameters += ["i64 %lo", "i64 %hi", *(["ptr %then", "ptr %table"] if epilogues else [])]
        # Loops of other lengths may turn out to be the same code, too.
        body = f.text("hidden ")
        known = self.names.setdefault(body.replace(f"@{name}(", "@(", 1), name)
        if known == name:
            is_loop = math.prod(stage.shape or ()) > 1
            part = self.loops if is_loop else self.plain
            part.functions[f"@{name}"] = body
            part.declared.update(f.declared)
            kinds = ", ".join(p.rpartition(" ")[0] for p in f.parameters)
            self.plain.declared[f"@{name}"] = f"declare void @{name}({kinds})"
        return _Written(known, list(used))

    def step(self) -> str:
        """Write the function that runs all stages, as thread `%tid` of `%nt`."""
        many = len(self.calls) > _MANY_CALLS
        parameters = ["ptr %table", "i64 %tid", "i64 %nt"]
        f = Function("step", parameters, attributes="#2" if many else "#0")
        f.emit("%mode = call i64 @flush()")
        arena = self._entry(f, ARENA)
        control = self._entry(f, CONTROL)
        scratch = f.parameter("tid", "i64") * (self.scratch // 8)
        scratch_at = f.address(self._entry(f, SCRATCH), scratch, "i64")
        requested = f.load("%table", ON_DEMAND, "i64").ne(0) if self.graph.on_demand else None
        waits = iter(
            barriers_before([call.access_set for call in self.calls if not call.on_demand])
        )
        for _, group in groupby(self.calls, key=lambda call: call.on_demand):
            calls = list(group)
            if requested is not None and calls[0].on_demand:
                with f.when(requested):
                    # The meetings of the rest do not depend on these.
                    self._barrier(f, control)
                    inner = iter(barriers_before([call.access_set for call in calls]))
                    self._run(f, calls, inner, arena, scratch_at, control)
                    self._barrier(f, control)
            else:
                self._run(f, calls, waits, arena, scratch_at, control)
        self._barrier(f, control)
        if self.plan.copies:
            self._copy_updates(f, arena)
            self._barrier(f, control)
        f.emit("call void @restore(i64 %mode)")
        return f.text("")

    def _run(
        self,
        f: Function,
        calls: list[_Call],
        waits: Iterator[bool],
        arena: str,
        scratch: str,
        control: str,
    ) -> None:
        """Run some stages, each after a meeting where `waits` says so."""
        tid, nt = f.parameter("tid", "i64"), f.parameter("nt", "i64")
        for call in calls:
            if next(waits):
                self._barrier(f, control)
            partition = call.partition
            if not partition.is_parallel:
                with f.when(tid.eq(0)):
                    bounds = [f.number(0), f.number(partition.partitioning.extent)]
                    self._call(f, call, (arena, scratch), bounds)
            else:
                ends = [
                    (at * partition.count).op("sdiv", nt) * partition.unit for at in (tid, tid + 1)
                ]
                self._call(f, call, (arena, scratch), ends)

    def _call(
        self, f: Function, call: _Call, memory: tuple[str, str], steps: Sequence[Scalar]
    ) -> None:
        """Call a stage's function for some of its steps, given the arena and working memory."""
        arena, scratch = memory
        # To compute an address again is cheaper than to keep it over so many calls.
        pointers: dict[int, str] = {}
        arguments = [f"ptr {self._pointer(f, arena, node, pointers)}" for node in call.nodes]
        arguments += [f"ptr {scratch}", f"ptr {arena}"]
        arguments += [step.typed for step in steps]
        if call.then is not None:
            arguments += [f"ptr @{call.then}", "ptr %table"]
        f.emit(f"call void @{call.name}({', '.join(arguments)})")

    def write_epilogues(self) -> None:
        """Write the functions that a product calls when some of its rows are computed."""
        for name, calls in self.epilogue_calls.items():
            f = Function(name, ["ptr %table", "i64 %lo", "i64 %hi"])
            arena = self._entry(f, ARENA)
            bounds = f.parameter("lo", "i64"), f.parameter("hi", "i64")
            for call, rows in calls:
                steps = call.partition.partitioning.extent // rows
                self._call(f, call, (arena, "null"), [row * steps for row in bounds])
            self.plain.functions[f"@{name}"] = f.text("hidden ")
            self.plain.declared[f"@{name}"] = f"declare void @{name}(ptr, i64, i64)"

    def _barrier(self, f: Function, control: str) -> None:
        """Let all threads wait for each other, where there may be more than one."""
        if self.is_parallel:
            f.emit(f"call void @schuss_barrier(ptr {control}, i64 %tid, i64 %nt)")

    def _copy_updates(self, f: Function, arena: str) -> None:
        """Copy the updates that could not be written in place into their states."""
        pairs = []
        pointers: dict[int, str] = {}
        for place, node in self.plan.copies:
            old = self.graph.states[place].node
            source = self.plan.layouts.of(node).root
            ends = [self._pointer(f, arena, n, pointers) for n in (old, source)]
            pairs.append((ends[0], ends[1], old.nbytes))
        with f.when(f.parameter("tid", "i64").eq(0)):
            for target, origin, nbytes in pairs:
                self._copy(f, (target, f.number(0)), (origin, f.number(0)), nbytes)

    @staticmethod
    def _entry(f: Function, place: int) -> str:
        at = f.address("%table", place, "i64")
        name = f.fresh("t")
        f.emit(f"{name} = load ptr, ptr {at}")
        return name

    def _pointer(self, f: Function, arena: str, node: Node, known: dict[int, str]) -> str:
        buffer = self.memory.of[node]
        found = known.get(id(buffer))
        if found is None:
            if buffer.kind == "arena":
                found = f.address(arena, buffer.place // 8, "i64")
            else:
                place = buffer.place + (len(self.graph.inputs) if buffer.kind == "state" else 0)
                found = self._entry(f, FIRST_BUFFER + place)
            known[id(buffer)] = found
        return found

    def scan(self) -> str:
        """Write the function that gathers a batch and runs the step, many times.

        The table's last entry points to: steps, the index array, then for each input its array
        and number of rows, then for each output the array that takes its values, then the values
        of the graph's numbers for each step (8 bytes a number), or null where they stay, then
        a word for each step, not 0 where it computes what is set aside, then the step itself.
        """
        graph = self.graph
        f = Function("scan", ["ptr %table", "i64 %tid", "i64 %nt"], attributes="#1")
        tid, nt = f.parameter("tid", "i64"), f.parameter("nt", "i64")
        arena, control = self._entry(f, ARENA), self._entry(f, CONTROL)
        block = self._entry(f, FIRST_BUFFER + len(graph.inputs) + len(graph.states))
        batch = graph.inputs[0].shape[0] if graph.inputs and graph.inputs[0].shape else 0
        entries = [f.fresh("e") for _ in range(5 + 2 * len(graph.inputs) + len(graph.outputs))]
        for i, name in enumerate(entries):
            kind = "i64" if i == 0 or (2 <= i < 2 + 2 * len(graph.inputs) and i % 2) else "ptr"
            f.emit(f"{name} = load {kind}, ptr {f.address(block, i, 'i64')}")
        low, high = (tid * batch).op("sdiv", nt), ((tid + 1) * batch).op("sdiv", nt)
        with f.loop(0, Scalar(f, entries[0], "i64")) as step:
            for i, node in enumerate(graph.inputs):
                target = self._entry(f, FIRST_BUFFER + i)
                source, rows = entries[2 + 2 * i], Scalar(f, entries[3 + 2 * i], "i64")
                nbytes = node.nbytes // max(batch, 1)
                with f.loop(low, high) as row:
                    place = f.load(entries[1], step * batch + row, "i64")
                    place = place.lt(0).where(place + rows, place)
                    outside = place.lt(0) | place.ge(rows)
                    with f.when(outside):
                        f.store(f.number(1), arena, 0)
                    place = outside.where(place.like(0), place)
                    self._copy(f, (target, row * nbytes), (source, place * nbytes), nbytes)
            if graph.numbers:
                with f.when(tid.eq(0)), f.when(f.make(f"icmp ne ptr {entries[-3]}, null", "i1")):
                    self._set_numbers(f, arena, entries[-3], step)
            if graph.on_demand:
                with f.when(tid.eq(0)):
                    f.store(f.load(entries[-2], step, "i64"), "%table", ON_DEMAND)
            self._barrier(f, control)
            f.emit(f"call void {entries[-1]}(ptr %table, i64 %tid, i64 %nt)")
            with f.when(tid.eq(0)):
                for i, node in enumerate(graph.outputs):
                    target = entries[2 + 2 * len(graph.inputs) + i]
                    with f.when(f.make(f"icmp ne ptr {target}, null", "i1")):
                        buffer = self._pointer(f, arena, self.plan.layouts.of(node).root, {})
                        where = (target, step * node.nbytes)
                        self._copy(f, where, (buffer, f.number(0)), node.nbytes)
        with f.when(tid.eq(0)):
            # A single call computes everything.
            f.store(f.number(1), "%table", ON_DEMAND)
        return f.text("")

    def _set_numbers(self, f: Function, arena: str, values: str, step: Scalar) -> None:
        """Copy a step's values of the graph's numbers to where the stages read them."""
        count = len(self.graph.numbers)
        for i, node in enumerate(self.graph.numbers):
            target = self._pointer(f, arena, node, {})
            at = (step * count + i) * 8
            self._copy(f, (target, f.number(0)), (values, at), node.nbytes)

    @staticmethod
    def _copy(
        f: Function, target: tuple[str, Scalar], source: tuple[str, Scalar], nbytes: int
    ) -> None:
        ends = [f.fresh("q") for _ in range(2)]
        for name, (pointer, offset) in zip(ends, (target, source), strict=True):
            f.emit(f"{name} = getelementptr inbounds i8, ptr {pointer}, {offset.typed}")
        f.emit(
            f"call void @llvm.memcpy.p0.p0.i64(ptr {ends[0]}, ptr {ends[1]}, i64 {nbytes}, "
            "i1 false)"
        )


# The step on one thread for the table that was bound: a call without arguments is the quickest.
_ALONE = """@bound = internal global ptr null
define void @bind(ptr %table) {
  store ptr %table, ptr @bound
  ret void
}
define void @alone() {
  %table = load ptr, ptr @bound
  call void @step(ptr %table, i64 0, i64 1)
  ret void
}"""


_DECLARED = {
    "@schuss_barrier": "declare void @schuss_barrier(ptr, i64, i64)",
    "@llvm.memcpy.p0.p0.i64": "declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)",
}


def emit_program(graph: Graph, plan: Plan, schedule: Schedule, memory: Memory) -> Module:
    """Write the module of a whole program.

    Args:
        graph: what is computed.
        plan: its stages.
        schedule: how threads share them.
        memory: its buffers.
    """
    emitter = _ProgramEmitter(graph, plan, schedule, memory)
    for number, stage in enumerate(plan.stages):
        emitter.stage(stage, number)
    emitter.write_epilogues()
    plain, loops = emitter.plain, emitter.loops
    plain.functions["@step"] = "\n".join([emitter.step(), flushing(graph), _ALONE])
    return Module(
        loops.texts(),
        plain.texts(),
        Part(_DECLARED, {"@scan": emitter.scan()}).text(),
        sorted({*plain.symbols, *loops.symbols}),
        emitter.scratch,
        emitter.functions,
        any(
            n.op in ("gather", "segment_lists", "scatter_add") for s in plan.stages for n in s.nodes
        ),
        emitter.flops,
        emitter.is_parallel,
    )
