"""Loop nests: the native code of elementwise values and reductions that share one loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from schuss.compiler.faces import Elementwise, Reduction, Rows
from schuss.compiler.fuse import Plan, Stage, loop_shape
from schuss.compiler.graph import Node
from schuss.compiler.layout import Strided, contiguous
from schuss.compiler.rest import Rest
from schuss.compiler.rows import Strips
from schuss.compiler.scalars import F32, F64, Function, Scalar, kind_of

__all__ = ["WIDE_SUM", "LoopNest"]

# From this count on, float32 sums are accumulated in float64, as they are in NumPy's definition.
WIDE_SUM = 1024
# Columns whose sums are kept on the stack while the rows go by.
_COLUMNS = 128

Index = list[Scalar]


@dataclass
class _Access:
    """A view with one stride for each loop."""

    node: Node
    offset: int
    strides: list[int]


class LoopNest:
    """Writes the function of one stage.

    Args:
        stage: what is computed.
        plan: views, and which values have to be stored.
        pointer: returns the parameter that points to a node's buffer.
        f: the function; its parameters `%lo` and `%hi` bound the outermost loop.
    """

    def __init__(
        self, stage: Stage, plan: Plan, pointer: Callable[[Node], str], f: Function
    ) -> None:
        assert stage.shape is not None
        self.stage = stage
        self.layouts = plan.layouts
        self.pointer = pointer
        self.f = f
        sums = [n for n in stage.nodes if self._face(n, Rows)]
        self.strips = Strips(sums, plan.layouts, pointer, f) if sums else None
        self.inside = {*sums, *[n for n in stage.nodes if self._face(n, Elementwise)]}
        self.reductions = [n for n in stage.nodes if self._face(n, Reduction)]
        stored = set(plan.stored)
        self.shape = list(stage.shape)
        self.reduced = [a in (stage.axes or ()) for a in range(len(self.shape))]
        self.reads: dict[tuple[Node, Node], _Access] = {}
        for node in stage.nodes:
            for x in () if self._face(node, Rows) else node.inputs:
                if not self._register(node, x) and self._literal(x) is None:
                    self.reads[node, x] = self._access(node, x)
        self.writes = [
            _Access(n, 0, list(contiguous(tuple(self.shape))))
            for n in stage.nodes
            if n in self.inside and n in stored
        ]
        self.results = [self._result(n) for n in self.reductions]
        self._collapse()

    @staticmethod
    def _face(node: Node, kind: type) -> bool:
        return isinstance(node.primitive and node.primitive.lower, kind)

    def _register(self, node: Node, x: Node) -> Node | None:
        """Return the value of this very loop that `x` is, if it is one."""
        view = self.layouts.of(x)
        shape = node.shape if node in self.inside else x.shape
        same = view.root in self.inside and view.is_whole and loop_shape(shape) == self.stage.shape
        return view.root if same and loop_shape(x.shape) == self.stage.shape else None

    @staticmethod
    def _literal(x: Node) -> Any:
        return x.array.item() if x.array is not None and x.size == 1 else None

    def _access(self, node: Node, x: Node) -> _Access:
        shape = node.shape if node in self.inside else x.shape
        view: Strided = self.layouts.of(x).broadcast(shape)
        view = view.without_units()
        return _Access(view.root, view.offset, list(view.strides))

    def _result(self, node: Node) -> _Access:
        kept = tuple(n for n, gone in zip(self.shape, self.reduced, strict=True) if not gone)
        steps = iter(contiguous(kept))
        return _Access(node, 0, [0 if gone else next(steps) for gone in self.reduced])

    def _collapse(self) -> None:
        """Join neighbouring loops wherever every access goes on without a gap."""
        accesses = [*self.reads.values(), *self.writes, *self.results]
        a = 0
        while a + 1 < len(self.shape):
            inner = self.shape[a + 1]
            fits = self.reduced[a] == self.reduced[a + 1] and all(
                x.strides[a] == x.strides[a + 1] * inner for x in accesses
            )
            if not fits:
                a += 1
                continue
            self.shape[a : a + 2] = [self.shape[a] * inner]
            del self.reduced[a]
            for x in accesses:
                del x.strides[a]
        # Fusion sees to it, for a strip is filled once.
        assert self.strips is None or len(self.shape) == 1

    # Writing.

    @property
    def extent(self) -> int:
        """Length of the loop that threads share; 1 where there is nothing to share."""
        kept = [a for a, gone in enumerate(self.reduced) if not gone]
        if not kept:
            return 1
        if self.strips is not None:
            return self.strips.blocks
        if self._by_columns and len(kept) == 1:
            return -(-self.shape[kept[0]] // _COLUMNS)
        return self.shape[kept[0]]

    @property
    def is_any_length(self) -> bool:
        """Whether the code does not depend on the lengths: there is one loop, a thread's share."""
        return len(self.shape) == 1 and not self.reductions and self.strips is None

    @property
    def _by_columns(self) -> bool:
        """Whether the last loop is kept while others are reduced."""
        return bool(self.reductions) and any(self.reduced) and not self.reduced[-1]

    def write(self) -> None:
        """Write the body."""
        low, high = self.f.parameter("lo", "i64"), self.f.parameter("hi", "i64")
        if self._by_columns:
            self._write_columns(low, high)
        else:
            self._write_rows(low, high)

    def _write_rows(self, low: Scalar, high: Scalar) -> None:
        """Loops over what is kept outside, over what is reduced inside."""
        f = self.f
        kept = [a for a, gone in enumerate(self.reduced) if not gone]
        gone = [a for a, g in enumerate(self.reduced) if g]
        index: Index = [f.number(0)] * len(self.shape)
        with ExitStack() as stack:
            for i, a in enumerate(kept):
                index[a] = stack.enter_context(
                    self._loop(low, high) if i == 0 else f.loop(0, self.shape[a])
                )
            totals = [self._begin(n, 1) for n in self.reductions]
            with ExitStack() as inner:
                for a in gone:
                    index[a] = inner.enter_context(self._loop(0, self.shape[a]))
                self._body(index, totals, f.number(0))
            for access, (place, kind) in zip(self.results, totals, strict=True):
                value = f.load(place, 0, kind).to(kind_of(access.node.dtype))
                f.store(value, self.pointer(access.node), self._offset(access, index))

    def _loop(self, low: Scalar | int, high: Scalar | int) -> AbstractContextManager[Scalar]:
        """Return a loop; the only one where there are strips, which all of it goes through."""
        if self.strips is None:
            return self.f.loop(low, high)
        if not isinstance(low, Scalar):
            high = self.strips.blocks
        rest = Rest(self)
        if not rest.exists:
            return self.strips.loop(low, high)
        rests = partial(rest.changes_nothing, self._number)
        return self.strips.loop(low, high, rests)

    def _number(self, node: Node, x: Node) -> Scalar:
        """Return an operand that is the same for all elements."""
        known = self._literal(x)
        if known is not None:
            return self.f.number(known, kind_of(x.dtype))
        access = self.reads[node, x]
        return self.f.load(self.pointer(access.node), access.offset, kind_of(x.dtype))

    def _write_columns(self, low: Scalar, high: Scalar) -> None:
        """The last loop is kept: its totals stay on the stack, a block of columns at a time."""
        f = self.f
        last = len(self.shape) - 1
        kept = [a for a, gone in enumerate(self.reduced) if not gone]
        gone = [a for a, g in enumerate(self.reduced) if g]
        index: Index = [f.number(0)] * len(self.shape)
        width = max(min(_COLUMNS, self.shape[last]), 1)
        blocks = -(-self.shape[last] // width)
        with ExitStack() as stack:
            for i, a in enumerate(kept[:-1]):
                bounds = (low, high) if i == 0 else (0, self.shape[a])
                index[a] = stack.enter_context(f.loop(*bounds))
            bounds = (low, high) if len(kept) == 1 else (0, blocks)
            block = stack.enter_context(f.loop(*bounds))
            first = block * width
            stop = (first + width).minimum(self.shape[last])
            totals = [self._begin(n, width) for n in self.reductions]
            with ExitStack() as inner:
                for a in gone:
                    index[a] = inner.enter_context(f.loop(0, self.shape[a]))
                index[last] = inner.enter_context(f.loop(first, stop))
                self._body(index, totals, index[last] - first)
            index[last] = stack.enter_context(f.loop(first, stop))
            for access, (place, kind) in zip(self.results, totals, strict=True):
                value = f.load(place, index[last] - first, kind)
                value = value.to(kind_of(access.node.dtype))
                f.store(value, self.pointer(access.node), self._offset(access, index))

    def _begin(self, node: Node, width: int) -> tuple[str, str]:
        """Reserve totals on the stack and set them to the start; return their place and kind."""
        f = self.f
        face = node.primitive.lower  # type: ignore[union-attr]  # reductions have one
        assert isinstance(face, Reduction)
        count = math.prod(n for n, gone in zip(self.shape, self.reduced, strict=True) if gone)
        kind = kind_of(node.dtype)
        if face.widen and kind == F32 and count >= WIDE_SUM:
            kind = F64
        place = f.reserve(kind, width)
        start = f.number(face.start(node.dtype), kind)
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
            inside = self._register(node, x)
            if inside is not None:
                return values[inside]
            known = self._literal(x)
            if known is not None:
                return f.number(known, kind_of(x.dtype))
            access = self.reads[node, x]
            key = (access.node, access.offset, tuple(access.strides))
            if key not in loaded:
                place = self._offset(access, index)
                loaded[key] = f.load(self.pointer(access.node), place, kind_of(x.dtype))
            return loaded[key]

        for node in self.stage.nodes:
            if self.strips is not None and self._face(node, Rows):
                values[node] = self.strips.value(node, index[0])
            elif node in self.inside:
                values[node] = compute(node, [operand(node, x) for x in node.inputs])
        for access in self.writes:
            f.store(values[access.node], self.pointer(access.node), self._offset(access, index))
        for node, (place, kind) in zip(self.reductions, totals, strict=True):
            face = node.primitive.lower  # type: ignore[union-attr]  # reductions have one
            assert isinstance(face, Reduction)
            x = operand(node, node.inputs[0]).to(kind)
            # The order within one total is fixed when the program is compiled.
            f.arithmetic = " reassoc contract"
            total = face.combine(f.load(place, at, kind), x)
            f.arithmetic = " contract"
            f.store(total, place, at)

    def _offset(self, access: _Access, index: Index) -> Scalar | int:
        total: Scalar | int = access.offset
        for i, step in zip(index, access.strides, strict=True):
            if step:
                term = i if step == 1 else i * step
                total = term if isinstance(total, int) and total == 0 else term + total
        return total


def compute(node: Node, operands: list[Scalar]) -> Scalar:
    """Write one element of an elementwise primitive."""
    assert node.primitive is not None
    face = node.primitive.lower
    assert isinstance(face, Elementwise)
    if node.op == "astype":
        return operands[0].to(kind_of(node.dtype))
    from schuss.primitives.base import result_dtype

    dtypes: list[np.dtype[Any]] = [x.dtype for x in node.inputs[face.uncast :]]
    common = kind_of(result_dtype(*dtypes))
    cast = [x if i < face.uncast else x.to(common) for i, x in enumerate(operands)]
    return face.expression(*cast).to(kind_of(node.dtype))  # type: ignore[no-any-return]
