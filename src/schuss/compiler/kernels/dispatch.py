"""Kernels of their own kind: regions, positions, sorting, running sums, random numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from schuss.compiler.codegen.loops import WIDE_SUM
from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import Partitioning
from schuss.compiler.graph.views import Layouts, Strided, contiguous, region
from schuss.compiler.kernels.gather_scatter import write_gather, write_scatter_add
from schuss.compiler.kernels.segment_sum import write_segment_lists
from schuss.lowering.ir_builder import F32, F64, I64, Function, Scalar, kind_of
from schuss.lowering.kinds import Kernel, Regions
from schuss.lowering.philox import fractions, philox

__all__ = ["KernelEmitter"]


class KernelEmitter:
    """Writes the function of one node that is no elementwise loop.

    Args:
        node: what is computed.
        layouts: the views that its inputs are.
        pointer: returns the parameter that points to a node's buffer.
        partitioning: how threads share it.
        f: the function; `%lo` and `%hi` bound the share of a thread, `%scratch` is memory of
            `scratch` bytes, and `%status` is set to 1 by an index out of range.
        epilogues: whether `%then` is to be called with `%table` and the bounds of rows of the
            result, each row once, when these are computed.
    """

    def __init__(
        self,
        node: Node,
        layouts: Layouts,
        pointer: Callable[[Node], str],
        partitioning: Partitioning,
        f: Function,
        *,
        epilogues: bool = False,
    ) -> None:
        self.partitioning = partitioning
        self.epilogues = epilogues
        self.node = node
        self.layouts = layouts
        self.pointer = pointer
        self.f = f
        self.low = f.parameter("lo", I64)
        self.high = f.parameter("hi", I64)

    def write(self) -> None:
        """Write the body."""
        assert self.node.primitive is not None
        lowering = self.node.primitive.lower
        if isinstance(lowering, Regions):
            _regions(self, lowering)
        else:
            assert isinstance(lowering, Kernel)
            _EMITTERS[lowering.name](self)

    # What writers need.

    def view(self, i: int) -> Strided:
        """Return the view that input `i` is."""
        return self.layouts.of(self.node.inputs[i])

    @property
    def out(self) -> Strided:
        """The result as a view of itself."""
        return Strided(self.node, 0, self.node.shape, contiguous(self.node.shape))

    def load(self, view: Strided, index: list[Scalar]) -> Scalar:
        """Read an element of a view."""
        kind = kind_of(view.root.dtype)
        return self.f.load(self.pointer(view.root), place_of(view, index), kind)

    def store(self, value: Scalar, view: Strided, index: list[Scalar]) -> None:
        """Write an element of a view."""
        self.f.store(value, self.pointer(view.root), place_of(view, index))

    def copy(
        self,
        source: Strided,
        at: list[Scalar],
        target: Strided,
        to: list[Scalar],
        count: int,
    ) -> None:
        """Copy so many elements that follow each other."""
        f, kind = self.f, kind_of(source.root.dtype)
        origin = f.address(self.pointer(source.root), place_of(source, at), kind)
        end = f.address(self.pointer(target.root), place_of(target, to), kind)
        nbytes = count * source.root.dtype.itemsize
        f.declare("@llvm.memcpy.p0.p0.i64", "void", ["ptr", "ptr", I64, "i1"])
        f.emit(f"call void @llvm.memcpy.p0.p0.i64(ptr {end}, ptr {origin}, i64 {nbytes}, i1 false)")

    def checked(self, i: Scalar, n: int) -> Scalar:
        """Return an index of an axis of length n counted from its start, and note if it is none."""
        i = i.lt(0).where(i + n, i)
        outside = i.lt(0) | i.ge(n)
        with self.f.when(outside):
            self.f.store(self.f.number(1), "%status", 0)
        return outside.where(i.like(0), i)

    @contextmanager
    def loops(self, shape: tuple[int, ...], *, shared: bool = False) -> Iterator[list[Scalar]]:
        """Run the body for every index; with `shared`, the first axis is a thread's share."""
        with ExitStack() as stack:
            index = []
            for a, n in enumerate(shape):
                bounds = (self.low, self.high) if shared and a == 0 else (0, n)
                index.append(stack.enter_context(self.f.loop(*bounds)))
            yield index

    @contextmanager
    def lanes(self, axis: int, *, shared: bool = False) -> Iterator[list[Scalar]]:
        """Run the body for every index of the first input but for `axis`, where it is 0.

        With `shared`, the first of the other axes is a thread's share.
        """
        with self.loops(_rest(self.node), shared=shared) as index:
            yield [*index[:axis], self.f.number(0), *index[axis:]]


