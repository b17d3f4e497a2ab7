"""argmax and argmin: the position of the largest or smallest element along an axis."""

from __future__ import annotations

from schuss.compiler.kernels.along_axis import AlongAxis, lanes
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.lowering.llvm_types import I64, kind_of

__all__ = ["ExtremePosition"]


class ExtremePosition(AlongAxis):
    """The first position of the extreme element, or of the first nan.

    Args:
        largest: whether the largest element is meant, or the smallest.
    """

    def __init__(self, *, largest: bool) -> None:
        self._largest = largest

    def write(self, k: KernelEmitter) -> None:
        """Compare one element after the other with the best one so far."""
        axis = k.node.attributes["axis"]
        x, f = k.view(0), k.f
        kind = kind_of(x.root.dtype)
        best, where = f.reserve(kind), f.reserve(I64)
        with lanes(k) as index:
            f.store(k.load(x, index), best, 0)
            f.store(f.number(0), where, 0)
            with f.loop(1, x.shape[axis]) as i:
                index[axis] = i
                value, held = k.load(x, index), f.load(best, 0, kind)
                better = value.gt(held) if self._largest else value.lt(held)
                better = better | (value.isnan() & ~held.isnan())
                f.store(better.where(value, held), best, 0)
                f.store(better.where(i, f.load(where, 0, I64)), where, 0)
            others = index[:axis] + index[axis + 1 :]
            k.store(f.load(where, 0, I64), k.out, others)
