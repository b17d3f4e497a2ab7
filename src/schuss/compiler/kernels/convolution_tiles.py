"""Register tiles of convolutions: matrix products whose rows of A a table says where to find.

No picture is copied: row r of A, for tap t, begins at element table[r, t] of the input, or is zero
where that is negative (Dukhan, "The Indirect Convolution Algorithm", 2019). A tile is summed in
registers over all taps and channels. For the gradient of the weights the table is read along the
inner axis: there the positions are summed over, and the rows are pairs of a channel and a tap.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import reduce
from operator import and_

from schuss.compiler.kernels.convolution_packing import pack
from schuss.compiler.kernels.micro_kernel import TileShape, tile_shape, transpose_out
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import F32, F64, I32, I64
from schuss.lowering.vectors import SUFFIX, VectorEmitter
from schuss.native.jit import Library, load
from schuss.native.once import once
from schuss.native.target import has_feature, vector_bytes

__all__ = [
    "TILES",
    "TRANSPOSE",
    "WEIGHT_CHANNELS",
    "WEIGHT_TILES",
    "ZERO",
    "TileEmitter",
    "call_own",
]
__all__ += ["convolution_function", "declarations", "tile_name"]

TILES, TRANSPOSE = "schuss_convolution_tiles", "schuss_convolution_transpose_out"
# The gradient of the weights, by pairs of a channel and a tap, or by channels.
WEIGHT_TILES, WEIGHT_CHANNELS = "schuss_convolution_weights", "schuss_convolution_weight_channels"
# Rows of a tile by the vectors in a row, with fewer for what is left over: no more sums than there
# are registers, but a few, and no more rows than there are registers for where they begin.
_HEIGHTS_OF_32 = {1: (8, 4, 2), 2: (8, 4, 2), 3: (8, 4, 2), 4: (6, 3)}
_HEIGHTS_OF_16 = {1: (8, 4, 2), 2: (6, 3)}
_STEPS = 4
# A vector of zeros, to begin a sum with.
ZERO = "zeroinitializer"


def _heights() -> dict[int, tuple[int, ...]]:
    return _HEIGHTS_OF_32 if vector_bytes() == 64 else _HEIGHTS_OF_16


class TileEmitter(VectorEmitter):
    """A function over vectors, with what tiles are made of."""

    shape: TileShape

    def multiply_add(self, a: str, b: str, total: str) -> str:
        """Return a * b + total."""
        s = self.shape
        if not has_feature("fma"):
            return self.vector(
                f"fadd {s.vector} {total}, {self.vector(f'fmul {s.vector} {a}, {b}')}"
            )
        values = ", ".join(f"{s.vector} {x}" for x in (a, b, total))
        return self.vector(f"call {s.vector} @llvm.fma.{s.suffix}({values})")

    def spread(self, value: Scalar) -> str:
        """Return a vector of one number."""
        s = self.shape
        alone = self.vector(f"insertelement {s.vector} poison, {value.typed}, i64 0")
        lanes = f"<{s.lanes} x i32> zeroinitializer"
        return self.vector(f"shufflevector {s.vector} {alone}, {s.vector} poison, {lanes}")

    def found(self, table: str, at: Scalar | int, source: str) -> str:
        """Return where a table says that something is; `%zero` where it is nowhere."""
        return self.pointer_at(self.load(table, at, I32), source, "%zero", self.shape.kind)

    def pointer_at(self, offset: Scalar, source: str, outside: str, kind: str) -> str:
        """Return the address of an element, or `outside` where the offset is negative."""
        place, pointer = self.address(source, offset.to(I64), kind), self.fresh("row")
        nowhere = offset.lt(0)
        self.emit(f"{pointer} = select i1 {nowhere.name}, ptr {outside}, ptr {place}")
        return pointer

    def last_mask(self, vectors: int, columns: Scalar) -> str:
        """Return the mask of the last vector in a row of so many columns."""
        return self.mask(columns - (vectors - 1) * self.shape.lanes)

    def started(self, read: Callable[[], list[str]]) -> list[str]:
        """Return zeros, or with `%accumulate` what `read` gives."""
        s = self.shape
        more, fresh, begin = self.fresh("more"), self.fresh("fresh"), self.fresh("begin")
        is_more = self.parameter("accumulate", I64).ne(0)
        self.emit(f"br i1 {is_more.name}, label {more}, label {fresh}")
        self.label(more)
        values = read()
        origin = self.block
        self.emit(f"br label {begin}")
        self.label(fresh)
        self.emit(f"br label {begin}")
        self.label(begin)
        return [
            self.vector(f"phi {s.vector} [ {value}, %{origin} ], [ zeroinitializer, {fresh} ]")
            for value in values
        ]

    @contextmanager
    def summing(
        self, start: Scalar | int, stop: Scalar, step: int, sums: list[str], carried: str = ""
    ) -> Iterator[_Sums]:
        """Run the body for start, start + step, ... below stop, with sums in registers.

        Args:
            start: first index.
            stop: after the last one.
            step: between two.
            sums: vectors to begin with.
            carried: a pointer that the body moves on, if any.
        """
        first = self.number(start) if isinstance(start, int) else start
        body, done = self.fresh("body"), self.fresh("done")
        before = self.block
        some = (first + (step - 1)).lt(stop)
        self.emit(f"br i1 {some.name}, label {body}, label {done}")
        self.label(body)
        state = _Sums(self, first, sums, carried, before, body)
        yield state
        state.end(stop, step, done)
        self.label(done)
        state.leave()


class _Sums:
    """The carried values of a loop: an index, a pointer, and sums."""

    def __init__(
        self, f: TileEmitter, first: Scalar, sums: list[str], pointer: str, before: str, body: str
    ) -> None:
        self.f = f
        self._before, self._body = before, body
        self._initial = sums
        self._kind = f.shape.vector
        # Their values at the end of the body are not known yet: the lines are written then.
        self._line = len(f.lines)
        self._first, self._start = first, pointer
        self.index = Scalar(f, f.fresh("k"), I64)
        self.sums = [f.fresh("sum") for _ in sums]
        self._heads = list(self.sums)
        self._at = f.fresh("line") if pointer else ""
        self.pointer = self._at

    def end(self, stop: Scalar, step: int, done: str) -> None:
        """Write the latch, and the heads of the loop."""
        f = self.f
        following = f.fresh("following")
        f.emit(f"{following} = add nsw i64 {self.index.name}, {step}")
        limit = Scalar(f, following, I64) + (step - 1) if step > 1 else Scalar(f, following, I64)
        more = limit.lt(stop)
        latch = f.block
        heads = [
            f"  {self.index.name} = phi i64 [ {self._first.name}, %{self._before} ], "
            f"[ {following}, %{latch} ]"
        ]
        if self._at:
            heads.append(
                f"  {self._at} = phi ptr [ {self._start}, %{self._before} ], "
                f"[ {self.pointer}, %{latch} ]"
            )
        heads += [
            f"  {name} = phi {self._kind} [ {start}, %{self._before} ], [ {value}, %{latch} ]"
            for name, start, value in zip(self._heads, self._initial, self.sums, strict=True)
        ]
        f.lines[self._line : self._line] = heads
        f.emit(f"br i1 {more.name}, label {self._body}, label {done}")
        self._latch, self._following = latch, following

    def leave(self) -> None:
        """Write what comes out of the loop, whether or not it ran."""
        f = self.f

        def out(kind: str, start: str, value: str) -> str:
            return f.vector(f"phi {kind} [ {start}, %{self._before} ], [ {value}, %{self._latch} ]")

        self.index = Scalar(f, out("i64", self._first.name, self._following), I64)
        if self._at:
            self.pointer = out("ptr", self._start, self.pointer)
        self.sums = [
            out(self._kind, start, value)
            for start, value in zip(self._initial, self.sums, strict=True)
        ]


def tile_name(stem: str, vectors: int, height: int) -> str:
    """Return a tile's name, without the suffix of the element type."""
    return f"{stem}{height}x{vectors}"


