"""Products of matrices of bfloat16, by packed GEMM over pairs of numbers."""

from __future__ import annotations

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.views import Layouts, Strided
from schuss.compiler.kernels.matmul import Matmul
from schuss.compiler.kernels.matmul_algorithm import MatmulAlgorithm, Product
from schuss.compiler.kernels.micro_kernel import is_supported, paired_shape
from schuss.compiler.kernels.packed_gemm import PackedGemm
from schuss.lowering.llvm_types import F32

__all__ = ["Bfloat16Product", "is_fast"]

# Smaller products are made of tiles of float32, and so are those of fewer columns, whose panels
# would be mostly empty.
_LEAST_FLOPS, _LEAST_COLUMNS = 400_000, 32


def is_fast(node: Node) -> bool:
    """Whether a product of float32s is faster when its factors are bfloat16s in 16 bits."""
    shape, (m, n), inner = paired_shape(), node.shape[-2:], node.inputs[0].shape[-1]
    if shape is None or inner % 2 or not is_supported(F32, inner // 2):
        return False
    return 2 * m * n * inner > _LEAST_FLOPS and n >= _LEAST_COLUMNS


class Bfloat16Product(Matmul):
    """x @ y, of the bits of bfloat16s, as float32s."""

    def accepts_input(self, node: Node, place: int, view: Strided) -> bool:
        """Whether rows or columns lie without gaps, and pairs along the inner axis together."""
        layout = view.matrix_layout
        if layout is None:
            return False
        is_transposed, step = layout
        has_pairs = is_transposed if place else not is_transposed
        return not has_pairs or step % 2 == 0

    def plan(self, node: Node, layouts: Layouts) -> MatmulAlgorithm:
        """Return packed GEMM with tiles of pairs."""
        shape = paired_shape()
        assert shape is not None
        return PackedGemm.of(Product(node, *(layouts.of(x) for x in node.inputs)), shape)
