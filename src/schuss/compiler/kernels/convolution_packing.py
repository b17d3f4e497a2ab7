"""Packing of a convolution's weights: squares of vectors, transposed on their way."""

from __future__ import annotations

from schuss.compiler.kernels.micro_kernel import TileShape
from schuss.lowering.llvm_types import I32, I64
from schuss.lowering.vectors import SUFFIX, VectorEmitter

__all__ = ["PACK", "pack"]

PACK = "schuss_convolution_pack"


def pack(shape: TileShape) -> str:
    """Write the packing of rows, so that what is at one place of all of them becomes a line.

    Row by row the weights of one output lie, `row` apart. Line `lines[q]` of the target, of `width`
    elements, takes what is at place q of each; beyond the last row it is repeated.
    """
    f = VectorEmitter(
        f"{PACK}_{SUFFIX[shape.kind]}",
        ["ptr %source", "i64 %row", "i64 %columns", "i64 %length", "ptr %lines", "ptr %target",
         "i64 %width"],
        shape,
    )  # fmt: skip
    length, width = f.parameter("length", I64), f.parameter("width", I64)
    last = f.parameter("columns", I64) - 1
    with f.loop(0, length, shape.lanes) as q:
        mask = f.mask(length - q)
        with f.loop(0, width, shape.lanes) as first:
            rows = [last.minimum(first + i) * f.parameter("row", I64) for i in range(shape.lanes)]
            square = f.transposed([f.read(f.at("%source", row + q), mask) for row in rows])
            for i, line in enumerate(square):
                with f.when(length.gt(q + i)):
                    place = f.load("%lines", q + i, I32).to(I64)
                    f.write(line, f.at("%target", place * width + first))
    return f.text("")