def _rest(node: Node) -> tuple[int, ...]:
    """Return the lengths of the first input's axes but for the one that a kernel runs along."""
    shape, axis = node.inputs[0].shape, node.attributes["axis"]
    return shape[:axis] + shape[axis + 1 :]


def place_of(view: Strided, index: list[Scalar]) -> Scalar | int:
    """Return the offset of an element in its buffer."""
    total: Scalar | int = view.offset
    for i, step, n in zip(index, view.strides, view.shape, strict=True):
        if step and n != 1:
            term = i if step == 1 else i * step
            total = term + total if isinstance(total, Scalar) or total else term
    return total


def scratch_of(node: Node, layouts: Layouts) -> int:
    """Return the bytes of working memory that a kernel needs on each thread."""
    if node.op == "argsort":
        return 16 * int(node.inputs[0].shape[node.attributes["axis"]])
    if node.op == "matmul":
        from schuss.compiler.kernels.matmul import scratch_of_product

        return scratch_of_product(node, layouts)
    return 0


# Results put together from regions.


def _regions(k: KernelEmitter, lowering: Regions) -> None:
    attributes = k.node.attributes
    fill = lowering.fill(**attributes)
    if fill is not None:
        value = k.f.number(fill, kind_of(k.node.dtype))
        with k.f.loop(0, k.node.size) as i:
            k.f.store(value, k.pointer(k.node), i)
    shapes = [x.shape for x in k.node.inputs]
    for number, part in enumerate(lowering.parts(shapes, **attributes)):
        if k.node.inputs[number].size == 0:
            continue
        target = region(k.node, k.out, operator.itemgetter(part))
        assert target is not None  # a basic index is always a view
        source = k.view(number).broadcast(target.shape)
        with k.loops(target.shape) as place:
            k.store(k.load(source, place), target, place)


# Along one axis.


def _position(k: KernelEmitter) -> None:
    axis = k.node.attributes["axis"]
    x, f = k.view(0), k.f
    kind = kind_of(x.root.dtype)
    larger = k.node.op == "argmax"
    best, where = f.reserve(kind), f.reserve(I64)
    with k.lanes(axis, shared=True) as index:
        f.store(k.load(x, index), best, 0)
        f.store(f.number(0), where, 0)
        with f.loop(1, x.shape[axis]) as i:
            index[axis] = i
            value, held = k.load(x, index), f.load(best, 0, kind)
            better = value.gt(held) if larger else value.lt(held)
            better = better | (value.isnan() & ~held.isnan())
            f.store(better.where(value, held), best, 0)
            f.store(better.where(i, f.load(where, 0, I64)), where, 0)
        rest = index[:axis] + index[axis + 1 :]
        k.store(f.load(where, 0, I64), k.out, rest)


def _cumulative_sum(k: KernelEmitter) -> None:
    axis, reverse = k.node.attributes["axis"], k.node.attributes["reverse"]
    x, f = k.view(0), k.f
    n = x.shape[axis]
    kind = kind_of(x.root.dtype)
    wide = F64 if kind == F32 and n >= WIDE_SUM else kind
    total = f.reserve(wide)
    with k.lanes(axis, shared=True) as index:
        f.store(f.number(0, wide), total, 0)
        with f.loop(0, n) as i:
            index[axis] = f.number(n - 1) - i if reverse else i
            value = f.load(total, 0, wide) + k.load(x, index).to(wide)
            f.store(value, total, 0)
            k.store(value.to(kind), k.out, index)


