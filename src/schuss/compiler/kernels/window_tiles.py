"""Machine code of what is taken from windows: vectors of channels, one row after the other."""

from __future__ import annotations

from schuss.compiler.kernels.convolution_tiles import TileEmitter, call_own, declarations
from schuss.compiler.kernels.micro_kernel import TileShape, tile_shape
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import F32, F64, I32, I64, literal
from schuss.lowering.vectors import SUFFIX, VectorEmitter
from schuss.native.jit import Library, load
from schuss.native.once import once

__all__ = ["WINDOWS", "window_function"]

WINDOWS = "schuss_window_"
_NAMES = ("max", "place", "take", "put")
_VECTORS = (4, 2, 1)
# %zero is what is read outside of the picture, %nowhere the places there.
_PARAMETERS = ["ptr %x", "ptr %zero", "ptr %table", "i64 %taps", "ptr %index", "ptr %nowhere",
               "ptr %numbers", "ptr %c", "ptr %places", "i64 %rows", "i64 %columns"]  # fmt: skip


class _Row(TileEmitter):
    """One row of a result, some vectors of channels wide."""

    def __init__(self, name: str, shape: TileShape, vectors: int) -> None:
        super().__init__(f"window_{name}{vectors}_{SUFFIX[shape.kind]}", _PARAMETERS, shape)
        self.numbers = f"<{shape.lanes} x i32>"
        self.truths = f"<{shape.lanes} x i1>"
        masks: list[str | None] = [None] * (vectors - 1)
        self.masks = [*masks, self.last_mask(vectors, self.parameter("columns", I64))]

    def read_numbers(self, pointer: str, at: Scalar | int, mask: str | None) -> str:
        """Load whole numbers; -1 beyond the mask."""
        place = self.address(pointer, at, I32)
        if mask is None:
            return self.vector(f"load {self.numbers}, ptr {place}, align 4")
        none = self.number_vector(-1)
        return self.vector(
            f"call {self.numbers} @llvm.masked.load.v{self.shape.lanes}i32.p0(ptr {place}, i32 4, "
            f"{self.truths} {mask}, {self.numbers} {none})"
        )

    def write_numbers(self, value: str, pointer: str, at: Scalar | int, mask: str | None) -> None:
        """Store whole numbers."""
        place = self.address(pointer, at, I32)
        if mask is None:
            self.emit(f"store {self.numbers} {value}, ptr {place}, align 4")
            return
        self.emit(
            f"call void @llvm.masked.store.v{self.shape.lanes}i32.p0({self.numbers} {value}, "
            f"ptr {place}, i32 4, {self.truths} {mask})"
        )

    def number_vector(self, value: int) -> str:
        """Return the same whole number in all lanes."""
        return f"<{', '.join([f'i32 {value}'] * self.shape.lanes)}>"

    def spread_number(self, value: Scalar) -> str:
        """Return a vector of one whole number."""
        return self._spread(value, self.numbers)

    def spread_truth(self, value: Scalar) -> str:
        """Return a vector of one boolean."""
        return self._spread(value, self.truths)

    def _spread(self, value: Scalar, kind: str) -> str:
        alone = self.vector(f"insertelement {kind} poison, {value.typed}, i64 0")
        lanes = f"<{self.shape.lanes} x i32> zeroinitializer"
        return self.vector(f"shufflevector {kind} {alone}, {kind} poison, {lanes}")

    def choose(self, condition: str, yes: str, no: str, kind: str) -> str:
        """Return `yes` in the lanes where a condition holds, `no` elsewhere."""
        return self.vector(f"select {self.truths} {condition}, {kind} {yes}, {kind} {no}")

    def equal(self, a: str, b: str) -> str:
        """Compare whole numbers."""
        return self.vector(f"icmp eq {self.numbers} {a}, {b}")

    def better(self, value: str, best: str) -> str:
        """Return where a value is larger than the best one, or nan."""
        kind = self.shape.vector
        larger = self.vector(f"fcmp ogt {kind} {value}, {best}")
        missing = self.vector(f"fcmp uno {kind} {value}, {value}")
        return self.vector(f"or {self.truths} {larger}, {missing}")


