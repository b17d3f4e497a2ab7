"""Micro-kernel of packed GEMM, and the packing of its operands, as functions of machine code.

The names are those of Goto and of BLIS: C += A B, where a tile of MR x NR elements of C is kept in
vector registers while the inner axis goes by.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from schuss.lowering.llvm_types import F32, I16, I64
from schuss.lowering.vectors import SIZE, SUFFIX, Vector, VectorEmitter
from schuss.native.target import has_feature, vector_bytes

__all__ = [
    "LEAST_MR",
    "LONGEST",
    "MC",
    "MR",
    "PAIRED_SUM",
    "TileShape",
    "is_supported",
    "micro_kernel",
    "micro_kernel_name",
    "pack",
    "pack_transposed",
    "paired_shape",
    "tile_shape",
    "tiles_of",
    "transpose_out",
]

# Adds the products of pairs of bfloat16 to float32s.
PAIRED_SUM = "llvm.x86.avx512bf16.dpbf16ps.512"
# Rows of a tile, at most and at least. Rows are dealt out to as few tiles as possible, about as
# many to each.
MR, LEAST_MR = 6, 3
# Rows of A that are packed at once (and rows of C's transposed that are transposed at once).
MC = 48
# Bytes of packed B that are kept in a core's second cache while the rows of A go by.
_PACKED_BYTES = 512 * 1024
# The inner axis is not cut here: beyond this length, a panel leaves the second cache.
LONGEST = 4096


@dataclass(frozen=True)
class TileShape(Vector):
    """The vectors of a register tile.

    Args:
        vectors: in a row of a tile.
        is_paired: whether an element of the factors is two numbers of bfloat16, which follow each
            other along the inner axis: lengths and steps along it count pairs.
    """

    vectors: int
    is_paired: bool = False

    @property
    def name(self) -> str:
        """What functions for the shape are called by."""
        return "bf16" if self.is_paired else SUFFIX[self.kind]

    @property
    def number(self) -> str:
        """LLVM's type of what the factors are made of."""
        return I16 if self.is_paired else self.kind

    @property
    def nr(self) -> int:
        """NR: columns of a tile, and of a panel of packed B."""
        return self.lanes * self.vectors

    def nc(self, inner: int) -> int:
        """Return NC: how many columns of B are packed at once."""
        fitting = _PACKED_BYTES // (inner * SIZE[self.kind] * self.nr)
        return max(fitting, 1) * self.nr

    def scratch_bytes(self, inner: int, columns: int) -> int:
        """Return the bytes of working memory of one thread, for so many columns of B."""
        packed = min(self.nc(inner), -(-columns // self.nr) * self.nr)
        return SIZE[self.kind] * (MC * self.nr + inner * (MC + packed))


def tile_shape(kind: str) -> TileShape:
    """Return the tiles for this processor: 24 sums of 32 registers, or 12 of 16."""
    width = vector_bytes()
    return TileShape(kind, width // SIZE[kind], 4 if width == 64 else 2)


def paired_shape() -> TileShape | None:
    """Return the tiles of bfloat16's products, where this processor has instructions for them."""
    if vector_bytes() < 64 or not has_feature("avx512bf16"):
        return None
    return replace(tile_shape(F32), is_paired=True)


def is_supported(kind: str, inner: int) -> bool:
    """Whether this processor's vectors and the length of the inner axis suit packed GEMM."""
    fused = vector_bytes() == 64 or (vector_bytes() == 32 and has_feature("fma"))
    return fused and kind in SIZE and 0 < inner <= LONGEST


def tiles_of(shape: TileShape) -> list[tuple[int, int, bool]]:
    """Return the tiles that there are, as (rows, vectors, whether they reach beyond the result).

    The last panel may be a narrow one.
    """
    whole = [(height, shape.vectors, False) for height in range(LEAST_MR, MR + 1)]
    return whole + [(MR, vectors, True) for vectors in range(1, shape.vectors + 1)]


def micro_kernel_name(height: int, vectors: int, masked: bool) -> str:
    """Return a micro-kernel's name, without the suffix of the element type."""
    return f"tile{height}x{vectors}{'masked' if masked else ''}"


def micro_kernel(shape: TileShape, height: int, vectors: int, masked: bool) -> str:
    """Write a micro-kernel: `height` x `columns` of C, so many vectors of a panel.

    Where there are fewer `rows`, those beyond them repeat the last one: what they compute and
    store is the same. With `masked`, the last vector reaches beyond the columns.
    """
    f = VectorEmitter(
        f"{micro_kernel_name(height, vectors, masked)}_{shape.name}",
        ["ptr noalias %a", "i64 %a_row", "i64 %a_k", "ptr noalias %b", "i64 %inner",
         "ptr noalias %c", "i64 %c_row", "i64 %rows", "i64 %columns"],
        shape,
    )  # fmt: skip
    last = f.parameter("rows", I64) - 1
    is_exact = not masked and height > LEAST_MR
    rows = [f.number(r) if is_exact else last.minimum(r) for r in range(height)]
    sources = [f.at("%a", r * f.parameter("a_row", I64)) for r in rows]
    names = {(r, v): f.fresh("sum") for r in range(height) for v in range(vectors)}
    after = {place: f.fresh("next") for place in names}
    f.emit("br label %body")
    f.label("%body")
    f.emit("%k = phi i64 [ 0, %entry ], [ %k1, %body ]")
    f.emit("%offset = phi i64 [ 0, %entry ], [ %offset1, %body ]")
    f.emit("%line = phi ptr [ %b, %entry ], [ %line1, %body ]")
    for place, name in names.items():
        f.emit(
            f"{name} = phi {shape.vector} [ zeroinitializer, %entry ], [ {after[place]}, %body ]"
        )
    across = [f.read(f.at("%line", v * shape.lanes)) for v in range(vectors)]
    for r, source in enumerate(sources):
        one = f.load(source, f.parameter("offset", I64), shape.kind)
        alone = f.vector(f"insertelement {shape.vector} poison, {one.typed}, i64 0")
        spread = f.vector(
            f"shufflevector {shape.vector} {alone}, {shape.vector} poison, "
            f"<{shape.lanes} x i32> zeroinitializer"
        )
        for v, other in enumerate(across):
            _add_product(f, shape, after[r, v], (names[r, v], spread, other))
    f.emit("%k1 = add nsw i64 %k, 1")
    f.emit("%offset1 = add nsw i64 %offset, %a_k")
    f.emit(f"%line1 = getelementptr inbounds {shape.kind}, ptr %line, i64 {shape.nr}")
    f.emit("%more = icmp slt i64 %k1, %inner")
    f.emit("br i1 %more, label %body, label %out")
    f.label("%out")
    columns = f.parameter("columns", I64)
    targets = [f.at("%c", r * f.parameter("c_row", I64)) for r in rows]
    mask = f.mask(columns - (vectors - 1) * shape.lanes) if masked else None
    for (r, v), name in after.items():
        f.write(name, f.at(targets[r], v * shape.lanes), mask if v == vectors - 1 else None)
    return f.text()


def _add_product(f: VectorEmitter, shape: TileShape, name: str, values: tuple[str, ...]) -> None:
    """Write name = a + b * c, of vectors a, b, c; of pairs both products are added."""
    v = shape.vector
    if not shape.is_paired:
        given = ", ".join(f"{v} {x}" for x in (*values[1:], values[0]))
        f.emit(f"{name} = call {v} @llvm.fma.{shape.suffix}({given})")
        return
    halves = f"<{2 * shape.lanes} x bfloat>"
    b, c = (f.vector(f"bitcast {v} {x} to {halves}") for x in values[1:])
    f.emit(f"{name} = call {v} @{PAIRED_SUM}({v} {values[0]}, {halves} {b}, {halves} {c})")


def _pairs(f: VectorEmitter, shape: TileShape, places: Sequence[str], mask: str) -> str:
    """Read two lines of bfloat16, and return what is at the same place of both side by side."""
    n = shape.lanes
    lines = []
    for place in places:
        values = f"<{n} x i16>"
        line = f.vector(
            f"call {values} @llvm.masked.load.v{n}i16.p0(ptr {place}, i32 2, <{n} x i1> {mask}, "
            f"{values} zeroinitializer)"
        )
        lines.append(f.vector(f"zext {values} {line} to <{n} x i32>"))
    sixteen = ", ".join(["i32 16"] * n)
    upper = f.vector(f"shl <{n} x i32> {lines[1]}, <{sixteen}>")
    both = f.vector(f"or <{n} x i32> {lines[0]}, {upper}")
    return f.vector(f"bitcast <{n} x i32> {both} to {shape.vector}")


def pack(shape: TileShape, name: str, width: int) -> str:
    """Write a copy of `lines` rows of at most `width` elements; what is missing becomes 0.

    Of pairs, each row is made of two lines, and `step` is the distance of these in numbers.
    """
    f = VectorEmitter(
        name,
        ["ptr noalias %source", "i64 %step", "i64 %lines", "i64 %count", "ptr noalias %target"],
        shape,
    )
    vectors = width // shape.lanes
    masks = [f.mask(f.parameter("count", I64) - v * shape.lanes) for v in range(vectors)]
    with f.loop(0, f.parameter("lines", I64)) as i:
        target = f.at("%target", i * width)
        step = f.parameter("step", I64)
        lines = [i * 2 * step, (i * 2 + 1) * step] if shape.is_paired else [i * step]
        sources = [f.address("%source", line, shape.number) for line in lines]
        for v, mask in enumerate(masks):
            places = [f.address(source, v * shape.lanes, shape.number) for source in sources]
            value = _pairs(f, shape, places, mask) if shape.is_paired else f.read(places[0], mask)
            f.write(value, f.at(target, v * shape.lanes))
    return f.text()


def pack_transposed(shape: TileShape) -> str:
    """Write the packing of at most NR rows, so that they become the columns of a panel."""
    f = VectorEmitter(
        f"schuss_product_packing_{shape.name}",
        ["ptr noalias %source", "i64 %step", "i64 %inner", "i64 %count", "ptr noalias %target"],
        shape,
    )
    inner, last = f.parameter("inner", I64), f.parameter("count", I64) - 1
    step = f.parameter("step", I64)
    whole = inner.op("sdiv", shape.lanes) * shape.lanes
    with f.loop(0, last + 1, shape.lanes) as first:
        # Columns beyond the last row repeat it: nobody reads what comes of them.
        lines = [f.at("%source", last.minimum(first + i) * step) for i in range(shape.lanes)]
        with f.loop(0, whole, shape.lanes) as k:
            square = f.transposed([f.read(f.at(line, k)) for line in lines])
            for i, row in enumerate(square):
                f.write(row, f.at("%target", (k + i) * shape.nr + first))
        with f.loop(whole, inner) as k, f.loop(first, first + shape.lanes) as column:
            value = f.load("%source", last.minimum(column) * step + k, shape.kind)
            f.store(value, "%target", k * shape.nr + column)
    return f.text("")


def transpose_out(shape: TileShape) -> str:
    """Write the transposition of `height` rows of a panel into `count` rows of the result."""
    f = VectorEmitter(
        f"transpose_out_{shape.name}",
        ["ptr noalias %source", "ptr noalias %c", "i64 %c_row", "i64 %height", "i64 %count"],
        shape,
    )
    count, height = f.parameter("count", I64), f.parameter("height", I64)
    with f.loop(0, height, shape.lanes) as row, f.loop(0, count, shape.lanes) as first:
        lines = [f.read(f.at("%source", (row + i) * shape.nr + first)) for i in range(shape.lanes)]
        mask = f.mask(height - row)
        for i, line in enumerate(f.transposed(lines)):
            # Rows beyond the last one are not there.
            with f.when(count.gt(first + i)):
                f.write(line, f.at("%c", row + f.parameter("c_row", I64) * (first + i)), mask)
    return f.text()
