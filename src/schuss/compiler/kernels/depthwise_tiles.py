"""Register tiles of depthwise convolutions: every channel has a kernel of its own.

Vectors go along the channels, and a table says where each row's taps begin, as in the tiles of
`convolution_tiles`.
"""

from __future__ import annotations

from schuss.compiler.kernels.convolution_tiles import (
    ZERO,
    TileEmitter,
    call_own,
    declarations,
    tile_name,
)
from schuss.compiler.kernels.micro_kernel import TileShape, tile_shape
from schuss.lowering.llvm_types import F32, F64, I32, I64
from schuss.lowering.vectors import SUFFIX, VectorEmitter
from schuss.native.jit import Library, load
from schuss.native.once import once
from schuss.native.target import vector_bytes

__all__ = ["DEPTHWISE", "DEPTHWISE_WEIGHT", "depthwise_function"]

DEPTHWISE, DEPTHWISE_WEIGHT = "schuss_depthwise_tiles", "schuss_depthwise_weights"
# Rows of a tile by its vectors of channels; and taps of one of the weights' gradient.
_ROWS = {4: 2, 2: 4, 1: 6}
_TAPS_OF_32: dict[int, tuple[int, ...]] = {2: (9, 5, 3), 1: (9, 5, 3)}
_TAPS_OF_16: dict[int, tuple[int, ...]] = {2: (5, 3), 1: (9, 5, 3)}

_DEPTH = ["ptr %x", "ptr %zero", "ptr %table", "i64 %taps", "ptr %b", "i64 %b_row", "ptr %c",
          "ptr %places", "i64 %rows", "i64 %columns"]  # fmt: skip


def _depthwise_tile(shape: TileShape, vectors: int) -> str:
    """Write some rows by some vectors of channels, each of which has its own kernel."""
    height = _ROWS[vectors]
    f = TileEmitter(f"{tile_name('deepen', vectors, height)}_{SUFFIX[shape.kind]}", _DEPTH, shape)
    last = f.parameter("rows", I64) - 1
    rows = [f.number(0), *[last.minimum(r) for r in range(1, height)]]
    tables = [f.address("%table", r * f.parameter("taps", I64), I32) for r in rows]
    targets = [f.at("%c", f.load("%places", r, I32).to(I64)) for r in rows]
    masks = [None] * (vectors - 1) + [f.last_mask(vectors, f.parameter("columns", I64))]
    with f.summing(0, f.parameter("taps", I64), 1, [ZERO] * (height * vectors), "%b") as loop:
        across = [f.read(f.at(loop.pointer, v * shape.lanes), masks[v]) for v in range(vectors)]
        for r, table in enumerate(tables):
            source = f.found(table, loop.index, "%x")
            for v, other in enumerate(across):
                i, value = r * vectors + v, f.read(f.at(source, v * shape.lanes), masks[v])
                loop.sums[i] = f.multiply_add(value, other, loop.sums[i])
        loop.pointer = f.at(loop.pointer, f.parameter("b_row", I64))
    for i, value in enumerate(loop.sums):
        r, v = divmod(i, vectors)
        f.write(value, f.at(targets[r], v * shape.lanes), masks[v])
    return f.text()


def _depthwise(shape: TileShape) -> str:
    """Write all rows of a depthwise convolution, a block of channels after the other."""
    f = VectorEmitter(f"{DEPTHWISE}_{SUFFIX[shape.kind]}", _DEPTH, shape)
    columns, taps = f.parameter("columns", I64), f.parameter("taps", I64)
    done = f.reserve(I64)
    f.store(f.number(0), done, 0)
    for vectors, height in _ROWS.items():
        width = vectors * shape.lanes
        with f.repeat() as blocks:
            channel = f.load(done, 0, I64)
            blocks.leave((channel + (width if vectors > 1 else 1)).gt(columns))
            count = (columns - channel).minimum(width)
            with f.loop(0, f.parameter("rows", I64), height) as row:
                left = (f.parameter("rows", I64) - row).minimum(height)
                name = tile_name("deepen", vectors, height)
                call_own(
                    f, name, f.at("%x", channel), f.at("%zero", channel),
                    f.address("%table", row * taps, I32), taps, f.at("%b", channel),
                    f.parameter("b_row", I64), f.at("%c", channel),
                    f.address("%places", row, I32), left, count,
                )  # fmt: skip
            f.store(channel + width, done, 0)
    return f.text("")


