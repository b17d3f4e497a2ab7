"""Program emission: the LLVM text of a function for each stage, and of the step that calls them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from schuss.compiler.codegen.buffer_table import BufferTable, copy_bytes
from schuss.compiler.codegen.calls import Call, groups, place_barriers
from schuss.compiler.codegen.denormals import flushing
from schuss.compiler.codegen.emit_scan import emit_scan
from schuss.compiler.codegen.llvm_module import Module, Part
from schuss.compiler.codegen.loops import LoopEmitter
from schuss.compiler.codegen.segments import Segments
from schuss.compiler.codegen.stage_key import StageKey
from schuss.compiler.graph.abi import ALIGNMENT, ARENA, CONTROL, ON_DEMAND, SCRATCH, STATUS
from schuss.compiler.graph.graph import Graph, Node
from schuss.compiler.kernels.cost import cost_of
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.loop import StageCall
from schuss.compiler.kernels.registry import kernel_of
from schuss.compiler.schedule.barriers import AccessSet
from schuss.compiler.schedule.loops import StepProgram
from schuss.compiler.schedule.memory import Buffer, Memory
from schuss.compiler.schedule.partitioning import used_by
from schuss.compiler.schedule.schedule import Schedule
from schuss.compiler.schedule.stages import Plan, Stage
from schuss.lowering.ir_builder import Function, Scalar

__all__ = ["emit_program"]

# A step of more calls than these is not optimised: that takes long, and the calls take longer.
_MANY_CALLS = 64


@dataclass
class _Written:
    """A function: its name, and which buffers of a stage it gets."""

    name: str
    parameters: list[int]


@dataclass
class _Epilogue:
    """The loops that are fused into a kernel, which calls them as its rows are computed.

    Args:
        rows: of the kernel's result.
        calls: of the loops.
    """

    rows: int
    calls: list[Call] = field(default_factory=list)


class _ProgramEmitter:
    def __init__(self, graph: Graph, plan: Plan, schedule: Schedule, memory: Memory) -> None:
        self.graph = graph
        self.plan = plan
        self.schedule = schedule
        self.memory = memory
        self.table = BufferTable(graph, memory)
        # Stages that are written as they should run, and loops that LLVM makes vectors of.
        self.plain, self.loops = Part(dict(_DECLARED)), Part()
        self.names: dict[str, str] = {}
        self.numbers = count()
        self.written: dict[tuple[Any, ...], _Written] = {}
        self.calls: list[Call] = []
        # By name, and by the stages that are in one.
        self.epilogues: dict[str, _Epilogue] = {}
        self.epilogue_of: dict[Stage, _Epilogue] = {}
        self.functions: list[tuple[str, int]] = []
        self.stored = set(plan.stored)
        self.lasting = plan.lasting
        # Whether it is known after all calls only that a value check failed.
        self.is_left_last = False
        needed = [s.kernel.scratch_bytes for s in plan.stages if s.kernel is not None]
        self.scratch = -(-max([*needed, 0]) // ALIGNMENT) * ALIGNMENT
        # What is computed on demand decides nothing of the rest.
        stages = [s for s in plan.stages if not s.on_demand]
        self.flops = sum(cost_of(n) for s in stages for n in s.nodes)

    @property
    def is_parallel(self) -> bool:
        """Whether threads may share the program."""
        return any(call.partition.is_parallel for call in self.calls)

    def stage(self, stage: Stage) -> None:
        """Write the function of one stage, unless one like it is written."""
        number = next(self.numbers)
        stage_key = StageKey(stage, self.plan.layouts, self.memory)
        partition = self.schedule.partitions[stage]
        fused = self.schedule.epilogues.get(stage, [])
        kind = partition.partitioning.kind
        key = (*stage_key.key, kind, partition.is_parallel, bool(fused))
        written = self.written.get(key)
        if written is None:
            written = self.written[key] = self._write(stage, f"stage_{number}", stage_key)
        nodes = [stage_key.holders[i] for i in written.parameters]
        access_set = self._access_set([stage, *fused])
        self.functions.append((written.name, partition.count))
        checks = not self.plan.checking.isdisjoint((stage, *fused))
        lasts = not self.lasting.isdisjoint((stage, *fused))
        call = Call(
            written.name, nodes, partition, access_set, stage.on_demand, checks=checks, lasts=lasts
        )
        if stage in self.epilogue_of:
            self.epilogue_of[stage].calls.append(call)
            return
        self.calls.append(call)
        if fused:
            call.epilogue = f"epilogue_{number}"
            epilogue = self.epilogues[call.epilogue] = _Epilogue(partition.extent)
            self.epilogue_of.update(dict.fromkeys(fused, epilogue))

    def _access_set(self, stages: list[Stage]) -> AccessSet:
        """Return what memory a stage uses, together with those of its epilogue."""
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
        has_epilogue = stage in self.schedule.epilogues
        # A single loop is the same code for all lengths; else it helps to know them.
        if not partition.is_parallel and (nest is None or not nest.is_any_length):
            f.known = {"lo": f.number(0), "hi": f.number(partition.extent)}
        if nest is not None:
            LoopEmitter(nest, pointer, f).write()
        else:
            self._write_kernel(stage, pointer, f, has_epilogue=has_epilogue)
        # The epilogue reads what it writes.
        kind = "ptr" if has_epilogue else "ptr noalias"
        f.parameters = [f"{kind} {p}" for p in (*used.values(), "%scratch", "%status")]
        f.parameters += ["i64 %lo", "i64 %hi"]
        f.parameters += ["ptr %epilogue", "ptr %table"] if has_epilogue else []
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

    def _write_kernel(
        self, stage: Stage, pointer: Callable[[Node], str], f: Function, *, has_epilogue: bool
    ) -> None:
        """Write the body of a kernel's function."""
        node, *others = stage.nodes
        kernel, plan = kernel_of(node), stage.kernel
        assert kernel is not None
        assert plan is not None
        partitioning = self.schedule.partitions[stage].partitioning
        layouts = self.plan.layouts
        kernel.write(
            KernelEmitter(
                node,
                layouts,
                plan,
                partitioning,
                pointer,
                f,
                has_epilogue=has_epilogue,
                others=others,
                stages=self._write_stages,
            )
        )

    def _write_stages(self, program: StepProgram) -> list[StageCall]:
        """Write the functions of a step's stages; return their calls."""
        inner = _ProgramEmitter(program.graph, program.plan, program.schedule, program.memory)
        inner.plain, inner.loops, inner.numbers = self.plain, self.loops, self.numbers
        inner.names, inner.written = self.names, self.written
        for stage in program.plan.stages:
            inner.stage(stage)
        return [StageCall(call.name, call.nodes, call.partition) for call in inner.calls]

    def step(self) -> str:
        """Write the function that runs all stages, as thread `%tid` of `%nt`."""
        many = len(self.calls) > _MANY_CALLS
        f = Function("step", _THREAD, attributes="#2" if many else "#0")
        self._write_step(f, self._barrier)
        return f.text("")

    def segments(self) -> str:
        """Write the step as a function that comes back at each barrier, for verification.

        It begins at `%segment`, 0 at first, and leaves where to go on in the control block: 0 at
        the end. So one thread can run the parts of all, in any order.
        """
        f = Function("segments", [*_THREAD, "i64 %segment"], attributes="#2")
        cut = Segments()
        self._write_step(f, cut.barrier, cut.begin, cut.last)
        cut.end(f)
        return f.text("")

    def _write_step(
        self,
        f: Function,
        barrier: Callable[[Function, str], None],
        begin: Callable[[Function, str], None] = lambda f, control: None,
        last: Callable[[str], str] | None = None,
    ) -> None:
        """Write the body of a step.

        Args:
            f: the function.
            barrier: writes a barrier.
            begin: writes what comes before all.
            last: returns what comes before the early way out.
        """
        f.emit("%mode = call i64 @flush()")
        arena = self.table.entry(f, ARENA)
        control = self.table.entry(f, CONTROL)
        scratch = f.parameter("tid", "i64") * (self.scratch // 8)
        scratch_at = f.address(self.table.entry(f, SCRATCH), scratch, "i64")
        requested = f.load("%table", ON_DEMAND, "i64").ne(0) if self.graph.on_demand else None
        begin(f, control)
        meet = partial(barrier, f, control)
        leave = partial(self._leave, f, arena, [] if last is None else [last(control)])
        for calls in groups(self.calls):
            if requested is not None and calls[0].on_demand:
                with f.when(requested):
                    meet()
                    self._run(f, calls, arena, scratch_at, meet, leave)
                    meet()
            else:
                self._run(f, calls, arena, scratch_at, meet, leave)
        meet()
        if self.plan.copies:
            if self.is_left_last:
                leave()
            self._copy_updates(f, arena)
            meet()
        f.emit("call void @restore(i64 %mode)")

    @staticmethod
    def _leave(f: Function, arena: str, last: list[str]) -> None:
        """Stop if a value check failed."""
        f.leave(f.load(arena, STATUS, "i64").ne(0), *last, "call void @restore(i64 %mode)")

    def _run(
        self,
        f: Function,
        calls: list[Call],
        arena: str,
        scratch: str,
        meet: Callable[[], None],
        leave: Callable[[], None],
    ) -> None:
        """Run some stages, each after a barrier where it needs one."""
        tid, nt = f.parameter("tid", "i64"), f.parameter("nt", "i64")
        for call in calls:
            if call.waits:
                meet()
            if call.is_left_before:
                leave()
            partition = call.partition
            if not partition.is_parallel:
                with f.when(tid.eq(0)):
                    bounds = [f.number(0), f.number(partition.extent)]
                    self._call(f, call, (arena, scratch), bounds)
            else:
                each = partition.steps_per_part
                ends = [(at * partition.count).op("sdiv", nt) * each for at in (tid, tid + 1)]
                self._call(f, call, (arena, scratch), ends)

    def _call(
        self, f: Function, call: Call, memory: tuple[str, str], steps: Sequence[Scalar]
    ) -> None:
        """Call a stage's function for some of its steps, given the arena and working memory."""
        arena, scratch = memory
        # To compute an address again is cheaper than to keep it over so many calls.
        pointers: dict[int, str] = {}
        arguments = [f"ptr {self.table.pointer(f, arena, n, pointers)}" for n in call.nodes]
        arguments += [f"ptr {scratch}", f"ptr {arena}"]
        arguments += [step.typed for step in steps]
        if call.epilogue is not None:
            arguments += [f"ptr @{call.epilogue}", "ptr %table"]
        f.emit(f"call void @{call.name}({', '.join(arguments)})")

    def write_epilogues(self) -> None:
        """Write the functions that kernels call when some of their rows are computed."""
        for name, epilogue in self.epilogues.items():
            f = Function(name, ["ptr %table", "i64 %lo", "i64 %hi"])
            arena = self.table.entry(f, ARENA)
            bounds = f.parameter("lo", "i64"), f.parameter("hi", "i64")
            for call in epilogue.calls:
                steps = call.partition.extent // epilogue.rows
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
            ends = [self.table.pointer(f, arena, n, pointers) for n in (old, source)]
            pairs.append((ends[0], ends[1], old.nbytes))
        with f.when(f.parameter("tid", "i64").eq(0)):
            for target, origin, nbytes in pairs:
                copy_bytes(f, (target, f.number(0)), (origin, f.number(0)), nbytes)


# The parameters of a step.
_THREAD = ["ptr %table", "i64 %tid", "i64 %nt"]
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


def emit_program(
    graph: Graph, plan: Plan, schedule: Schedule, memory: Memory, *, in_segments: bool = False
) -> Module:
    """Write the module of a whole program.

    Args:
        graph: what is computed.
        plan: its stages.
        schedule: how threads share them.
        memory: its buffers.
        in_segments: whether to write the step in segments, too, for verification.
    """
    emitter = _ProgramEmitter(graph, plan, schedule, memory)
    for stage in plan.stages:
        emitter.stage(stage)
    emitter.write_epilogues()
    emitter.is_left_last = place_barriers(emitter.calls)
    plain, loops = emitter.plain, emitter.loops
    scan = emit_scan(graph, plan, emitter.table, is_parallel=emitter.is_parallel)
    steps = [emitter.step(), *([emitter.segments()] if in_segments else [])]
    plain.functions["@step"] = "\n".join([*steps, flushing(graph), _ALONE])
    return Module(
        loops.texts(),
        plain.texts(),
        Part(_DECLARED, {"@scan": scan}).text(),
        sorted({*plain.symbols, *loops.symbols}),
        emitter.scratch,
        emitter.functions,
        bool(plan.checking),
        emitter.flops,
        emitter.is_parallel,
    )
