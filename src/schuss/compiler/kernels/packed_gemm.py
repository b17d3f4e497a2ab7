"""Large matrix products as a library of machine code that all programs share.

One factor is read in vectors (V, packed into panels), the other one number at a time (S): a tile
of the result is as many sums as there are registers. A product with V = y is computed as it
stands ("plain"), where y may be transposed as it is packed; for x @ y.T with a large y the parts
are turned: V = x and S = y, whose rows are then read as they lie, and tiles of the result are
transposed on their way out ("turned"). Every element is
one chain of fused multiply-adds over the inner axis, so that neither the split between threads
nor the way it is computed changes a bit. The scheme is that of Goto and van de Geijn (2008).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from schuss.lowering.ir_builder import F32, F64, I64, Scalar
from schuss.lowering.vectors import SIZE, SUFFIX, Vector, VectorEmitter
from schuss.native.jit import Library, load
from schuss.native.target import has_feature, vector_bytes

__all__ = ["CHUNK", "ROWS", "Shape", "can_generate", "library_function", "shape_of", "strip_of"]

# Rows of S in a tile, and in a chunk that is packed or transposed at once.
ROWS = 6
CHUNK = 48
# Rows are dealt out to as few tiles as possible, about as many to each: so many or more.
LEAST_ROWS = 3
# Bytes of panels that are kept in a core's second cache while S goes by.
_BLOCK = 512 * 1024
# Elements of a strip, at least; bytes of a panel that stays in the nearest cache.
_STRIP, _NEAREST = 1024, 16 * 1024
# Beyond this length a panel no longer stays in the second cache.
_LONGEST = 4096


@dataclass(frozen=True)
class Shape(Vector):
    """The vectors of a tile.

    Args:
        vectors: in a row of a tile.
    """

    vectors: int

    @property
    def panel(self) -> int:
        """Columns of a panel."""
        return self.lanes * self.vectors

    def block(self, inner: int) -> int:
        """Return how many columns of V are packed at once."""
        fitting = _BLOCK // (inner * SIZE[self.kind] * self.panel)
        return max(fitting, 1) * self.panel

    def scratch_bytes(self, inner: int, columns: int) -> int:
        """Return the bytes of working memory of one thread."""
        panels = min(self.block(inner), -(-columns // self.panel) * self.panel)
        return SIZE[self.kind] * (CHUNK * self.panel + inner * (CHUNK + panels))


def shape_of(kind: str) -> Shape:
    """Return the tiles for this processor: 24 sums of 32 registers, or 12 of 16."""
    width = vector_bytes()
    return Shape(kind, width // SIZE[kind], 4 if width == 64 else 2)


def strip_of(shape: Shape, inner: int, columns: int) -> int:
    """Return how many rows of tiles are computed before what follows them.

    What follows writes about as many cache lines as a core can be about to write at once. But
    where a panel is too large for the nearest cache, it goes by once for a whole chunk.
    """
    if inner * shape.panel * SIZE[shape.kind] > _NEAREST:
        return CHUNK // ROWS
    return max(_STRIP // (ROWS * columns), 1)


def can_generate(kind: str, inner: int) -> bool:
    """Whether this processor's vectors and the length of the inner axis suit these products."""
    fused = vector_bytes() == 64 or (vector_bytes() == 32 and has_feature("fma"))
    return fused and kind in SIZE and 0 < inner <= _LONGEST


def _tiles_of(shape: Shape) -> list[tuple[int, int, bool]]:
    """Return the tiles that there are, as (rows, vectors, whether they reach beyond the result).

    The last panel may be a narrow one.
    """
    whole = [(height, shape.vectors, False) for height in range(LEAST_ROWS, ROWS + 1)]
    return whole + [(ROWS, vectors, True) for vectors in range(1, shape.vectors + 1)]


def _name(height: int, vectors: int, masked: bool) -> str:
    return f"tile{height}x{vectors}{'masked' if masked else ''}"


