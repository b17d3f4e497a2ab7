"""Library of packed GEMM (Goto and van de Geijn, 2008), whose machine code all programs share.

C = A B: B is packed into panels of NR columns, NC columns at a time, which stay in the second
cache while A goes by, MC rows at a time; each tile of MR x NR elements of C is summed in registers.
Every element is one chain of fused multiply-adds over the inner axis, so that neither the cut
between threads nor the way it is computed changes a bit.
"""

from __future__ import annotations

from schuss.compiler.kernels.micro_kernel import (
    LEAST_MR,
    MC,
    MR,
    PAIRED_SUM,
    TileShape,
    micro_kernel,
    micro_kernel_name,
    pack,
    pack_transposed,
    paired_shape,
    tile_shape,
    tiles_of,
    transpose_out,
)
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import F32, F64, I64
from schuss.lowering.vectors import VectorEmitter
from schuss.native.jit import Library, load
from schuss.native.once import once
from schuss.native.target import vector_bytes

__all__ = ["function_name", "library_function"]

_PARAMETERS = [
    "ptr noalias %a", "i64 %a_row", "i64 %a_k", "ptr noalias %b", "i64 %b_row",
    "i64 %b_is_transposed", "ptr %c", "i64 %c_row", "i64 %inner", "i64 %nc", "ptr noalias %scratch",
    "i64 %a_low", "i64 %a_high", "i64 %b_low", "i64 %b_high", "i64 %tiles_at_once",
    "ptr %epilogue", "ptr %table",
]  # fmt: skip


def function_name(name: str, *, transposed: bool) -> str:
    """Return the name of the product as it stands, or of C's transposed."""
    return f"schuss_product_{'transposed' if transposed else 'plain'}_{name}"


class _Gemm:
    """Writes the loops over NC columns of B, MC rows of A, panels and tiles."""

    def __init__(self, shape: TileShape, *, transposed: bool) -> None:
        self.shape = shape
        self.transposed = transposed
        self.suffix = shape.name
        self.f = VectorEmitter(function_name(shape.name, transposed=transposed), _PARAMETERS, shape)

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
        if shape.is_paired:
            is_panel = is_panel & is_panel.like(0)
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
            source = f.address("%b", column * step, self.shape.number)
            self._call("schuss_product_packing", source, self._along(step), inner, count, target)
        with f.when(~is_transposed):
            source = f.address("%b", column, self.shape.number)
            self._call("pack_b", source, step, inner, count, target)

    def _along(self, step: Scalar) -> Scalar:
        """Return a step in elements of the factors, of which each is a pair where they are."""
        return step.op("ashr", 1) if self.shape.is_paired else step

    def _chunk_of_a(
        self, row: Scalar, height: Scalar, packed: str, lies_across: Scalar
    ) -> tuple[str, Scalar, Scalar]:
        """Return where MC rows of A are, their distance, and the step along the inner axis."""
        f = self.f
        source = f.address("%a", row * self._number("a_row"), self.shape.number)
        if self.transposed:
            return source, self._along(self._number("a_row")), self._number("a_k")
        # Far apart along the inner axis, its numbers would fall out of the cache: it is packed.
        with f.when(lies_across):
            self._call("pack_a", source, self._number("a_k"), self._number("inner"), height, packed)
        chosen = f.fresh("a")
        f.emit(f"{chosen} = select i1 {lies_across.name}, ptr {packed}, ptr {source}")
        step = lies_across.where(f.number(1), self._along(self._number("a_row")))
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
    suffix, n = shape.name, shape.lanes
    v, mask = shape.vector, f"<{n} x i1>"
    paired = [
        f"declare {v} @{PAIRED_SUM}({v}, <{2 * n} x bfloat>, <{2 * n} x bfloat>)",
        f"declare <{n} x i16> @llvm.masked.load.v{n}i16.p0(ptr, i32, {mask}, <{n} x i16>)",
    ]
    return "\n".join(
        [
            f"declare {v} @llvm.fma.{shape.suffix}({v}, {v}, {v})",
            f"declare {v} @llvm.masked.load.{shape.suffix}.p0(ptr, i32, {mask}, {v})",
            f"declare void @llvm.masked.store.{shape.suffix}.p0({v}, ptr, i32, {mask})",
            "declare i64 @llvm.smin.i64(i64, i64)",
            *(paired if shape.is_paired else ()),
            *[micro_kernel(shape, *tile) for tile in tiles_of(shape)],
            pack(shape, f"pack_b_{suffix}", shape.nr),
            pack(shape, f"pack_a_{suffix}", MC),
            pack_transposed(shape),
            transpose_out(shape),
            *[_Gemm(shape, transposed=transposed).text() for transposed in (False, True)],
            f'attributes #0 = {{ noinline nounwind "prefer-vector-width"="{vector_bytes() * 8}" }}',
        ]
    )


@once
def _library(shape: TileShape) -> Library:
    return load([], plain=[_text(shape)])


def library_function(name: str) -> int:
    """Return the address of a function: "schuss_product_plain_f32" and the like."""
    paired = paired_shape()
    if paired is not None and name.endswith(paired.name):
        return _library(paired).address(name)
    kind = F32 if name.endswith("f32") else F64
    return _library(tile_shape(kind)).address(name)
