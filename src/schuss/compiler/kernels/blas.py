"""Matrix products by BLAS, which is called for each part on one thread."""

from __future__ import annotations

from dataclasses import dataclass

from schuss.compiler.graph.views import Strided
from schuss.compiler.kernels.emitter import KernelEmitter, place_of
from schuss.compiler.kernels.matmul_algorithm import BY_PARTS, Cut, MatmulAlgorithm, Product
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import F32, kind_of

__all__ = ["Blas"]

# CBLAS's names for the order of a matrix.
_ROW_MAJOR, _PLAIN, _TRANSPOSED = 101, 111, 112
# Parts have a multiple of so many rows or columns; and there are at most so many of them.
_STEP, _MOST_PARTS = 32, 16


@dataclass(frozen=True, kw_only=True)
class Blas(MatmulAlgorithm):
    """sgemm and dgemm.

    Args:
        cut: the parts.
    """

    cut: Cut

    @staticmethod
    def choose(product: Product) -> Blas:
        """Return how BLAS computes a product of floats."""
        by_columns = product.n > product.m
        each = length = product.n if by_columns else product.m
        if product.wanted_parts > 1:
            each = -(-length // min(product.wanted_parts, _MOST_PARTS))
            each = -(-each // _STEP) * _STEP
        cut = Cut(by_columns, length, each)
        return Blas(partitionings=product.partitionings(cut.partitioning), cut=cut)

    def write(self, k: KernelEmitter, x: Strided, y: Strided, index: list[Scalar]) -> None:
        """Call BLAS for the matrices at `index`, or for a thread's parts of them."""
        if k.partitioning.kind == BY_PARTS:
            with k.f.loop(k.low, k.high) as part:
                self._call(k, x, y, [], part * self.cut.each)
        else:
            self._call(k, x, y, index, None)

    def _call(
        self, k: KernelEmitter, x: Strided, y: Strided, index: list[Scalar], start: Scalar | None
    ) -> None:
        """Call BLAS for whole matrices, or for the part that begins at `start`."""
        f, kind = k.f, kind_of(k.node.dtype)
        inner = x.shape[-1]
        lengths: list[int | str] = [x.shape[-2], y.shape[-1]]
        zero = f.number(0)
        starts = [zero, zero]
        if start is not None:
            left = (f.number(self.cut.length) - start).minimum(self.cut.each)
            lengths[self.cut.by_columns] = left.to("i32").name
            starts[self.cut.by_columns] = start
        m, n = lengths
        factors = []
        for view, at in ((x, [starts[0], zero]), (y, [zero, starts[1]])):
            layout = view.matrix_layout
            assert layout is not None  # legalization made sure
            place = place_of(view, [*index, *at])
            factors.append((f.address(k.pointer(view.root), place, kind), *layout))
        (a, a_transposed, lda), (b, b_transposed, ldb) = factors
        c = f.address(k.pointer(k.node), place_of(k.out, [*index, *starts]), kind)
        ldc = k.node.shape[-1]
        name = "@scipy_cblas_sgemm" if kind == F32 else "@scipy_cblas_dgemm"
        kinds = ["i32"] * 6 + [kind, "ptr", "i32", "ptr", "i32", kind, "ptr", "i32"]
        f.declare(name, "void", kinds)
        one, nil = f.number(1, kind).name, f.number(0, kind).name
        values = [
            _ROW_MAJOR, _TRANSPOSED if a_transposed else _PLAIN,
            _TRANSPOSED if b_transposed else _PLAIN,
            m, n, inner, one, a, lda, b, ldb, nil, c, ldc,
        ]  # fmt: skip
        arguments = ", ".join(f"{t} {v}" for t, v in zip(kinds, values, strict=True))
        f.emit(f"call void {name}({arguments})")
