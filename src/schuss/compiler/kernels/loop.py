"""Loops: a native loop that calls the functions of a step's stages, with what it carries.

What a step reads and writes lies behind pointers that move on with each step, so that all steps
share the code. What is carried is never copied: a step reads it where the one before wrote it, in
the rows of a result, or in one of two buffers in turn. Where nothing is carried, threads share the
steps, each with temporaries of its own. Where every stage of a step keeps to rows of its own, each
thread runs the whole loop on some of them, and waits for nobody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from schuss.compiler.graph.body import HISTORY, LAST, ROWS, Body, Result
from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import Partition
from schuss.compiler.graph.views import Layouts, Strided
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.compiler.kernels.plan import KernelPlan
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import I64

__all__ = ["Loop", "LoopPlan", "StageCall", "rounded"]

_ALIGNMENT = 64


class StageCall(NamedTuple):
    """A call of one stage of a step: its function, whose buffers it gets, and its partition."""

    name: str
    nodes: list[Node]
    partition: Partition


@dataclass(frozen=True, kw_only=True, eq=False)
class LoopPlan(KernelPlan):
    """How a loop is computed.

    Args:
        program: plan, schedule and memory of a step.
        buffers: where a node lies: its kind, place, and bytes.
        arena: bytes of a step's temporaries.
        rows: in how many parts each thread's rows may be; 1 where a step is one thread's.
        by_steps: whether threads share the steps; temporaries lie in their scratch memory then.
        flops: operations of all steps.
    """

    program: Any
    buffers: Callable[[Node], tuple[str, int, int]]
    arena: int
    rows: int
    by_steps: bool
    flops: int

    def turn(self, body: Body, place: int, odd: int) -> int:
        """Return where one of the two buffers lies that something is carried in by turns."""
        at = self.arena
        for node in body.inputs[0][:place]:
            at += 2 * rounded(node.nbytes)
        return at + odd * rounded(body.inputs[0][place].nbytes)

    def workspace(self, body: Body) -> int:
        """Return the bytes of temporaries that threads share, and of what is carried."""
        if self.by_steps:
            return 0
        return self.arena + sum(2 * rounded(node.nbytes) for node in body.inputs[0])


def rounded(nbytes: int) -> int:
    """Return so many bytes, and those up to the next cache line."""
    return max(-(-nbytes // _ALIGNMENT), 1) * _ALIGNMENT


class Loop(KernelDescriptor):
    """The same step again and again."""

    def flops(self, node: Node) -> int:
        """Return the operations of all steps."""
        plan = node.attributes["body"].plan
        return 0 if plan is None else plan.flops

    def accepts_input(self, node: Node, place: int, view: Strided) -> bool:
        """Whether an input, or each row of one that is sliced, lies without gaps."""
        body: Body = node.attributes["body"]
        if body.carried <= place < body.carried + body.sliced:
            view = Strided(view.root, 0, view.shape[1:], view.strides[1:])
        return view.strides_fit()

    def plan(self, node: Node, layouts: Layouts) -> KernelPlan:
        """Return the plan that was made before."""
        plan: KernelPlan = node.attributes["body"].plan
        return plan

    def write(self, k: KernelEmitter) -> None:
        """Write the loop."""
        assert isinstance(k.plan, LoopPlan)
        _LoopWriter(k, k.plan).write()


class _LoopWriter:
    def __init__(self, k: KernelEmitter, plan: LoopPlan) -> None:
        self.k = k
        self.f = k.f
        self.plan = plan
        self.body: Body = k.node.attributes["body"]
        self.workspace, self.scratch = k.pointer(k.node), "%scratch"
        if plan.by_steps:
            self.workspace = "%scratch"
            self.scratch = self._at("%scratch", rounded(plan.arena))
        results = {n.attributes["index"]: n for n in k.others}
        self.results: dict[Result, str] = {
            r: k.pointer(results[i]) for i, r in enumerate(self.body.results) if i in results
        }
        self.inputs = [self._address(i) for i in range(len(k.node.inputs))]
        self.states: list[str] = []
        self.now: list[str] = []

    def _at(self, pointer: str, nbytes: Scalar | int) -> str:
        return self.f.address(pointer, nbytes, "i8")

    def _address(self, i: int) -> str:
        view = self.k.view(i)
        return self._at(self.k.pointer(view.root), view.offset * view.root.dtype.itemsize)

    def write(self) -> None:
        """Write the loop, with the first values before it."""
        f, body = self.f, self.body
        self._keep_first()
        steps = (self.k.low, self.k.high) if self.plan.by_steps else (0, body.length)
        with f.loop(*steps) as t:
            row = f.number(body.length - 1) - t if body.reverse else t
            self._move(t, row)
            for call in self.k.stages(self.plan.program):
                self._call(call)

    def _share(self, nbytes: int) -> tuple[Scalar, Scalar]:
        """Return the first byte, and how many there are, of a thread's share of a buffer."""
        rows = self.plan.rows
        if rows == 1:
            return self.f.number(0), self.f.number(nbytes)
        each = nbytes // rows
        return self.k.low * each, (self.k.high - self.k.low) * each

    def _keep_first(self) -> None:
        """Copy what is carried before the first step into the rows of all."""
        body = self.body
        for place, node in enumerate(body.inputs[0]):
            target = self.results.get(Result(HISTORY, place))
            if target is not None:
                first, count = self._share(node.nbytes)
                end = body.length * node.nbytes if body.reverse else 0
                ends = self._at(self._at(target, end), first), self._at(self.inputs[place], first)
                self.f.declare("@llvm.memcpy.p0.p0.i64", "void", ["ptr", "ptr", I64, "i1"])
                self.f.emit(
                    f"call void @llvm.memcpy.p0.p0.i64(ptr {ends[0]}, ptr {ends[1]}, "
                    f"{count.typed}, i1 false)"
                )

    def _move(self, t: Scalar, row: Scalar) -> None:
        """Write the addresses of what a step reads and writes."""
        body, k = self.body, self.k
        carried, sliced, _ = body.inputs
        self.now, self.states = [], []
        for place, node in enumerate(carried):
            before, after = self._turns(place, node, t, row)
            self.now.append(before)
            self.states.append(after)
        for place in range(len(carried), len(carried) + len(sliced)):
            view = k.view(place)
            step = view.strides[0] * view.root.dtype.itemsize
            self.now.append(self._at(self.inputs[place], row * step))
        self.now += self.inputs[len(carried) + len(sliced) :]
        for place, node in enumerate(body.graph.outputs[len(carried) :]):
            self.states.append(self._at(self.results[Result(ROWS, place)], row * node.nbytes))

    def _turns(self, place: int, node: Node, t: Scalar, row: Scalar) -> tuple[str, str]:
        """Return where something carried is read and where it is written."""
        body = self.body
        kept = self.results.get(Result(HISTORY, place))
        if kept is not None:
            ends = [self._at(kept, (row + i) * node.nbytes) for i in (0, 1)]
            return (ends[1], ends[0]) if body.reverse else (ends[0], ends[1])
        both = [self._at(self.workspace, self.plan.turn(body, place, odd)) for odd in (0, 1)]
        is_odd = t.op("and", 1).ne(0)
        other = self._choice(is_odd, both[0], both[1])
        before = self._choice(t.eq(0), self.inputs[place], other)
        after = self._choice(is_odd, both[1], both[0])
        last = self.results.get(Result(LAST, place))
        if last is not None:
            after = self._choice(t.eq(body.length - 1), last, after)
        return before, after

    def _choice(self, condition: Scalar, yes: str, no: str) -> str:
        name = self.f.fresh("q")
        self.f.emit(f"{name} = select i1 {condition.name}, ptr {yes}, ptr {no}")
        return name

    def _call(self, call: StageCall) -> None:
        """Call a stage for all of its steps, or those of a thread's share of the rows."""
        f = self.f
        arguments = [f"ptr {self._pointer(node)}" for node in call.nodes]
        arguments += [f"ptr {self.scratch}", "ptr %status"]
        if self.plan.rows == 1:
            bounds = [f.number(0), f.number(call.partition.extent)]
        else:
            each = call.partition.steps_per_part
            bounds = [self.k.low * each, self.k.high * each]
        arguments += [bound.typed for bound in bounds]
        f.emit(f"call void @{call.name}({', '.join(arguments)})")

    def _pointer(self, node: Node) -> str:
        kind, place, _ = self.plan.buffers(node)
        if kind == "arena":
            return self._at(self.workspace, place)
        return self.now[place] if kind == "input" else self.states[place]
