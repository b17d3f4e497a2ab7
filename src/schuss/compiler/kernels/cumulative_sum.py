"""Cumulative sums (scans) along an axis, from its start or from its end."""

from __future__ import annotations

from schuss.compiler.kernels.along_axis import AlongAxis, lanes
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.lowering.kinds import WIDE_SUM
from schuss.lowering.llvm_types import F32, F64, kind_of

__all__ = ["CumulativeSum"]


class CumulativeSum(AlongAxis):
    """y[i] = y[i - 1] + x[i], or with `reverse` y[i] = y[i + 1] + x[i]."""

    def write(self, k: KernelEmitter) -> None:
        """Add one element after the other; long float32 sums in float64, as NumPy's value does."""
        axis, reverse = k.node.attributes["axis"], k.node.attributes["reverse"]
        x, f = k.view(0), k.f
        n = x.shape[axis]
        kind = kind_of(x.root.dtype)
        wide = F64 if kind == F32 and n >= WIDE_SUM else kind
        total = f.reserve(wide)
        with lanes(k) as index:
            f.store(f.number(0, wide), total, 0)
            with f.loop(0, n) as i:
                index[axis] = f.number(n - 1) - i if reverse else i
                value = f.load(total, 0, wide) + k.load(x, index).to(wide)
                f.store(value, total, 0)
                k.store(value.to(kind), k.out, index)