_TILE = ["ptr %x", "ptr %zero", "ptr %table", "i64 %taps", "i64 %inner", "ptr %b", "ptr %c",
         "ptr %places", "i64 %rows", "i64 %columns"]  # fmt: skip


def _tile(shape: TileShape, vectors: int, height: int) -> str:
    """Write one tile: `rows` of A, of `inner` elements for each tap, by a panel of B."""
    f = TileEmitter(f"{tile_name('convolve', vectors, height)}_{SUFFIX[shape.kind]}", _TILE, shape)
    last = f.parameter("rows", I64) - 1
    rows = [f.number(0), *[last.minimum(r) for r in range(1, height)]]
    tables = [f.address("%table", r * f.parameter("taps", I64), I32) for r in rows]
    targets = [f.at("%c", f.load("%places", r, I32).to(I64)) for r in rows]
    mask = f.last_mask(vectors, f.parameter("columns", I64))
    masks = [None] * (vectors - 1) + [mask]
    width = vectors * shape.lanes
    sums = [ZERO] * (height * vectors)
    with f.summing(0, f.parameter("taps", I64), 1, sums, "%b") as taps:
        offsets = [f.load(table, taps.index, I32) for table in tables]
        sources = [f.pointer_at(at, "%x", "%zero", shape.kind) for at in offsets]
        # Where all rows are outside there is nothing to add.
        inside = reduce(and_, offsets).ge(0)
        inner = inside.where(f.parameter("inner", I64), 0)
        with f.summing(0, inner, _STEPS, taps.sums, taps.pointer) as many:
            for step in range(_STEPS):
                _products(f, many, sources, step, vectors)
            many.pointer = f.at(many.pointer, _STEPS * width)
        with f.summing(many.index, inner, 1, many.sums, many.pointer) as single:
            _products(f, single, sources, 0, vectors)
            single.pointer = f.at(single.pointer, width)
        taps.sums = single.sums
        taps.pointer = f.at(taps.pointer, f.parameter("inner", I64) * width)
    for i, value in enumerate(taps.sums):
        r, v = divmod(i, vectors)
        f.write(value, f.at(targets[r], v * shape.lanes), masks[v])
    return f.text()


