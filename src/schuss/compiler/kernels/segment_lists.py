"""Segment lists: which positions of an index array name each row of a table, as linked lists."""

from __future__ import annotations

from schuss.compiler.graph.graph import Node
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.compiler.kernels.segment_sum import joined_index
from schuss.lowering.llvm_types import I32, I64

__all__ = ["SegmentLists"]


class SegmentLists(KernelDescriptor):
    """For each row its first position, then for each position the next one of the same row.

    Threads share the rows.
    """

    def flops(self, node: Node) -> int:
        """Return about how many operations a node takes."""
        return 4 * node.size

    def extent(self, node: Node) -> int:
        """Return the number of rows."""
        return int(node.attributes["rows"])

    def write(self, k: KernelEmitter) -> None:
        """Put each position before those that are there already, the last one first.

        Each thread looks at all of them, and has rows of its own.
        """
        f, rows = k.f, k.node.attributes["rows"]
        indices = k.view(0)
        firsts = k.pointer(k.node)
        following = f.address(firsts, rows, I32)
        f.declare("@llvm.memset.p0.i64", "void", ["ptr", "i8", I64, "i1"])
        nbytes = (k.high - k.low) * 4
        begin = f.address(firsts, k.low, I32)
        f.emit(f"call void @llvm.memset.p0.i64(ptr {begin}, i8 -1, {nbytes.typed}, i1 false)")
        with k.loops(indices.shape) as from_end:
            index = [f.number(n - 1) - i for i, n in zip(from_end, indices.shape, strict=True)]
            position = joined_index(index, indices.shape)
            row = k.from_start(k.load(indices, index).to(I64), rows)
            with f.when(row.ge(k.low) & row.lt(k.high)):
                f.store(f.load(firsts, row, I32), following, position)
                f.store(position.to(I32), firsts, row)
