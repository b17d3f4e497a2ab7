"""argsort: merge sort along an axis, which keeps the order of equal elements."""

from __future__ import annotations

from collections.abc import Callable

from schuss.compiler.graph.graph import Node
from schuss.compiler.kernels.along_axis import AlongAxis, lanes
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import I64

__all__ = ["Argsort"]


class Argsort(AlongAxis):
    """The positions in the order of their elements; nan comes last (first, descending)."""

    def scratch_bytes(self, node: Node) -> int:
        """Return the bytes of two lists of positions, from one to the other of which runs merge."""
        return 16 * int(node.inputs[0].shape[node.attributes["axis"]])

    def write(self, k: KernelEmitter) -> None:
        """Merge runs of 1, 2, 4, ... positions."""
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

        with lanes(k) as index:
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