def _products(f: TileEmitter, loop: _Sums, sources: list[str], step: int, vectors: int) -> None:
    lanes = f.shape.lanes
    across = [f.read(f.at(loop.pointer, (step * vectors + v) * lanes)) for v in range(vectors)]
    for r, source in enumerate(sources):
        one = f.spread(f.load(source, loop.index + step, f.shape.kind))
        for v, other in enumerate(across):
            i = r * vectors + v
            loop.sums[i] = f.multiply_add(one, other, loop.sums[i])


_WEIGHT = ["ptr %x", "ptr %zero", "ptr %table", "i64 %taps", "ptr %g", "i64 %g_row",
           "i64 %positions", "ptr %c", "i64 %first", "i64 %rows", "i64 %columns",
           "i64 %accumulate"]  # fmt: skip


def _weight_tile(shape: TileShape, vectors: int, height: int, *, by_channels: bool) -> str:
    """Write one tile of the weights' gradient.

    Its rows are the channels of one tap; or pairs of a channel and a tap, where there are few
    channels.
    """
    stem = "weigh_channels" if by_channels else "weigh"
    f = TileEmitter(f"{tile_name(stem, vectors, height)}_{SUFFIX[shape.kind]}", _WEIGHT, shape)
    last, taps = f.parameter("rows", I64) - 1, f.parameter("taps", I64)
    rows = [f.number(0), *[last.minimum(r) for r in range(1, height)]]
    tables, sources, below = ["%table"], ["%x"], taps * shape.nr
    if not by_channels:
        pairs = [f.parameter("first", I64) + r for r in rows]
        sources = [f.at("%x", pair.op("sdiv", taps)) for pair in pairs]
        tables = [f.address("%table", pair.op("srem", taps), I32) for pair in pairs]
        below = f.number(shape.nr)
    masks: list[str | None] = [None] * (vectors - 1)
    masks.append(f.last_mask(vectors, f.parameter("columns", I64)))

    def places() -> list[str]:
        return [f.at("%c", r * below + v * shape.lanes) for r in rows for v in range(vectors)]

    sums = f.started(lambda: [f.read(place) for place in places()])
    with f.summing(0, f.parameter("positions", I64), 1, sums, "%g") as loop:
        across = [f.read(f.at(loop.pointer, v * shape.lanes), masks[v]) for v in range(vectors)]
        line = loop.index * taps
        found = [f.found(t, line, x) for t, x in zip(tables, sources, strict=True)]
        for r, row in enumerate(rows):
            source = found[0 if by_channels else r]
            one = f.spread(f.load(source, row if by_channels else 0, shape.kind))
            for v, other in enumerate(across):
                i = r * vectors + v
                loop.sums[i] = f.multiply_add(one, other, loop.sums[i])
        loop.pointer = f.at(loop.pointer, f.parameter("g_row", I64))
    for place, value in zip(places(), loop.sums, strict=True):
        f.write(value, place)
    return f.text()


def call_own(f: VectorEmitter, name: str, *arguments: str | Scalar) -> None:
    """Call a function of the same library."""
    given = ", ".join(a.typed if isinstance(a, Scalar) else f"ptr {a}" for a in arguments)
    f.emit(f"call void @{name}_{SUFFIX[f.shape.kind]}({given})")


@contextmanager
def _tiled(f: VectorEmitter, vectors: int) -> Iterator[tuple[Scalar, Scalar]]:
    """Run the body for the first row and the number of rows of each tile."""
    rows = f.parameter("rows", I64)
    tall = _heights()[vectors][0]
    tiles = (rows + (tall - 1)).op("sdiv", tall)
    least, more = rows.op("sdiv", tiles), rows.op("srem", tiles)
    with f.loop(0, tiles) as t:
        yield t * least + t.minimum(more), t.lt(more).where(least + 1, least)


