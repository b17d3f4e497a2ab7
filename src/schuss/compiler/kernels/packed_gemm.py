"""Packed GEMM (Goto and van de Geijn, 2008): large products by a library that programs share.

C = A B: B is packed into panels of NR columns, NC columns at a time, which stay in the second
cache while A goes by, MC rows at a time; each tile of MR x NR elements of C is summed in registers.
For x @ y, A is x and B is y ("plain"), which may be transposed as it is packed. Where y lies across
and is large, C's transposed is computed instead ("transposed"): A is y's transposed, whose rows are
read as they lie, B is x's, and tiles are transposed on their way out. Every element is one chain of
fused multiply-adds over the inner axis, so that neither the cut between threads nor the way it is
computed changes a bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from schuss.compiler.graph.views import Strided
from schuss.compiler.kernels.emitter import KernelEmitter, place_of
from schuss.compiler.kernels.matmul_algorithm import (
    BY_PARTS,
    BY_ROWS,
    Cut,
    MatmulAlgorithm,
    Product,
)
from schuss.compiler.kernels.micro_kernel import (
    LEAST_MR,
    MC,
    MR,
    TileShape,
    is_supported,
    micro_kernel,
    micro_kernel_name,
    pack,
    pack_transposed,
    tile_shape,
    tiles_of,
    transpose_out,
)
from schuss.lowering.ir_builder import F32, F64, I64, Scalar, kind_of
from schuss.lowering.vectors import SIZE, SUFFIX, VectorEmitter
from schuss.native.jit import Library, load
from schuss.native.target import vector_bytes

__all__ = ["PackedGemm", "library_function"]

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
        shape = tile_shape(product.kind)
        m, n, inner = product.m, product.n, product.inner
        x_transposed, y_transposed = (_layout(view)[0] for view in (product.x, product.y))
        # Either the panels of y are transposed, or those of x and the result.
        transposed = y_transposed and not x_transposed and n * inner > m * (n + inner)
        # A panel that is mostly empty would cost as much as a full one.
        transposed = transposed and 2 * m >= shape.nr
        if 2 * (m if transposed else n) < shape.nr:
            return None
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
        zero, inner = f.number(0), x.shape[-1]
        m, n = k.node.shape[-2:]
        bounds = [(zero, f.number(m)), (zero, f.number(n))]
        if k.partitioning.kind == BY_PARTS:
            each = self.cut.each
            bounds[self.cut.by_columns] = k.low * each, (k.high * each).minimum(self.cut.length)
        elif k.partitioning.kind == BY_ROWS:
            bounds[0] = k.low, k.high
        places = [
            f.address(k.pointer(v.root), place_of(v, [*index, zero, zero]), kind) for v in (x, y)
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
        name = f"@{_name(kind, transposed=self.is_transposed)}"
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


# The library.

_PARAMETERS = [
    "ptr noalias %a", "i64 %a_row", "i64 %a_k", "ptr noalias %b", "i64 %b_row",
    "i64 %b_is_transposed", "ptr %c", "i64 %c_row", "i64 %inner", "i64 %nc", "ptr noalias %scratch",
    "i64 %a_low", "i64 %a_high", "i64 %b_low", "i64 %b_high", "i64 %tiles_at_once",
    "ptr %epilogue", "ptr %table",
]  # fmt: skip


def _name(kind: str, *, transposed: bool) -> str:
    return f"schuss_product_{'transposed' if transposed else 'plain'}_{SUFFIX[kind]}"


class _Gemm:
    """Writes the loops over NC columns of B, MC rows of A, panels and tiles."""

    def __init__(self, shape: TileShape, *, transposed: bool) -> None:
        self.shape = shape
        self.transposed = transposed
        self.suffix = SUFFIX[shape.kind]
        self.f = VectorEmitter(_name(shape.kind, transposed=transposed), _PARAMETERS, shape)

    def _number(self, name: str) -> Scalar:
        return self.f.parameter(name, I64)

    def text(self) -> str:
        """Return the function."""
        f, shape = self.f, self.shape
        # Working memory: MC rows of a panel of C, MC rows of A, then the panels of B.
        packed_a = f.at("%scratch", MC * shape.nr)
        packed_b = f.at(packed_a, self._number("inner") * MC)
        # Rows of B as long as a panel lie as they would when packed.
        columns = self._number("b_high") - self._number("b_low")
        is_panel = columns.eq(shape.nr) & self._number("b_row").eq(shape.nr)
        is_panel = is_panel & self._number("b_is_transposed").eq(0)
        panels = f.fresh("panels")
        f.emit(f"{panels} = select i1 {is_panel.name}, ptr %b, ptr {packed_b}")
        lies_across = self._number("a_k").ne(1)
        block = f.reserve(I64)
        f.store(self._number("b_low"), block, 0)
        with f.repeat() as blocks:
            start = f.load(block, 0, I64)
            blocks.leave(start.ge(self._number("b_high")))
            width = (self._number("b_high") - start).minimum(self._number("nc"))
            with f.when(~is_panel), f.loop(0, width, shape.nr) as j:
                self._pack_panel(start + j, (width - j).minimum(shape.nr), panels, j)
            with f.loop(self._number("a_low"), self._number("a_high"), MC) as row:
                height = (self._number("a_high") - row).minimum(MC)
                chunk = self._chunk_of_a(row, height, packed_a, lies_across)
                self._chunk_of_c(chunk, panels, (row, height), (start, width))
            f.store(start + width, block, 0)
        return f.text("")

    def _call(self, name: str, *arguments: str | Scalar) -> None:
        given = ", ".join(a.typed if isinstance(a, Scalar) else f"ptr {a}" for a in arguments)
        self.f.emit(f"call void @{name}_{self.suffix}({given})")

    def _pack_panel(self, column: Scalar, count: Scalar, panels: str, j: Scalar) -> None:
        f, inner, step = self.f, self._number("inner"), self._number("b_row")
        target = f.at(panels, j * inner)
        is_transposed = self._number("b_is_transposed").ne(0)
        with f.when(is_transposed):
            source = f.at("%b", column * step)
            self._call("schuss_product_packing", source, step, inner, count, target)
        with f.when(~is_transposed):
            self._call("pack_b", f.at("%b", column), step, inner, count, target)

    def _chunk_of_a(
        self, row: Scalar, height: Scalar, packed: str, lies_across: Scalar
    ) -> tuple[str, Scalar, Scalar]:
        """Return where MC rows of A are, their distance, and the step along the inner axis."""
        f = self.f
        source = f.at("%a", row * self._number("a_row"))
        if self.transposed:
            return source, self._number("a_row"), self._number("a_k")
        # Far apart along the inner axis, its numbers would fall out of the cache: it is packed.
        with f.when(lies_across):
            self._call("pack_a", source, self._number("a_k"), self._number("inner"), height, packed)
        chosen = f.fresh("a")
        f.emit(f"{chosen} = select i1 {lies_across.name}, ptr {packed}, ptr {source}")
        step = lies_across.where(f.number(1), self._number("a_row"))
        along = lies_across.where(f.number(MC), self._number("a_k"))
        return chosen, step, along

    def _chunk_of_c(
        self,
        a: tuple[str, Scalar, Scalar],
        panels: str,
        rows: tuple[Scalar, Scalar],
        columns: tuple[Scalar, Scalar],
    ) -> None:
        """Write `%tiles_at_once` rows of tiles at a time, and the epilogue that reads them.

        Args:
            a: where the rows of A are, their distance, and the step along the inner axis.
            panels: where packed B is.
            rows: the first one, and how many there are.
            columns: the first one, and how many there are.
        """
        f, shape = self.f, self.shape
        (row, height), (start, width) = rows, columns
        tiles = (height + (MR - 1)).op("sdiv", MR)
        least, more = height.op("sdiv", tiles), height.op("srem", tiles)
        done = f.reserve(I64)
        f.store(f.number(0), done, 0)
        with f.repeat() as groups:
            begin = f.load(done, 0, I64)
            groups.leave(begin.ge(tiles))
            end = (begin + self._number("tiles_at_once")).minimum(tiles)
            with f.loop(0, width, shape.nr) as j:
                panel = f.at(panels, j * self._number("inner"))
                column, count = start + j, (width - j).minimum(shape.nr)
                with f.loop(begin, end) as t:
                    first = t * least + t.minimum(more)
                    taken = t.lt(more).where(least + 1, least)
                    self._tile(a, panel, (row, first, taken), (column, count))
                if self.transposed:
                    out = f.at("%c", column * self._number("c_row") + row)
                    c_row = self._number("c_row")
                    self._call("transpose_out", "%scratch", out, c_row, height, count)
            with f.when(f.make("icmp ne ptr %epilogue, null", "i1")):
                bounds = [row + t * least + t.minimum(more) for t in (begin, end)]
                f.emit(f"call void %epilogue(ptr %table, {bounds[0].typed}, {bounds[1].typed})")
            f.store(end, done, 0)

    def _tile(
        self,
        a: tuple[str, Scalar, Scalar],
        panel: str,
        rows: tuple[Scalar, Scalar, Scalar],
        columns: tuple[Scalar, Scalar],
    ) -> None:
        f, shape = self.f, self.shape
        (source, step, along), (row, first, taken), (column, count) = a, rows, columns
        c_row = self._number("c_row")
        if self.transposed:
            target, down, width = "%scratch", f.number(shape.nr), f.number(shape.nr)
        else:
            target, down, width = f.at("%c", row * c_row + column), c_row, count
        here, out = f.at(source, first * step), f.at(target, first * down)
        given = (here, step, along, panel, self._number("inner"), out, down, taken, width)
        vectors = (width + (shape.lanes - 1)).op("sdiv", shape.lanes)
        is_whole = width.eq(shape.nr)
        for tall, wide, masked in tiles_of(shape):
            if masked:
                fits = ~is_whole & vectors.eq(wide)
            else:
                fits = is_whole & (taken.le(tall) if tall == LEAST_MR else taken.eq(tall))
            with f.when(fits):
                self._call(micro_kernel_name(tall, wide, masked), *given)


def _text(shape: TileShape) -> str:
    suffix = SUFFIX[shape.kind]
    v, mask = shape.vector, f"<{shape.lanes} x i1>"
    return "\n".join(
        [
            f"declare {v} @llvm.fma.{shape.suffix}({v}, {v}, {v})",
            f"declare {v} @llvm.masked.load.{shape.suffix}.p0(ptr, i32, {mask}, {v})",
            f"declare void @llvm.masked.store.{shape.suffix}.p0({v}, ptr, i32, {mask})",
            "declare i64 @llvm.smin.i64(i64, i64)",
            *[micro_kernel(shape, *tile) for tile in tiles_of(shape)],
            pack(shape, f"pack_b_{suffix}", shape.nr),
            pack(shape, f"pack_a_{suffix}", MC),
            pack_transposed(shape),
            transpose_out(shape),
            *[_Gemm(shape, transposed=transposed).text() for transposed in (False, True)],
            f'attributes #0 = {{ noinline nounwind "prefer-vector-width"="{vector_bytes() * 8}" }}',
        ]
    )


@cache
def _library(shape: TileShape) -> Library:
    return load([], [], plain=[_text(shape)])


def library_function(name: str) -> int:
    """Return the address of a function: "schuss_product_plain_f32" and the like."""
    kind = F32 if name.endswith("f32") else F64
    return _library(tile_shape(kind)).address(name)
