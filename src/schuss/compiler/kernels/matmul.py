"""Matrix products, and which algorithm computes each: tiles, packed GEMM, BLAS or plain loops."""

from __future__ import annotations

from dataclasses import dataclass

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.views import Layouts, Strided
from schuss.compiler.kernels.blas import Blas
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.compiler.kernels.matmul_algorithm import BY_MATRICES, MatmulAlgorithm, Product
from schuss.compiler.kernels.packed_gemm import PackedGemm
from schuss.compiler.kernels.register_tiles import RegisterTiles
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import kind_of

__all__ = ["Matmul"]


class Matmul(KernelDescriptor):
    """x @ y, over all leading axes."""

    def flops(self, node: Node) -> int:
        """Return the multiplications and additions."""
        return 2 * node.size * node.inputs[0].shape[-1]

    def accepts(self, view: Strided) -> bool:
        """Whether an input's rows, or its columns, lie without gaps."""
        return view.matrix_layout is not None

    def plan(self, node: Node, layouts: Layouts) -> MatmulAlgorithm:
        """Choose the algorithm."""
        x, y = (layouts.of(i) for i in node.inputs)
        product = Product(node, x, y)
        if not product.is_float or not node.size or not product.inner:
            return PlainLoops(product.partitionings())
        tiles = RegisterTiles.choose(product)
        return tiles or PackedGemm.choose(product) or Blas.choose(product)

    def write(self, k: KernelEmitter) -> None:
        """Write the products of the matrices at each index of the leading axes."""
        assert isinstance(k.plan, MatmulAlgorithm)
        if k.node.size == 0:
            return
        batch = k.node.shape[:-2]
        x, y = (
            k.view(i).broadcast((*batch, *factor.shape[-2:]))
            for i, factor in enumerate(k.node.inputs)
        )
        with k.loops(batch, shared=k.partitioning.kind == BY_MATRICES) as index:
            k.plan.write(k, x, y, index)


@dataclass(frozen=True)
class PlainLoops(MatmulAlgorithm):
    """Three loops, for integers and for products over nothing."""

    def write(self, k: KernelEmitter, x: Strided, y: Strided, index: list[Scalar]) -> None:
        """Sum one element after the other."""
        f, kind = k.f, kind_of(k.node.dtype)
        total = f.reserve(kind)
        with f.loop(0, x.shape[-2]) as i, f.loop(0, y.shape[-1]) as j:
            f.store(f.number(0, kind), total, 0)
            with f.loop(0, x.shape[-1]) as q:
                term = k.load(x, [*index, i, q]).to(kind) * k.load(y, [*index, q, j]).to(kind)
                f.store(f.load(total, 0, kind) + term, total, 0)
            k.store(f.load(total, 0, kind), k.out, [*index, i, j])
