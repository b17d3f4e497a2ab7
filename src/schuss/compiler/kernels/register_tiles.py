"""Small matrix products as generated loops: tiles of the result are kept in vector registers."""

from __future__ import annotations

from dataclasses import dataclass

from schuss.compiler.graph.views import Strided, contiguous
from schuss.compiler.kernels.emitter import KernelEmitter, place_of
from schuss.compiler.kernels.matmul_algorithm import BY_ROWS, MatmulAlgorithm, Product
from schuss.compiler.kernels.micro_kernel import MR, is_supported, tile_shape
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import F32, I64, kind_of
from schuss.native.target import vector_bytes

__all__ = ["RegisterTiles"]

# From so many operations on packed GEMM and BLAS are faster: they pack what they read.
_MOST_FLOPS = 400_000
# Elements of y that are copied one by one, at most.
_COPIED = 256
# Rows of a tile by the vectors in a row: as many sums as there are registers, but a few.
_ROWS_OF_32 = {1: 14, 2: 12, 3: 8, 4: 6}
_ROWS_OF_16 = {1: 8, 2: 5, 3: 3}
# How the rows of y get into memory: they are there, are copied, or packed into one panel.
_AS_IT_LIES, _IN_COPY, _IN_PANEL = "as it lies", "in a copy", "in a panel"


@dataclass(frozen=True, kw_only=True)
class RegisterTiles(MatmulAlgorithm):
    """Loops over tiles.

    Args:
        y_rows: how the tiles have the rows of y.
        y_step: distance of these, where they are copied or packed.
        lanes: elements of a vector.
        rows: of a tile at most, by the vectors in a row.
    """

    y_rows: str
    y_step: int
    lanes: int
    rows: dict[int, int]

    @staticmethod
    def choose(product: Product) -> RegisterTiles | None:
        """Return how a product of floats is computed so; None where it is too large."""
        y, m, n, inner = product.y, product.m, product.n, product.inner
        panel = tile_shape(product.kind).nr
        is_small = product.flops <= _MOST_FLOPS
        has_rows = y.strides[-1] == 1 or n == 1
        is_copied = inner * n <= _COPIED
        fits_panel = n <= panel and y.strides[-2] == 1 and is_supported(product.kind, inner)
        if has_rows:
            y_rows, y_step, is_fast = _AS_IT_LIES, n, is_small
        elif is_copied:
            y_rows, y_step, is_fast = _IN_COPY, n, is_small and m >= 4
        elif fits_panel:
            # Packed GEMM would fill less than half of a panel. But for long ones, it is BLAS's.
            is_narrow = 2 * n < panel and (product.is_batched or product.is_packed_by_all)
            y_rows, y_step, is_fast = _IN_PANEL, panel, m >= MR and (is_small or is_narrow)
        else:
            return None
        if not is_fast:
            return None
        can_share = product.is_packed_by_all
        itemsize = product.node.dtype.itemsize
        return RegisterTiles(
            partitionings=product.partitionings(
                product.by_rows(allows_epilogue=True) if can_share else None
            ),
            scratch_bytes=0 if y_rows == _AS_IT_LIES else inner * y_step * itemsize,
            y_rows=y_rows,
            y_step=y_step,
            lanes=vector_bytes() // itemsize,
            rows=_ROWS_OF_32 if vector_bytes() == 64 else _ROWS_OF_16,
        )

    def write(self, k: KernelEmitter, x: Strided, y: Strided, index: list[Scalar]) -> None:
        """Write the tiles of all rows of the matrices at `index`, or of a thread's rows."""
        is_shared = k.partitioning.kind == BY_ROWS
        rows = (k.low, k.high) if is_shared else (k.f.number(0), k.f.number(k.node.shape[-2]))
        _TileWriter(self, k, (x, y), index, rows).write()