def _all_tiles(shape: TileShape) -> str:
    """Write the tiles of all rows, for one panel."""
    f = VectorEmitter(f"{TILES}_{SUFFIX[shape.kind]}", _TILE, shape)
    taps = f.parameter("taps", I64)
    for vectors, first, taken in _panel(f):
        table = f.address("%table", first * taps, I32)
        _chosen(
            f, "convolve", vectors, taken, "%x", "%zero", table, taps, f.parameter("inner", I64),
            "%b", "%c", f.address("%places", first, I32), taken, f.parameter("columns", I64),
        )  # fmt: skip
    return f.text("")


def _all_weight_tiles(shape: TileShape, *, by_channels: bool) -> str:
    """Write the tiles of the weights' gradient, of all rows or of all channels and taps."""
    name = WEIGHT_CHANNELS if by_channels else WEIGHT_TILES
    f = VectorEmitter(f"{name}_{SUFFIX[shape.kind]}", _WEIGHT, shape)
    taps, begin = f.parameter("taps", I64), f.parameter("first", I64)

    def write(tap: Scalar, stem: str) -> None:
        for vectors, first, taken in _panel(f):
            row = first * taps + tap if by_channels else first
            _chosen(
                f, stem, vectors, taken, f.at("%x", begin + first) if by_channels else "%x",
                "%zero", f.address("%table", tap, I32), taps, "%g", f.parameter("g_row", I64),
                f.parameter("positions", I64), f.at("%c", row * shape.nr), begin + first, taken,
                f.parameter("columns", I64), f.parameter("accumulate", I64),
            )  # fmt: skip

    if by_channels:
        with f.loop(0, taps) as tap:
            write(tap, "weigh_channels")
    else:
        write(f.number(0), "weigh")
    return f.text("")


def _panel(f: VectorEmitter) -> Iterator[tuple[int, Scalar, Scalar]]:
    """Yield the vectors of a row, and each tile's first row and how many it has, in their loop."""
    lanes = f.shape.lanes
    count = (f.parameter("columns", I64) + (lanes - 1)).op("sdiv", lanes)
    for vectors in _heights():
        with f.when(count.eq(vectors)), _tiled(f, vectors) as (first, taken):
            yield vectors, first, taken


def _chosen(f: VectorEmitter, stem: str, vectors: int, taken: Scalar, *given: str | Scalar) -> None:
    """Call the lowest tile that has so many rows."""
    heights = _heights()[vectors]
    for tall, lower in zip(heights, (*heights[1:], 0), strict=True):
        with f.when(taken.le(tall) & taken.gt(lower)):
            call_own(f, tile_name(stem, vectors, tall), *given)


def declarations(shape: TileShape) -> str:
    """Return what tiles call, and how they are compiled."""
    v, mask = shape.vector, f"<{shape.lanes} x i1>"
    lines = [
        f"declare {v} @llvm.fma.{shape.suffix}({v}, {v}, {v})",
        f"declare {v} @llvm.masked.load.{shape.suffix}.p0(ptr, i32, {mask}, {v})",
        f"declare void @llvm.masked.store.{shape.suffix}.p0({v}, ptr, i32, {mask})",
        "declare i64 @llvm.smin.i64(i64, i64)",
        f'attributes #0 = {{ noinline nounwind "prefer-vector-width"="{vector_bytes() * 8}" }}',
    ]
    return "\n".join(lines)


def _text(shape: TileShape) -> str:
    tiles = [(n, height) for n in range(1, shape.vectors + 1) for height in _heights()[n]]
    return "\n".join(
        [
            declarations(shape),
            *[_tile(shape, *tile) for tile in tiles],
            *[_weight_tile(shape, *t, by_channels=c) for t in tiles for c in (False, True)],
            _all_tiles(shape),
            *[_all_weight_tiles(shape, by_channels=c) for c in (False, True)],
            pack(shape),
            transpose_out(shape)
            .replace("define internal", "define", 1)
            .replace("@transpose_out", f"@{TRANSPOSE}"),
        ]
    )


@once
def _library(shape: TileShape) -> Library:
    return load([], plain=[_text(shape)])


def convolution_function(name: str) -> int:
    """Return the address of a function: "schuss_convolution_tiles_f32" and the like."""
    kind = F32 if name.endswith("f32") else F64
    return _library(tile_shape(kind)).address(name)