def _tile(shape: Shape, height: int, vectors: int, masked: bool) -> str:
    """Write a tile: `height` x `columns` of the result, so many vectors of a panel.

    Where there are fewer `rows`, those beyond them repeat the last one: what they compute and
    store is the same. With `masked`, the last vector reaches beyond the columns.
    """
    f = VectorEmitter(
        f"{_name(height, vectors, masked)}_{SUFFIX[shape.kind]}",
        ["ptr noalias %s", "i64 %s_row", "i64 %s_k", "ptr noalias %v", "i64 %inner",
         "ptr noalias %c", "i64 %c_row", "i64 %rows", "i64 %columns"],
        shape,
    )  # fmt: skip
    last = f.parameter("rows", I64) - 1
    is_exact = not masked and height > LEAST_ROWS
    rows = [f.number(r) if is_exact else last.minimum(r) for r in range(height)]
    sources = [f.at("%s", r * f.parameter("s_row", I64)) for r in rows]
    names = {(r, v): f.fresh("sum") for r in range(height) for v in range(vectors)}
    after = {place: f.fresh("next") for place in names}
    f.emit("br label %body")
    f.label("%body")
    f.emit("%k = phi i64 [ 0, %entry ], [ %k1, %body ]")
    f.emit("%offset = phi i64 [ 0, %entry ], [ %offset1, %body ]")
    f.emit("%line = phi ptr [ %v, %entry ], [ %line1, %body ]")
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
            values = ", ".join(f"{shape.vector} {x}" for x in (spread, other, names[r, v]))
            f.emit(f"{after[r, v]} = call {shape.vector} @llvm.fma.{shape.suffix}({values})")
    f.emit("%k1 = add nsw i64 %k, 1")
    f.emit("%offset1 = add nsw i64 %offset, %s_k")
    f.emit(f"%line1 = getelementptr inbounds {shape.kind}, ptr %line, i64 {shape.panel}")
    f.emit("%more = icmp slt i64 %k1, %inner")
    f.emit("br i1 %more, label %body, label %out")
    f.label("%out")
    columns = f.parameter("columns", I64)
    targets = [f.at("%c", r * f.parameter("c_row", I64)) for r in rows]
    mask = f.mask(columns - (vectors - 1) * shape.lanes) if masked else None
    for (r, v), name in after.items():
        f.write(name, f.at(targets[r], v * shape.lanes), mask if v == vectors - 1 else None)
    return f.text()


def _pack(shape: Shape, name: str, width: int) -> str:
    """Write a copy of `lines` rows of at most `width` elements; what is missing becomes 0."""
    f = VectorEmitter(
        name,
        ["ptr noalias %source", "i64 %step", "i64 %lines", "i64 %count", "ptr noalias %target"],
        shape,
    )
    vectors = width // shape.lanes
    masks = [f.mask(f.parameter("count", I64) - v * shape.lanes) for v in range(vectors)]
    with f.loop(0, f.parameter("lines", I64)) as i:
        source = f.at("%source", i * f.parameter("step", I64))
        target = f.at("%target", i * width)
        for v, mask in enumerate(masks):
            value = f.read(f.at(source, v * shape.lanes), mask)
            f.write(value, f.at(target, v * shape.lanes))
    return f.text()