class _TileWriter:
    """Writes some rows of one product, at the given index of the leading axes."""

    def __init__(
        self,
        algorithm: RegisterTiles,
        k: KernelEmitter,
        factors: tuple[Strided, Strided],
        index: list[Scalar],
        bounds: tuple[Scalar, Scalar],
    ) -> None:
        x, y = factors
        self.k = k
        self.f = k.f
        self.low, self.high = bounds
        self.kind = kind_of(k.node.dtype)
        self.lanes = algorithm.lanes
        self.most_rows = algorithm.rows
        self.vector = f"<{self.lanes} x {self.kind}>"
        self.suffix = f"v{self.lanes}{'f32' if self.kind == F32 else 'f64'}"
        self.m, self.n, self.inner = x.shape[-2], y.shape[-1], x.shape[-1]
        zero = [self.f.number(0)] * 2
        self.x = self.f.address(k.pointer(x.root), place_of(x, [*index, *zero]), self.kind)
        self.x_steps = x.strides[-2:]
        self.out = self.f.address(k.pointer(k.node), place_of(k.out, [*index, *zero]), self.kind)
        self.y_step = algorithm.y_step
        if algorithm.y_rows == _AS_IT_LIES:
            self.y = self.f.address(k.pointer(y.root), place_of(y, [*index, *zero]), self.kind)
            if self.inner > 1:
                self.y_step = y.strides[-2]
        elif algorithm.y_rows == _IN_PANEL:
            self.y = self._packed(y, index)
        else:
            self.y = self._copied(y, index)

    def _copied(self, y: Strided, index: list[Scalar]) -> str:
        """Copy y, row by row, into working memory."""
        target = Strided(y.root, 0, (self.inner, self.n), contiguous((self.inner, self.n)))
        with self.k.loops((self.inner, self.n)) as at:
            value = self.k.load(y, [*index, *at])
            self.f.store(value, "%scratch", place_of(target, at))
        return "%scratch"

    def _packed(self, y: Strided, index: list[Scalar]) -> str:
        """Copy y, whose columns lie in a row each, into working memory."""
        zero = self.f.number(0)
        source = self.f.address(
            self.k.pointer(y.root), place_of(y, [*index, zero, zero]), self.kind
        )
        step = y.strides[-1]
        values = (f"ptr {source}", f"i64 {step}", f"i64 {self.inner}", f"i64 {self.n}")
        name = f"@schuss_product_packing_{'f32' if self.kind == F32 else 'f64'}"
        self.f.declare(name, "void", ["ptr", I64, I64, I64, "ptr"])
        self.f.emit(f"call void {name}({', '.join(values)}, ptr %scratch)")
        return "%scratch"

    def write(self) -> None:
        """Write all tiles."""
        vectors = -(-self.n // self.lanes)
        wide = min(vectors, max(self.most_rows))
        if self.low.is_literal:
            rows = self.most_rows[wide]
            rows = -(-self.m // -(-self.m // rows))
            full, rest = divmod(self.m, rows)
            with self.f.loop(0, full) as tile:
                self._row_of_tiles(tile * rows, rows, wide, vectors)
            if rest:
                self._row_of_tiles(self.f.number(full * rows), rest, wide, vectors)
            return
        # How many rows there are turns out when it runs: the last tile goes back over some, or,
        # where there are fewer than it has, is made of single ones.
        rows = _even_rows(self.m, self.most_rows[wide])
        last = self.high - rows
        with self.f.loop(self.low, self.high - (rows - 1), rows) as row:
            self._row_of_tiles(row, rows, wide, vectors)
        count = self.high - self.low
        left = count.op("srem", rows)
        is_more = left.ne(0)
        with self.f.when(is_more & last.ge(self.low)):
            self._row_of_tiles(last, rows, wide, vectors, self.high - left)
        with self.f.when(is_more & last.lt(self.low)), self.f.loop(self.low, self.high) as row:
            self._row_of_tiles(row, 1, wide, vectors)

    def _row_of_tiles(
        self, row: Scalar, rows: int, wide: int, vectors: int, first_new: Scalar | None = None
    ) -> None:
        """Write tiles side by side, then the epilogue for their rows, but for those it has had."""
        for first in range(0, vectors, wide):
            self._tile(row, rows, first, min(wide, vectors - first))
        if self.k.has_epilogue:
            new, end = row if first_new is None else first_new, row + rows
            self.f.emit(f"call void %epilogue(ptr %table, {new.typed}, {end.typed})")

    def _tile(self, row: Scalar, rows: int, first: int, count: int) -> None:
        f, down, along = self.f, *self.x_steps
        sums = [[f.reserve(self.vector) for _ in range(count)] for _ in range(rows)]
        for line in sums:
            for place in line:
                f.emit(f"store {self.vector} zeroinitializer, ptr {place}")
        left = row * down
        with f.loop(0, self.inner) as i:
            above = i * self.y_step + first * self.lanes
            across = [self._load(above + v * self.lanes, first + v) for v in range(count)]
            for r in range(rows):
                value = f.load(self.x, left + r * down + i * along, self.kind)
                spread = self._spread(value)
                for v in range(count):
                    self._add_product(sums[r][v], spread, across[v])
        for r in range(rows):
            for v in range(count):
                target = (row + r) * self.n + (first + v) * self.lanes
                self._store(sums[r][v], target, first + v)

    def _mask(self, vector: int) -> str | None:
        """Return the mask of a vector that reaches beyond the row, or None."""
        width = self.n - vector * self.lanes
        if width >= self.lanes:
            return None
        bits = ", ".join(f"i1 {'true' if i < width else 'false'}" for i in range(self.lanes))
        return f"<{self.lanes} x i1> <{bits}>"

    def _load(self, place: Scalar, vector: int) -> str:
        address, name = self.f.address(self.y, place, self.kind), self.f.fresh("y")
        mask = self._mask(vector)
        size = self.k.node.dtype.itemsize
        if mask is None:
            self.f.emit(f"{name} = load {self.vector}, ptr {address}, align {size}")
            return name
        function = f"@llvm.masked.load.{self.suffix}.p0"
        self.f.declare(function, self.vector, ["ptr", "i32", f"<{self.lanes} x i1>", self.vector])
        self.f.emit(
            f"{name} = call {self.vector} {function}(ptr {address}, i32 {size}, {mask}, "
            f"{self.vector} zeroinitializer)"
        )
        return name

    def _store(self, source: str, place: Scalar, vector: int) -> None:
        address, name = self.f.address(self.out, place, self.kind), self.f.fresh("s")
        mask = self._mask(vector)
        size = self.k.node.dtype.itemsize
        self.f.emit(f"{name} = load {self.vector}, ptr {source}")
        if mask is None:
            self.f.emit(f"store {self.vector} {name}, ptr {address}, align {size}")
            return
        function = f"@llvm.masked.store.{self.suffix}.p0"
        self.f.declare(function, "void", [self.vector, "ptr", "i32", f"<{self.lanes} x i1>"])
        self.f.emit(
            f"call void {function}({self.vector} {name}, ptr {address}, i32 {size}, {mask})"
        )

    def _spread(self, value: Scalar) -> str:
        one, all_of_them = self.f.fresh("e"), self.f.fresh("e")
        self.f.emit(f"{one} = insertelement {self.vector} poison, {value.typed}, i64 0")
        self.f.emit(
            f"{all_of_them} = shufflevector {self.vector} {one}, {self.vector} poison, "
            f"<{self.lanes} x i32> zeroinitializer"
        )
        return all_of_them

    def _add_product(self, place: str, a: str, b: str) -> None:
        function = f"@llvm.fma.{self.suffix}"
        self.f.declare(function, self.vector, [self.vector] * 3)
        before, after = self.f.fresh("c"), self.f.fresh("c")
        self.f.emit(f"{before} = load {self.vector}, ptr {place}")
        values = ", ".join(f"{self.vector} {v}" for v in (a, b, before))
        self.f.emit(f"{after} = call {self.vector} {function}({values})")
        self.f.emit(f"store {self.vector} {after}, ptr {place}")


def _even_rows(m: int, most: int) -> int:
    """Return how many rows a tile has so that few are left over on one to four threads."""

    def computed(rows: int) -> int:
        parts = [(threads, -(-m // threads)) for threads in (1, 2, 3, 4)]
        return sum(threads * -(-part // rows) * rows for threads, part in parts)

    return min(range(max(most // 2, 1), most + 1), key=lambda rows: (computed(rows), -rows))
