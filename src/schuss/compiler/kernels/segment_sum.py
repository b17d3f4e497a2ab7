"""Segment sums: scatters into tables, whose rows are summed where they are read.

The gradient of an embedding is a table of which few rows are not zero. To fill a buffer with zeros,
add rows into it and read it again would take longer than the rest of a step. So segment lists say
which positions go to each row, and a loop that reads the sums has a block of rows of them at a
time in the nearest cache. Positions come in their order, whichever thread has a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.views import Layouts, Strided
from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.llvm_types import I32, I64, kind_of

__all__ = ["RowBlocks", "joined_index", "rows_per_block"]

# Elements of a block, at least: whole vectors of them, but few, for unchanged rows are left out by
# the block. Where that takes more than the nearest cache has room for, it is about so many.
_BLOCK, _LONG_BLOCK, _LONGEST_BLOCK = 64, 256, 1024
_VECTOR = 16


def joined_index(index: Sequence[Scalar], shape: Sequence[int]) -> Scalar:
    """Return the position in row-major order of an index."""
    position = index[0]
    for i, n in zip(index[1:], shape[1:], strict=True):
        position = position * n + i
    return position


class RowBlocks:
    """Sums of rows that one loop reads, some rows of them at a time.

    Args:
        nodes: the sums; all of one number of rows and columns.
        layouts: the views that their inputs are.
        pointer: returns the parameter that points to a node's buffer.
        f: the function that is written.
    """

    def __init__(
        self, nodes: Sequence[Node], layouts: Layouts, pointer: Callable[[Node], str], f: Function
    ) -> None:
        self._f = f
        self._pointer = pointer
        # What is summed (nothing for marks, which say where something is), and the lists.
        self._sources = {n: [layouts.of(x) for x in n.inputs] for n in nodes}
        self._rows = nodes[0].shape[0]
        self._columns = nodes[0].size // self._rows
        self._each = rows_per_block(self._columns)
        width = self._each * self._columns
        self._places = {n: f.reserve(kind_of(n.dtype), width) for n in nodes}
        self._first = f.number(0)

    @property
    def blocks(self) -> int:
        """How many blocks there are."""
        return -(-self._rows // self._each)

    @contextmanager
    def loop(
        self,
        low: Scalar | int,
        high: Scalar | int,
        is_unchanged: Callable[[], Scalar] | None = None,
    ) -> Iterator[Scalar]:
        """Run the body for every element of the blocks from `low` to `high`.

        Args:
            low: the first block.
            high: after the last one.
            is_unchanged: writes whether blocks that nothing goes to may be left out; see
                `codegen.skip_rows`.
        """
        f = self._f
        if is_unchanged is None:
            with f.loop(low, high) as block, self._block(block) as i:
                yield i
            return
        is_due = f.reserve(I64)
        always = is_unchanged().where(f.number(0), 1)
        with f.loop(low, high) as block:
            f.store(always, is_due, 0)
            self._note_sums(*self._bounds(block), is_due)
            with f.when(f.load(is_due, 0, I64).ne(0)), self._block(block) as i:
                yield i

    def _bounds(self, block: Scalar) -> tuple[Scalar, Scalar]:
        """Return the first row of a block, and the one after its last."""
        start = block * self._each
        return start, (start + self._each).minimum(self._rows)

    @contextmanager
    def _block(self, block: Scalar) -> Iterator[Scalar]:
        """Sum the rows of a block, and run the body for every element."""
        start, stop = self._bounds(block)
        self._fill(start, stop)
        self._first = start * self._columns
        with self._f.loop(self._first, stop * self._columns) as i:
            yield i

    def _note_sums(self, start: Scalar, stop: Scalar, is_due: str) -> None:
        """Set the word `is_due` if something goes to a row from `start` to `stop`."""
        f = self._f
        for *_, lists in self._sources.values():
            with f.loop(start, stop) as row:
                some = f.load(self._pointer(lists.root), row, I32).ge(0)
                f.store(f.load(is_due, 0, I64) | some.to(I64), is_due, 0)

    def _fill(self, start: Scalar, stop: Scalar) -> None:
        """Sum (or mark) the rows from `start` to `stop`."""
        f = self._f
        for node, place in self._places.items():
            kind = kind_of(node.dtype)
            with f.loop(0, self._each * self._columns) as i:
                f.store(f.number(0, kind), place, i)
            with f.loop(start, stop) as row:
                target = f.address(place, (row - start) * self._columns, kind)
                if len(self._sources[node]) > 1:
                    self._add(node, row, target)
                    continue
                (lists,) = self._sources[node]
                some = f.load(self._pointer(lists.root), row, I32).ge(0)
                with f.loop(0, self._columns) as i:
                    f.store(some, target, i)

    def value(self, node: Node, i: Scalar) -> Scalar:
        """Return an element of a sum, inside of the loop."""
        return self._f.load(self._places[node], i - self._first, kind_of(node.dtype))

    def _add(self, node: Node, row: Scalar, target: str) -> None:
        """Add everything that goes to a row, in the order of the positions."""
        f = self._f
        g, lists = self._sources[node]
        pointer = self._pointer(lists.root)
        kind = kind_of(node.dtype)
        place = f.reserve(I64)
        f.store(f.load(pointer, row, I32).to(I64), place, 0)
        with f.repeat() as turns:
            position = f.load(place, 0, I64)
            turns.leave(position.lt(0))
            following = f.load(pointer, position + self._rows, I32)
            f.store(following.to(I64), place, 0)
            with _elements(f, g, len(g.shape) - len(node.shape) + 1, position) as (at, i):
                total = f.load(target, i, kind) + f.load(self._pointer(g.root), at, kind)
                f.store(total, target, i)


def rows_per_block(columns: int) -> int:
    """Return how many rows are in a block."""
    whole = _VECTOR // math.gcd(columns, _VECTOR)
    each = whole * max(1, -(-_BLOCK // (whole * columns)))
    return each if each * columns <= _LONGEST_BLOCK else max(1, _LONG_BLOCK // columns)


@contextmanager
def _elements(
    f: Function, g: Strided, leading: int, position: Scalar
) -> Iterator[tuple[Scalar, Scalar]]:
    """Run the body for every element of a row of `g`: where it is, and its place in the row.

    Args:
        f: the function that is written.
        g: rows along its first axes.
        leading: how many axes that are.
        position: the row, counted along these.
    """
    offset = f.number(g.offset)
    left = position
    axes = list(zip(g.shape[:leading], g.strides[:leading], strict=True))
    for n, step in reversed(axes[1:]):
        if step:
            offset = offset + left.op("srem", n) * step
        left = left.op("sdiv", n)
    if axes and axes[0][1]:
        offset = offset + left * axes[0][1]
    shape, strides = _collapsed(g.shape[leading:], g.strides[leading:])
    with ExitStack() as stack:
        index = [stack.enter_context(f.loop(0, n)) for n in shape]
        for i, step in zip(index, strides, strict=True):
            if step:
                offset = offset + i * step
        yield offset, joined_index(index, shape)


def _collapsed(shape: Sequence[int], strides: Sequence[int]) -> tuple[list[int], list[int]]:
    """Join neighbouring axes that go on without a gap."""
    lengths, steps = [1], [0]
    for n, step in zip(shape, strides, strict=True):
        if n == 1:
            continue
        if lengths[-1] == 1 or steps[-1] == step * n:
            lengths[-1], steps[-1] = lengths[-1] * n, step
        else:
            lengths.append(n)
            steps.append(step)
    return lengths, steps
