"""Packed GEMM: large products by a library that packs what it reads.

For x @ y, the library's A is x and its B is y, which may be transposed as it is packed. Where y
lies across and is large, C's transposed is computed instead: A is y's transposed, whose rows are
read as they lie, B is x's, and tiles are transposed on their way out.
"""

from __future__ import annotations

from dataclasses import dataclass

from schuss.compiler.graph.views import Strided
from schuss.compiler.kernels.emitter import KernelEmitter, place_of
from schuss.compiler.kernels.gemm_library import function_name
from schuss.compiler.kernels.matmul_algorithm import (
    BY_PARTS,
    BY_ROWS,
    Cut,
    MatmulAlgorithm,
    Product,
)
from schuss.compiler.kernels.micro_kernel import MC, MR, TileShape, is_supported, tile_shape
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import kind_of
from schuss.lowering.vectors import SIZE

__all__ = ["PackedGemm"]

# Elements of the rows of tiles that an epilogue reads at once, at least; and bytes of a panel that
# stays in the nearest cache.
_EPILOGUE_ELEMENTS, _NEAREST = 1024, 16 * 1024


@dataclass(frozen=True, kw_only=True)
class PackedGemm(MatmulAlgorithm):
    """A call of the library.

    Args:
        shape: of the register tiles.
        is_transposed: whether C's transposed is computed.
        cut: the parts.
    """

    shape: TileShape
    is_transposed: bool
    cut: Cut

    @staticmethod
    def choose(product: Product) -> PackedGemm | None:
        """Return how a product of floats is computed so; None where that would not be fast."""
        if not is_supported(product.kind, product.inner):
            return None
        found = PackedGemm.of(product, tile_shape(product.kind))
        # A panel that is mostly empty would cost as much as a full one.
        columns = product.m if found.is_transposed else product.n
        return found if 2 * columns >= found.shape.nr else None

    @staticmethod
    def of(product: Product, shape: TileShape) -> PackedGemm:
        """Return how a product is computed with some tiles."""
        m, n = product.m, product.n
        inner = product.inner // 2 if shape.is_paired else product.inner
        x_transposed, y_transposed = (_layout(view)[0] for view in (product.x, product.y))
        # Either the panels of y are transposed, or those of x and the result.
        transposed = y_transposed and not x_transposed and n * inner > m * (n + inner)
        transposed = transposed and 2 * m >= shape.nr
        cut = _cut(product, shape, transposed)
        parts = cut.partitioning
        by_rows = parts is not None and not cut.by_columns
        if not transposed and (by_rows or product.is_packed_by_all):
            # All threads pack all of y then.
            parts = product.by_rows(allows_epilogue=n <= shape.nc(inner)) or parts
        return PackedGemm(
            partitionings=product.partitionings(parts),
            scratch_bytes=shape.scratch_bytes(inner, m if transposed else n),
            shape=shape,
            is_transposed=transposed,
            cut=cut,
        )

    def write(self, k: KernelEmitter, x: Strided, y: Strided, index: list[Scalar]) -> None:
        """Call the library for the rows, columns or matrices of a thread."""
        f, kind, shape = k.f, kind_of(k.node.dtype), self.shape
        zero, inner = f.number(0), x.shape[-1] // 2 if self.shape.is_paired else x.shape[-1]
        m, n = k.node.shape[-2:]
        bounds = [(zero, f.number(m)), (zero, f.number(n))]
        if k.partitioning.kind == BY_PARTS:
            each = self.cut.each
            bounds[self.cut.by_columns] = k.low * each, (k.high * each).minimum(self.cut.length)
        elif k.partitioning.kind == BY_ROWS:
            bounds[0] = k.low, k.high
        places = [
            f.address(k.pointer(v.root), place_of(v, [*index, zero, zero]), shape.number)
            for v in (x, y)
        ]
        (x_transposed, x_step), (y_transposed, y_step) = _layout(x), _layout(y)
        c = f.address(k.pointer(k.node), place_of(k.out, [*index, zero, zero]), kind)
        if self.is_transposed:
            (b, a), (of_b, of_a) = places, bounds
            a_steps, b_step, columns = (y_step, 1), x_step, m
        else:
            (a, b), (of_a, of_b) = places, bounds
            a_steps, b_step, columns = (1, x_step) if x_transposed else (x_step, 1), y_step, n
        b_is_transposed = self.is_transposed or y_transposed
        nc = min(shape.nc(inner), -(-columns // shape.nr) * shape.nr)
        epilogue = ["%epilogue", "%table"] if k.has_epilogue else ["null", "null"]
        values: list[str | int | Scalar] = [
            a, *a_steps, b, b_step, f.number(b_is_transposed), c, n, inner, nc, "%scratch",
            *of_a, *of_b, _tiles_at_once(shape, inner, n) if k.has_epilogue else MC, *epilogue,
        ]  # fmt: skip
        kinds = ["ptr" if isinstance(v, str) else "i64" for v in values]
        name = f"@{function_name(shape.name, transposed=self.is_transposed)}"
        f.declare(name, "void", kinds)
        given = [v.name if isinstance(v, Scalar) else v for v in values]
        arguments = ", ".join(f"{t} {v}" for t, v in zip(kinds, given, strict=True))
        f.emit(f"call void {name}({arguments})")


def _layout(view: Strided) -> tuple[bool, int]:
    """Return whether a matrix lies transposed, and its leading dimension."""
    assert view.matrix_layout is not None  # legalization made sure
    return view.matrix_layout


def _cut(product: Product, shape: TileShape, transposed: bool) -> Cut:
    """Cut panels of B, or rows of A where there are more chunks of them.

    They are cut as finely as suits the tiles, for equal parts: a sum's order does not depend on it.
    """
    m, n = product.m, product.n
    of_a, of_b = (n, m) if transposed else (m, n)
    cuts_b = -(-of_b // shape.nr) >= 2 * of_a // MC
    by_columns = cuts_b != transposed
    length = n if by_columns else m
    each = shape.nr if cuts_b else MR
    return Cut(by_columns, length, each if product.wanted_parts > 1 else length)


def _tiles_at_once(shape: TileShape, inner: int, columns: int) -> int:
    """Return how many rows of tiles are computed before an epilogue reads them.

    The epilogue writes about as many cache lines as a core can be about to write at once. But where
    a panel is too large for the nearest cache, it goes by once for a whole chunk.
    """
    if inner * shape.nr * SIZE[shape.kind] > _NEAREST:
        return MC // MR
    return max(_EPILOGUE_ELEMENTS // (MR * columns), 1)
