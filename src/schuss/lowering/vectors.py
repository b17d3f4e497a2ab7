"""LLVM IR over vectors of one length: masks, loads, stores, and transpositions."""

from __future__ import annotations

from dataclasses import dataclass

from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.llvm_types import F32, F64

__all__ = ["SIZE", "SUFFIX", "Vector", "VectorEmitter"]

SIZE = {F32: 4, F64: 8}
SUFFIX = {F32: "f32", F64: "f64"}


@dataclass(frozen=True)
class Vector:
    """Elements that are computed with at once.

    Args:
        kind: LLVM's type of an element.
        lanes: how many they are.
    """

    kind: str
    lanes: int

    @property
    def vector(self) -> str:
        """LLVM's type of a vector."""
        return f"<{self.lanes} x {self.kind}>"

    @property
    def suffix(self) -> str:
        """What LLVM's intrinsics call the vector."""
        return f"v{self.lanes}{SUFFIX[self.kind]}"


class VectorEmitter(Function):
    """A function over vectors of one shape."""

    def __init__(self, name: str, parameters: list[str], shape: Vector) -> None:
        super().__init__(name, parameters)
        self.shape = shape

    def vector(self, instruction: str) -> str:
        """Write an instruction, and return its result."""
        name = self.fresh("x")
        self.emit(f"{name} = {instruction}")
        return name

    def at(self, pointer: str, offset: Scalar | int) -> str:
        """Return the address of an element."""
        return self.address(pointer, offset, self.shape.kind)

    def mask(self, count: Scalar) -> str:
        """Return a mask of the first `count` lanes."""
        lanes = self.shape.lanes
        numbers = f"<{lanes} x i64>"
        one = self.vector(f"insertelement {numbers} poison, {count.typed}, i64 0")
        all_of_them = self.vector(
            f"shufflevector {numbers} {one}, {numbers} poison, <{lanes} x i32> zeroinitializer"
        )
        counting = ", ".join(f"i64 {i}" for i in range(lanes))
        return self.vector(f"icmp slt {numbers} <{counting}>, {all_of_them}")

    def read(self, pointer: str, mask: str | None = None) -> str:
        """Load a vector; lanes beyond the mask are 0."""
        s, size = self.shape, SIZE[self.shape.kind]
        if mask is None:
            return self.vector(f"load {s.vector}, ptr {pointer}, align {size}")
        return self.vector(
            f"call {s.vector} @llvm.masked.load.{s.suffix}.p0(ptr {pointer}, i32 {size}, "
            f"<{s.lanes} x i1> {mask}, {s.vector} zeroinitializer)"
        )

    def write(self, value: str, pointer: str, mask: str | None = None) -> None:
        """Store a vector, or the lanes of a mask."""
        s, size = self.shape, SIZE[self.shape.kind]
        if mask is None:
            self.emit(f"store {s.vector} {value}, ptr {pointer}, align {size}")
            return
        self.emit(
            f"call void @llvm.masked.store.{s.suffix}.p0({s.vector} {value}, ptr {pointer}, "
            f"i32 {size}, <{s.lanes} x i1> {mask})"
        )

    def transposed(self, rows: list[str]) -> list[str]:
        """Return a square of vectors transposed: halves change places, then quarters, ..."""
        s = self.shape
        distance = s.lanes // 2
        while distance:
            transposed = list(rows)
            for i in range(s.lanes):
                if i & distance:
                    continue
                pair = f"{s.vector} {rows[i]}, {s.vector} {rows[i + distance]}"
                for place, own in ((i, 0), (i + distance, distance)):
                    # A lane comes from the first vector, or from the second (numbered on).
                    lanes = ", ".join(
                        f"i32 {lane - distance + s.lanes + own if lane & distance else lane + own}"
                        for lane in range(s.lanes)
                    )
                    transposed[place] = self.vector(
                        f"shufflevector {pair}, <{s.lanes} x i32> <{lanes}>"
                    )
            rows = transposed
            distance //= 2
        return rows
