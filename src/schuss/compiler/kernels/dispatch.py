"""Kernels of their own kind: regions, positions, sorting, running sums, random numbers."""

from __future__ import annotations

import operator
from collections.abc import Callable

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.views import Layouts, region
from schuss.compiler.kernels.gather_scatter import write_gather, write_scatter_add
from schuss.compiler.kernels.kernel import KernelEmitter
from schuss.compiler.kernels.matmul import scratch_of_product, write_product
from schuss.compiler.kernels.segment_sum import write_segment_lists
from schuss.lowering.ir_builder import F32, F64, I64, Scalar, kind_of
from schuss.lowering.kinds import WIDE_SUM, Kernel, Regions
from schuss.lowering.philox import fractions, philox

__all__ = []


def scratch_of(node: Node, layouts: Layouts) -> int:
    """Return the bytes of working memory that a kernel needs on each thread."""
    if node.op == "argsort":
        return 16 * int(node.inputs[0].shape[node.attributes["axis"]])
    if node.op == "matmul":
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


def write_kernel(k: KernelEmitter) -> None:
    """Write the body of the kernel of the emitter's node."""
    assert k.node.primitive is not None
    lowering = k.node.primitive.lower
    if isinstance(lowering, Regions):
        _regions(k, lowering)
    else:
        assert isinstance(lowering, Kernel)
        _EMITTERS[lowering.name](k)