def _argsort(k: KernelEmitter) -> None:
    """Merge sort, which keeps the order of equal elements; nan comes last (first, descending)."""
    axis, descending = k.node.attributes["axis"], k.node.attributes["descending"]
    x, f = k.view(0), k.f
    n = x.shape[axis]
    first = "%scratch"
    second = f.address("%scratch", n, I64)

    def comes_before(a: Scalar, b: Scalar) -> Scalar:
        if descending:
            a, b = b, a
        if not a.is_float:
            return a.lt(b)
        return a.lt(b) | (b.isnan() & ~a.isnan())

    with k.lanes(axis) as index:
        with f.loop(0, n) as i:
            f.store(i, first, i)
        width = f.reserve(I64)
        f.store(f.number(1), width, 0)
        with f.repeat() as passes:
            w = f.load(width, 0, I64)
            passes.leave(w.ge(n))
            _merge_pass(k, index, axis, w, (first, second), comes_before)
            with f.loop(0, n) as i:
                f.store(f.load(second, i, I64), first, i)
            f.store(w + w, width, 0)
        with f.loop(0, n) as i:
            index[axis] = i
            k.store(f.load(first, i, I64), k.out, index)


def _merge_pass(
    k: KernelEmitter,
    index: list[Scalar],
    axis: int,
    w: Scalar,
    scratch: tuple[str, str],
    comes_before: Callable[[Scalar, Scalar], Scalar],
) -> None:
    """Merge neighbouring sorted runs of length `w` from the first scratch into the second."""
    f, n = k.f, k.node.inputs[0].shape[axis]
    x = k.view(0)
    start, left, right, out = (f.reserve(I64) for _ in range(4))
    f.store(f.number(0), start, 0)
    with f.repeat() as runs:
        s = f.load(start, 0, I64)
        runs.leave(s.ge(n))
        middle, stop = (s + w).minimum(n), (s + w + w).minimum(n)
        f.store(s, left, 0)
        f.store(middle, right, 0)
        f.store(s, out, 0)
        with f.repeat() as steps:
            o = f.load(out, 0, I64)
            steps.leave(o.ge(stop))
            a, b = f.load(left, 0, I64), f.load(right, 0, I64)
            # Reading past a run's end would be out of bounds at the last one.
            p = f.load(scratch[0], a.minimum(n - 1), I64)
            q = f.load(scratch[0], b.minimum(n - 1), I64)
            at_p = [*index[:axis], p, *index[axis + 1 :]]
            at_q = [*index[:axis], q, *index[axis + 1 :]]
            later_first = comes_before(k.load(x, at_q), k.load(x, at_p))
            take = b.lt(stop) & (a.ge(middle) | later_first)
            f.store(take.where(q, p), scratch[1], o)
            f.store(take.where(a, a + 1), left, 0)
            f.store(take.where(b + 1, b), right, 0)
            f.store(o + 1, out, 0)
        f.store(stop, start, 0)


# Random numbers.


def _random_uniform(k: KernelEmitter) -> None:
    """Write a block of numbers at a time: as vectors the rounds would be no faster, and longer."""
    f, size, kind = k.f, k.node.size, kind_of(k.node.dtype)
    key = k.view(0)
    seed, draw = (k.load(key, [f.number(i)]) for i in range(2))
    each = 8 if kind == F32 else 4
    full, rest = divmod(size, each)
    with f.loop(k.low, k.high) as block:
        words = philox([block + 1, draw, f.number(0), f.number(0)], [seed, f.number(0)])
        numbers = fractions(f, words, kind)
        target = f.address(k.pointer(k.node), block * each, kind)
        if rest:
            last = block.eq(full)
            with f.when(~last):
                f.emit(f"store {numbers.typed}, ptr {target}, align 4")
            with f.when(last):
                place = f.reserve(numbers.kind)
                f.emit(f"store {numbers.typed}, ptr {place}")
                for i in range(rest):
                    f.store(f.load(place, i, kind), target, i)
        else:
            f.emit(f"store {numbers.typed}, ptr {target}, align 4")


def _matmul(k: KernelEmitter) -> None:
    from schuss.compiler.kernels.matmul import write_product

    write_product(k)


_EMITTERS: dict[str, Callable[[KernelEmitter], None]] = {
    "argmax": _position,
    "argmin": _position,
    "argsort": _argsort,
    "cumulative_sum": _cumulative_sum,
    "gather": write_gather,
    "matmul": _matmul,
    "random_uniform": _random_uniform,
    "segment_lists": write_segment_lists,
    "scatter_add": write_scatter_add,
}
