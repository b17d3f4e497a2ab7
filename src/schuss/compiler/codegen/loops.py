"""Loop nests: the native code of elementwise values and reductions that share one loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from typing import Any

from schuss.compiler.codegen.elementwise import compute
from schuss.compiler.codegen.skip_rows import UnchangedRows
from schuss.compiler.graph.graph import Node, literal
from schuss.compiler.kernels.segment_sum import RowBlocks
from schuss.compiler.schedule.loop_nest import COLUMNS, Access, Nest
from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.kinds import WIDE_SUM, Reduction, SegmentSum
from schuss.lowering.llvm_types import F32, F64, kind_of

__all__ = ["LoopEmitter"]


Index = list[Scalar]


class LoopEmitter:
    """Writes the function of one loop nest.

    Args:
        nest: the loops.
        pointer: returns the parameter that points to a node's buffer.
        f: the function; its parameters `%lo` and `%hi` bound the outermost loop.
    """

    def __init__(self, nest: Nest, pointer: Callable[[Node], str], f: Function) -> None:
        self.nest = nest
        self.pointer = pointer
        self.f = f
        self.row_blocks = RowBlocks(nest.sums, nest.layouts, pointer, f) if nest.sums else None

    def write(self) -> None:
        """Write the body."""
        low, high = self.f.parameter("lo", "i64"), self.f.parameter("hi", "i64")
        if self.nest.by_columns:
            self._write_columns(low, high)
        else:
            self._write_rows(low, high)

    def _write_rows(self, low: Scalar, high: Scalar) -> None:
        """Loops over what is kept outside, over what is reduced inside."""
        f = self.f
        kept = [a for a, gone in enumerate(self.nest.reduced) if not gone]
        gone = [a for a, g in enumerate(self.nest.reduced) if g]
        index: Index = [f.number(0)] * len(self.nest.shape)
        with ExitStack() as stack:
            for i, a in enumerate(kept):
                index[a] = stack.enter_context(
                    self._loop(low, high) if i == 0 else f.loop(0, self.nest.shape[a])
                )
            totals = [self._begin(n, 1) for n in self.nest.reductions]
            with ExitStack() as inner:
                for a in gone:
                    index[a] = inner.enter_context(self._loop(0, self.nest.shape[a]))
                self._body(index, totals, f.number(0))
            for access, (place, kind) in zip(self.nest.results, totals, strict=True):
                value = f.load(place, 0, kind).to(kind_of(access.node.dtype))
                f.store(value, self.pointer(access.node), self._offset(access, index))

    def _loop(self, low: Scalar | int, high: Scalar | int) -> AbstractContextManager[Scalar]:
        """Return a loop; where rows are summed it is the only one, and goes block by block."""
        if self.row_blocks is None:
            return self.f.loop(low, high)
        if not isinstance(low, Scalar):
            high = self.row_blocks.blocks
        unchanged = UnchangedRows(self.nest, self.pointer, self.f)
        if not unchanged.exists:
            return self.row_blocks.loop(low, high)
        return self.row_blocks.loop(low, high, partial(unchanged.write_check, self._number))

    def _number(self, node: Node, x: Node) -> Scalar:
        """Return an operand that is the same for all elements."""
        known = literal(x)
        if known is not None:
            return self.f.number(known, kind_of(x.dtype))
        access = self.nest.reads[node, x]
        return self.f.load(self.pointer(access.node), access.offset, kind_of(x.dtype))

    def _write_columns(self, low: Scalar, high: Scalar) -> None:
        """The last loop is kept: its totals stay on the stack, a block of columns at a time."""
        f = self.f
        last = len(self.nest.shape) - 1
        kept = [a for a, gone in enumerate(self.nest.reduced) if not gone]
        gone = [a for a, g in enumerate(self.nest.reduced) if g]
        index: Index = [f.number(0)] * len(self.nest.shape)
        width = max(min(COLUMNS, self.nest.shape[last]), 1)
        with ExitStack() as stack:
            for a in kept[:-1]:
                bounds = (low, high) if a == self.nest.axis else (0, self.nest.shape[a])
                index[a] = stack.enter_context(f.loop(*bounds))
            is_shared = last == self.nest.axis
            begin, end = (low, high) if is_shared else (0, f.number(self.nest.shape[last]))
            first = stack.enter_context(f.loop(begin, end, width))
            stop = (first + width).minimum(end)
            totals = [self._begin(n, width) for n in self.nest.reductions]
            with ExitStack() as inner:
                for a in gone:
                    index[a] = inner.enter_context(f.loop(0, self.nest.shape[a]))
                index[last] = inner.enter_context(f.loop(first, stop))
                self._body(index, totals, index[last] - first)
            index[last] = stack.enter_context(f.loop(first, stop))
            for access, (place, kind) in zip(self.nest.results, totals, strict=True):
                value = f.load(place, index[last] - first, kind)
                value = value.to(kind_of(access.node.dtype))
                f.store(value, self.pointer(access.node), self._offset(access, index))

    def _begin(self, node: Node, width: int) -> tuple[str, str]:
        """Reserve totals on the stack and set them to the start; return their place and kind."""
        f = self.f
        lowering = node.primitive.lower  # type: ignore[union-attr]  # reductions have one
        assert isinstance(lowering, Reduction)
        lengths = zip(self.nest.shape, self.nest.reduced, strict=True)
        count = math.prod(n for n, gone in lengths if gone)
        kind = kind_of(node.dtype)
        if lowering.widen and kind == F32 and count >= WIDE_SUM:
            kind = F64
        place = f.reserve(kind, width)
        start = f.number(lowering.start(node.dtype), kind)
        if width == 1:
            f.store(start, place, 0)
        else:
            with f.loop(0, width) as i:
                f.store(start, place, i)
        return place, kind

    def _body(self, index: Index, totals: list[tuple[str, str]], at: Scalar) -> None:
        """Compute every value at `index`; stores come last, so that all reads see what was."""
        f = self.f
        values: dict[Node, Scalar] = {}
        loaded: dict[tuple[Any, ...], Scalar] = {}

        def operand(node: Node, x: Node) -> Scalar:
            inside = self.nest.register(node, x)
            if inside is not None:
                return values[inside]
            known = literal(x)
            if known is not None:
                return f.number(known, kind_of(x.dtype))
            access = self.nest.reads[node, x]
            key = (access.node, access.offset, tuple(access.strides))
            if key not in loaded:
                place = self._offset(access, index)
                loaded[key] = f.load(self.pointer(access.node), place, kind_of(x.dtype))
            return loaded[key]

        for node in self.nest.stage.nodes:
            if self.row_blocks is not None and self.nest.has_lowering(node, SegmentSum):
                values[node] = self.row_blocks.value(node, index[0])
            elif node in self.nest.inside:
                values[node] = compute(node, [operand(node, x) for x in node.inputs])
        for access in self.nest.writes:
            f.store(values[access.node], self.pointer(access.node), self._offset(access, index))
        for node, (place, kind) in zip(self.nest.reductions, totals, strict=True):
            lowering = node.primitive.lower  # type: ignore[union-attr]  # reductions have one
            assert isinstance(lowering, Reduction)
            x = operand(node, node.inputs[0]).to(kind)
            # The order within one total is fixed when the program is compiled.
            f.arithmetic = " reassoc"
            total = lowering.combine(f.load(place, at, kind), x)
            f.arithmetic = ""
            f.store(total, place, at)

    def _offset(self, access: Access, index: Index) -> Scalar | int:
        total: Scalar | int = access.offset
        for i, step in zip(index, access.strides, strict=True):
            if step:
                term = i if step == 1 else i * step
                total = term if isinstance(total, int) and total == 0 else term + total
        return total