def _pack_turned(shape: Shape) -> str:
    """Write the packing of at most a panel of rows, so that they become columns."""
    f = VectorEmitter(
        f"schuss_product_packing_{SUFFIX[shape.kind]}",
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
                f.write(row, f.at("%target", (k + i) * shape.panel + first))
        with f.loop(whole, inner) as k, f.loop(first, first + shape.lanes) as column:
            value = f.load("%source", last.minimum(column) * step + k, shape.kind)
            f.store(value, "%target", k * shape.panel + column)
    return f.text("")


def _turn_out(shape: Shape) -> str:
    """Write the transposition of a chunk of `height` rows into `count` rows of the result."""
    f = VectorEmitter(
        f"turn_out_{SUFFIX[shape.kind]}",
        ["ptr noalias %source", "ptr noalias %c", "i64 %c_row", "i64 %height", "i64 %count"],
        shape,
    )
    count, height = f.parameter("count", I64), f.parameter("height", I64)
    with f.loop(0, height, shape.lanes) as s, f.loop(0, count, shape.lanes) as first:
        lines = [f.read(f.at("%source", (s + i) * shape.panel + first)) for i in range(shape.lanes)]
        mask = f.mask(height - s)
        for i, row in enumerate(f.transposed(lines)):
            # Rows beyond the last one are not there.
            with f.when(count.gt(first + i)):
                f.write(row, f.at("%c", s + f.parameter("c_row", I64) * (first + i)), mask)
    return f.text()


_PARAMETERS = [
    "ptr noalias %s", "i64 %s_row", "i64 %s_k", "ptr noalias %v", "i64 %v_row", "i64 %v_across",
    "ptr %c", "i64 %c_row", "i64 %inner", "i64 %block", "ptr noalias %scratch",
    "i64 %s_low", "i64 %s_high", "i64 %v_low", "i64 %v_high", "i64 %strip", "ptr %then",
    "ptr %table",
]  # fmt: skip


class _Product:
    """Writes the loops over blocks of V, chunks of S, panels and tiles."""

    def __init__(self, shape: Shape, *, turned: bool) -> None:
        self.shape = shape
        self.turned = turned
        self.suffix = SUFFIX[shape.kind]
        self.f = VectorEmitter(self.name, _PARAMETERS, shape)

    @property
    def name(self) -> str:
        """The function's name."""
        return f"schuss_product_{'turned' if self.turned else 'plain'}_{self.suffix}"

    def _number(self, name: str) -> Scalar:
        return self.f.parameter(name, I64)

    def text(self) -> str:
        """Return the function."""
        f, shape = self.f, self.shape
        # Working memory: a chunk of the result, a chunk of S, then the panels of V.
        packed_s = f.at("%scratch", CHUNK * shape.panel)
        copied = f.at(packed_s, self._number("inner") * CHUNK)
        # Rows of V as long as a panel lie as they would when packed.
        columns = self._number("v_high") - self._number("v_low")
        is_panel = columns.eq(shape.panel) & self._number("v_row").eq(shape.panel)
        is_panel = is_panel & self._number("v_across").eq(0)
        panels = f.fresh("panels")
        f.emit(f"{panels} = select i1 {is_panel.name}, ptr %v, ptr {copied}")
        lies_across = self._number("s_k").ne(1)
        block = f.reserve(I64)
        f.store(self._number("v_low"), block, 0)
        with f.repeat() as blocks:
            start = f.load(block, 0, I64)
            blocks.leave(start.ge(self._number("v_high")))
            width = (self._number("v_high") - start).minimum(self._number("block"))
            with f.when(~is_panel), f.loop(0, width, shape.panel) as j:
                self._pack_panel(start + j, (width - j).minimum(shape.panel), panels, j)
            with f.loop(self._number("s_low"), self._number("s_high"), CHUNK) as row:
                height = (self._number("s_high") - row).minimum(CHUNK)
                chunk = self._chunk_of_s(row, height, packed_s, lies_across)
                self._strips(chunk, panels, (row, height), (start, width))
            f.store(start + width, block, 0)
        return f.text("")

    def _call(self, name: str, *arguments: str | Scalar) -> None:
        given = ", ".join(a.typed if isinstance(a, Scalar) else f"ptr {a}" for a in arguments)
        self.f.emit(f"call void @{name}_{self.suffix}({given})")

    def _pack_panel(self, column: Scalar, count: Scalar, panels: str, j: Scalar) -> None:
        f, inner, step = self.f, self._number("inner"), self._number("v_row")
        target = f.at(panels, j * inner)
        across = self._number("v_across").ne(0)
        with f.when(across):
            source = f.at("%v", column * step)
            self._call("schuss_product_packing", source, step, inner, count, target)
        with f.when(~across):
            self._call("pack_v", f.at("%v", column), step, inner, count, target)

    def _chunk_of_s(
        self, row: Scalar, height: Scalar, packed: str, lies_across: Scalar
    ) -> tuple[str, Scalar, Scalar]:
        """Return where a chunk of S is, its step between rows, and along the inner axis."""
        f = self.f
        source = f.at("%s", row * self._number("s_row"))
        if self.turned:
            return source, self._number("s_row"), self._number("s_k")
        # Far apart along the inner axis, its numbers would fall out of the cache: it is packed.
        with f.when(lies_across):
            self._call("pack_s", source, self._number("s_k"), self._number("inner"), height, packed)
        chosen = f.fresh("s")
        f.emit(f"{chosen} = select i1 {lies_across.name}, ptr {packed}, ptr {source}")
        step = lies_across.where(f.number(1), self._number("s_row"))
        along = lies_across.where(f.number(CHUNK), self._number("s_k"))
        return chosen, step, along

    def _strips(
        self,
        s: tuple[str, Scalar, Scalar],
        panels: str,
        rows: tuple[Scalar, Scalar],
        columns: tuple[Scalar, Scalar],
    ) -> None:
        """Write the tiles of a chunk, `%strip` rows of them at a time, and what follows a strip."""
        f, shape = self.f, self.shape
        (row, height), (start, width) = rows, columns
        tiles = (height + (ROWS - 1)).op("sdiv", ROWS)
        least, more = height.op("sdiv", tiles), height.op("srem", tiles)
        strip = f.reserve(I64)
        f.store(f.number(0), strip, 0)
        with f.repeat() as strips:
            begin = f.load(strip, 0, I64)
            strips.leave(begin.ge(tiles))
            end = (begin + self._number("strip")).minimum(tiles)
            with f.loop(0, width, shape.panel) as j:
                panel = f.at(panels, j * self._number("inner"))
                column, count = start + j, (width - j).minimum(shape.panel)
                with f.loop(begin, end) as t:
                    first = t * least + t.minimum(more)
                    taken = t.lt(more).where(least + 1, least)
                    self._tile(s, panel, (row, first, taken), (column, count))
                if self.turned:
                    out = f.at("%c", column * self._number("c_row") + row)
                    c_row = self._number("c_row")
                    self._call("turn_out", "%scratch", out, c_row, height, count)
            with f.when(f.make("icmp ne ptr %then, null", "i1")):
                done = [row + t * least + t.minimum(more) for t in (begin, end)]
                f.emit(f"call void %then(ptr %table, {done[0].typed}, {done[1].typed})")
            f.store(end, strip, 0)

    def _tile(
        self,
        s: tuple[str, Scalar, Scalar],
        panel: str,
        rows: tuple[Scalar, Scalar, Scalar],
        columns: tuple[Scalar, Scalar],
    ) -> None:
        f, shape = self.f, self.shape
        (source, step, along), (row, first, taken), (column, count) = s, rows, columns
        c_row = self._number("c_row")
        if self.turned:
            target, down, width = "%scratch", f.number(shape.panel), f.number(shape.panel)
        else:
            target, down, width = f.at("%c", row * c_row + column), c_row, count
        here, out = f.at(source, first * step), f.at(target, first * down)
        given = (here, step, along, panel, self._number("inner"), out, down, taken, width)
        vectors = (width + (shape.lanes - 1)).op("sdiv", shape.lanes)
        is_whole = width.eq(shape.panel)
        for tall, wide, masked in _tiles_of(shape):
            if masked:
                fits = ~is_whole & vectors.eq(wide)
            else:
                fits = is_whole & (taken.le(tall) if tall == LEAST_ROWS else taken.eq(tall))
            with f.when(fits):
                self._call(_name(tall, wide, masked), *given)


def _text(shape: Shape) -> str:
    suffix = SUFFIX[shape.kind]
    v, mask = shape.vector, f"<{shape.lanes} x i1>"
    return "\n".join(
        [
            f"declare {v} @llvm.fma.{shape.suffix}({v}, {v}, {v})",
            f"declare {v} @llvm.masked.load.{shape.suffix}.p0(ptr, i32, {mask}, {v})",
            f"declare void @llvm.masked.store.{shape.suffix}.p0({v}, ptr, i32, {mask})",
            "declare i64 @llvm.smin.i64(i64, i64)",
            *[_tile(shape, *tile) for tile in _tiles_of(shape)],
            _pack(shape, f"pack_v_{suffix}", shape.panel),
            _pack(shape, f"pack_s_{suffix}", CHUNK),
            _pack_turned(shape),
            _turn_out(shape),
            *[_Product(shape, turned=turned).text() for turned in (False, True)],
            f'attributes #0 = {{ noinline nounwind "prefer-vector-width"="{vector_bytes() * 8}" }}',
        ]
    )


@cache
def _library(shape: Shape) -> Library:
    return load([], plain=[_text(shape)])


def library_function(name: str) -> int:
    """Return the address of a function: "schuss_product_plain_f32" and the like."""
    kind = F32 if name.endswith("f32") else F64
    return _library(shape_of(kind)).address(name)
