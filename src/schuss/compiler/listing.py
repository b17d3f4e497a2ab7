"""A readable listing of an optimised program: its stages with their layers, bytes, operations."""

from __future__ import annotations

from schuss.compiler.graph.graph import Node
from schuss.compiler.padding.paddings import Padding
from schuss.compiler.pipeline import Compilation
from schuss.compiler.schedule.stages import Stage
from schuss.lowering.kinds import Elementwise, Reduction, SegmentSum

__all__ = ["Listing"]


class Listing:
    """The stages of a program, in the order in which they run; `str()` is the text.

    Args:
        compilation: of the program.
        padding: how it serves arguments that are smaller than it is for, or None.
    """

    def __init__(self, compilation: Compilation, padding: Padding | None = None) -> None:
        self._compilation = compilation
        self._padding = padding
        self._names: dict[Node, str] = {}

    def __str__(self) -> str:
        compilation = self._compilation
        graph, memory, stages = compilation.graph, compilation.memory, compilation.plan.stages
        self._names = {n: f"x{i}" for i, n in enumerate(graph.inputs)}
        self._names |= {s.node: f"s{i}" for i, s in enumerate(graph.states)}
        self._names |= {n: f"n{i}" for i, n in enumerate(graph.numbers)}
        counter = 0
        for stage in stages:
            for node in stage.nodes:
                self._names[node] = f"v{counter}"
                counter += 1
        updated = sum(s.updated is not None for s in graph.states)
        lines = [
            f"program: {len(graph.inputs)} inputs, {len(graph.states)} states ({updated} updated), "
            f"{len(graph.outputs)} outputs",
            f"  traced {compilation.traced} values, fused into {len(stages)} stages",
            f"  temporaries: {memory.temporary:,} bytes in an arena of {memory.nbytes:,}",
            f"  about {compilation.module.flops:,} operations, "
            f"{self._total_bytes():,} bytes read and written",
        ]
        if self._padding is not None:
            lines.append(f"  {self._padded()}")
        for number, stage in enumerate(stages):
            lines += self._stage(number, stage)
        for place, node in compilation.plan.copies:
            lines.append(f"copy {self._name(node)} -> s{place}")
        for place, node in compilation.plan.deferred.items():
            lines.append(f"defer {self._name(node)} -> s{place}")
        lines.append("return " + ", ".join(self._name(n) for n in graph.outputs))
        return "\n".join(lines)

    __repr__ = __str__

    def _padded(self) -> str:
        assert self._padding is not None
        shapes = enumerate(self._padding.shapes)
        return "padded, and masked beyond: " + ", ".join(
            f"x{i} {list(own)} as {list(larger)}" for i, (own, larger) in shapes if own != larger
        )

    def _name(self, node: Node) -> str:
        view = self._compilation.plan.layouts.of(node)
        if view.root.array is not None:
            return str(view.root.array.item()) if view.root.size == 1 else "constant"
        name = self._names[view.root]
        return name if view.is_whole and view.shape == view.root.shape else f"view({name})"

    def _moved(self, stage: Stage) -> tuple[int, int]:
        """Return the bytes that a stage reads and writes, each buffer once."""
        plan = self._compilation.plan
        mine, stored = set(stage.nodes), set(plan.stored)
        roots = {plan.layouts.of(x).root for n in stage.nodes for x in n.inputs} - mine
        read = sum(r.nbytes for r in roots if r.array is None or r.size > 1)
        return read, sum(n.nbytes for n in stage.nodes if n in stored)

    def _total_bytes(self) -> int:
        return sum(sum(self._moved(s)) for s in self._compilation.plan.stages)

    def _stage(self, number: int, stage: Stage) -> list[str]:
        plan = self._compilation.plan
        name, extent = self._compilation.module.stages[number]
        kind = "kernel" if stage.is_kernel else f"loop {'x'.join(map(str, stage.shape or ())) or 1}"
        read, written = self._moved(stage)
        shared = "" if extent == 1 else f", {extent} partitions"
        epilogues = self._compilation.schedule.epilogues
        before = next((s for s, others in epilogues.items() if stage in others), None)
        if before is not None:
            shared += f", epilogue of {plan.stages.index(before)}"
        scopes = ", ".join(dict.fromkeys([n.scope for n in stage.nodes if n.scope]))
        lines = [
            f"{number}: {kind} ({name}{shared}; reads {read:,} B, writes {written:,} B)"
            + (f" of {scopes}" if scopes else "")
        ]
        stored = set(plan.stored)
        for node in stage.nodes:
            assert node.primitive is not None
            arguments = ", ".join(self._name(x) for x in node.inputs)
            place = ""
            if node in plan.in_place:
                place = f"  -> s{plan.in_place[node]} in place"
            elif node in stored:
                place = f"  -> {node.nbytes:,} B"
            elif isinstance(node.primitive.lower, SegmentSum):
                place = "  (a few rows at a time)"
            elif isinstance(node.primitive.lower, (Elementwise, Reduction)):
                place = "  (in a register)"
            shape = f"{node.dtype}{list(node.shape)}"
            lines.append(f"     {self._names[node]} = {node.op}({arguments}) {shape}{place}")
        return lines