_WEIGHT = ["ptr %x", "ptr %zero", "ptr %table", "i64 %taps", "ptr %g", "i64 %g_row",
           "i64 %positions", "ptr %c", "i64 %c_row", "i64 %rows", "i64 %columns",
           "i64 %accumulate"]  # fmt: skip


def _taps() -> dict[int, tuple[int, ...]]:
    return _TAPS_OF_32 if vector_bytes() == 64 else _TAPS_OF_16


def _weight_tile(shape: TileShape, vectors: int, height: int) -> str:
    """Write some taps by some vectors of channels, summed over all positions."""
    f = TileEmitter(f"{tile_name('probe', vectors, height)}_{SUFFIX[shape.kind]}", _WEIGHT, shape)
    last = f.parameter("rows", I64) - 1
    rows = [f.number(0), *[last.minimum(r) for r in range(1, height)]]
    masks: list[str | None] = [None] * (vectors - 1)
    masks.append(f.last_mask(vectors, f.parameter("columns", I64)))

    def places() -> list[tuple[str, str | None]]:
        lines = [f.at("%c", r * f.parameter("c_row", I64)) for r in rows]
        return [(f.at(x, v * shape.lanes), masks[v]) for x in lines for v in range(vectors)]

    sums = f.started(lambda: [f.read(place, mask) for place, mask in places()])
    with f.summing(0, f.parameter("positions", I64), 1, sums, "%g") as loop:
        errors = [f.read(f.at(loop.pointer, v * shape.lanes), masks[v]) for v in range(vectors)]
        line = loop.index * f.parameter("taps", I64)
        for r, row in enumerate(rows):
            source = f.found("%table", line + row, "%x")
            for v, error in enumerate(errors):
                i, value = r * vectors + v, f.read(f.at(source, v * shape.lanes), masks[v])
                loop.sums[i] = f.multiply_add(value, error, loop.sums[i])
        loop.pointer = f.at(loop.pointer, f.parameter("g_row", I64))
    for (place, mask), value in zip(places(), loop.sums, strict=True):
        f.write(value, place, mask)
    return f.text()


def _weights(shape: TileShape) -> str:
    """Write the gradient of the weights of all taps, a block of channels after the other."""
    f = VectorEmitter(f"{DEPTHWISE_WEIGHT}_{SUFFIX[shape.kind]}", _WEIGHT, shape)
    columns, taps, c_row = (f.parameter(name, I64) for name in ("columns", "taps", "c_row"))
    done = f.reserve(I64)
    f.store(f.number(0), done, 0)
    for vectors, heights in _taps().items():
        width, tall = vectors * shape.lanes, heights[0]
        with f.repeat() as blocks:
            channel = f.load(done, 0, I64)
            blocks.leave((channel + (width if vectors > 1 else 1)).gt(columns))
            count = (columns - channel).minimum(width)
            tiles = (taps + (tall - 1)).op("sdiv", tall)
            least, more = taps.op("sdiv", tiles), taps.op("srem", tiles)
            with f.loop(0, tiles) as t:
                first, taken = t * least + t.minimum(more), t.lt(more).where(least + 1, least)
                for high, lower in zip(heights, (*heights[1:], 0), strict=True):
                    with f.when(taken.le(high) & taken.gt(lower)):
                        call_own(
                            f, tile_name("probe", vectors, high), f.at("%x", channel),
                            f.at("%zero", channel), f.address("%table", first, I32), taps,
                            f.at("%g", channel), f.parameter("g_row", I64),
                            f.parameter("positions", I64), f.at("%c", first * c_row + channel),
                            c_row, taken, count, f.parameter("accumulate", I64),
                        )  # fmt: skip
            f.store(channel + width, done, 0)
    return f.text("")


@once
def _library(shape: TileShape) -> Library:
    parts = [
        declarations(shape),
        *[_depthwise_tile(shape, n) for n in _ROWS],
        *[_weight_tile(shape, n, height) for n, heights in _taps().items() for height in heights],
        _depthwise(shape),
        _weights(shape),
    ]
    return load([], plain=["\n".join(parts)])


def depthwise_function(name: str) -> int:
    """Return the address of a function: "schuss_depthwise_tiles_f32" and the like."""
    return _library(tile_shape(F32 if name.endswith("f32") else F64)).address(name)
