"""Addresses of a program's buffers: in the arena, or behind an entry of the table."""

from __future__ import annotations

from schuss.compiler.graph.abi import FIRST_BUFFER
from schuss.compiler.graph.graph import Graph, Node
from schuss.compiler.schedule.memory import Memory
from schuss.lowering.ir_builder import Function, Scalar

__all__ = ["BufferTable", "copy_bytes"]


class BufferTable:
    """Writes the addresses of buffers.

    Args:
        graph: what is computed.
        memory: the buffers of all values.
    """

    def __init__(self, graph: Graph, memory: Memory) -> None:
        self._memory = memory
        self._inputs = len(graph.inputs)

    @staticmethod
    def entry(f: Function, place: int) -> str:
        """Read an entry of `%table`."""
        at = f.address("%table", place, "i64")
        name = f.fresh("t")
        f.emit(f"{name} = load ptr, ptr {at}")
        return name

    def pointer(self, f: Function, arena: str, node: Node, known: dict[int, str]) -> str:
        """Return the address of a node's buffer, which is written unless it is `known`."""
        buffer = self._memory.of[node]
        found = known.get(id(buffer))
        if found is None:
            if buffer.kind == "arena":
                found = f.address(arena, buffer.place // 8, "i64")
            else:
                place = buffer.place + (self._inputs if buffer.kind == "state" else 0)
                found = self.entry(f, FIRST_BUFFER + place)
            known[id(buffer)] = found
        return found


def copy_bytes(
    f: Function, target: tuple[str, Scalar], source: tuple[str, Scalar], nbytes: int
) -> None:
    """Copy bytes; both ends are an address and an offset in bytes."""
    ends = [f.fresh("q") for _ in range(2)]
    for name, (pointer, offset) in zip(ends, (target, source), strict=True):
        f.emit(f"{name} = getelementptr inbounds i8, ptr {pointer}, {offset.typed}")
    f.emit(
        f"call void @llvm.memcpy.p0.p0.i64(ptr {ends[0]}, ptr {ends[1]}, i64 {nbytes}, i1 false)"
    )