def _row(name: str, shape: TileShape, vectors: int) -> str:
    """Write one row by so many vectors of channels."""
    f = _Row(name, shape, vectors)
    kind, lanes = shape.vector, shape.lanes
    to = f.load("%places", 0, I32).to(I64)
    start = literal(float("-inf") if name in ("max", "place") else 0.0, shape.kind)
    begin = f"<{', '.join([f'{shape.kind} {start}'] * lanes)}>"
    # Values are carried as sums are; places beside them, on the stack.
    chosen = [f.reserve(f.numbers) for _ in range(vectors)]
    if name == "place":
        for place in chosen:
            f.emit(f"store {f.numbers} {f.number_vector(-1)}, ptr {place}")
    wanted = []
    if name == "take":
        wanted = [f.read_numbers("%index", to + v * lanes, f.masks[v]) for v in range(vectors)]
    with f.summing(0, f.parameter("taps", I64), 1, [begin] * vectors) as loop:
        offset = f.load("%table", loop.index, I32)
        source = f.pointer_at(offset, "%x", "%zero", shape.kind)
        inside = f.spread_truth(offset.ge(0))
        index = f.pointer_at(offset, "%index", "%nowhere", I32) if name == "put" else ""
        number = loop.index.to(I32)
        if name == "put":
            number = f.load("%numbers", loop.index, I32)
        numbers = f.spread_number(number)
        for v in range(vectors):
            value = f.read(f.at(source, v * lanes), f.masks[v])
            best = loop.sums[v]
            if name == "put":
                there = f.read_numbers(index, v * lanes, f.masks[v])
                part = f.choose(f.equal(there, numbers), value, "zeroinitializer", kind)
                loop.sums[v] = f.vector(f"fadd {kind} {best}, {part}")
            elif name == "take":
                loop.sums[v] = f.choose(f.equal(wanted[v], numbers), value, best, kind)
            else:
                is_better = f.better(value, best)
                if name == "place":
                    known = f.vector(f"load {f.numbers}, ptr {chosen[v]}")
                    none = f.vector(f"icmp slt {f.numbers} {known}, zeroinitializer")
                    first = f.vector(f"and {f.truths} {none}, {inside}")
                    is_better = f.vector(f"or {f.truths} {is_better}, {first}")
                    kept = f.choose(is_better, numbers, known, f.numbers)
                    f.emit(f"store {f.numbers} {kept}, ptr {chosen[v]}")
                loop.sums[v] = f.choose(is_better, value, best, kind)
    for v, value in enumerate(loop.sums):
        if name == "place":
            found = f.vector(f"load {f.numbers}, ptr {chosen[v]}")
            f.write_numbers(found, "%c", to + v * lanes, f.masks[v])
        else:
            f.write(value, f.at("%c", to + v * lanes), f.masks[v])
    return f.text()


def _all_rows(name: str, shape: TileShape) -> str:
    """Write all rows, a block of channels after the other."""
    f = VectorEmitter(f"{WINDOWS}{name}_{SUFFIX[shape.kind]}", _PARAMETERS, shape)
    columns, taps = f.parameter("columns", I64), f.parameter("taps", I64)
    result = I32 if name == "place" else shape.kind
    done = f.reserve(I64)
    f.store(f.number(0), done, 0)
    for vectors in _VECTORS:
        width = vectors * shape.lanes
        with f.repeat() as blocks:
            channel = f.load(done, 0, I64)
            blocks.leave((channel + (width if vectors > 1 else 1)).gt(columns))
            count = (columns - channel).minimum(width)
            here = (f.at("%x", channel), f.at("%zero", channel))
            index = (f.address("%index", channel, I32), f.address("%nowhere", channel, I32))
            target = f.address("%c", channel, result)
            with f.loop(0, f.parameter("rows", I64)) as row:
                call_own(
                    f, f"window_{name}{vectors}", *here, f.address("%table", row * taps, I32),
                    taps, *index, "%numbers", target, f.address("%places", row, I32),
                    f.number(1), count,
                )  # fmt: skip
            f.store(channel + width, done, 0)
    return f.text("")


def _text(shape: TileShape) -> str:
    mask, numbers = f"<{shape.lanes} x i1>", f"<{shape.lanes} x i32>"
    masked = f"v{shape.lanes}i32.p0"
    return "\n".join(
        [
            declarations(shape),
            f"declare {numbers} @llvm.masked.load.{masked}(ptr, i32, {mask}, {numbers})",
            f"declare void @llvm.masked.store.{masked}({numbers}, ptr, i32, {mask})",
            *[_row(name, shape, vectors) for name in _NAMES for vectors in _VECTORS],
            *[_all_rows(name, shape) for name in _NAMES],
        ]
    )


@once
def _library(shape: TileShape) -> Library:
    return load([], plain=[_text(shape)])


def window_function(name: str) -> int:
    """Return the address of a function: "schuss_window_max_f32" and the like."""
    kind = F32 if name.endswith("f32") else F64
    return _library(tile_shape(kind)).address(name)
