"""Small matrix products as generated loops: tiles of the result are kept in vector registers."""

from __future__ import annotations

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.views import Strided, contiguous
from schuss.compiler.kernels.kernel import KernelEmitter, place_of
from schuss.compiler.kernels.packed_gemm import ROWS, can_generate, shape_of
from schuss.lowering.ir_builder import F32, I64, Scalar, kind_of
from schuss.native.target import vector_bytes

__all__ = ["is_small", "packed_bytes", "write_tiles"]

# From this size on BLAS is faster: it packs what it reads.
_LARGEST = 400_000
_PACKED = 256
# Rows of a tile by the vectors in a row: as many sums as there are registers, but a few.
_ROWS_OF_32 = {1: 14, 2: 12, 3: 8, 4: 6}
_ROWS_OF_16 = {1: 8, 2: 5, 3: 3}


def is_small(node: Node, y: Strided) -> bool:
    """Whether generated loops are used for a product of floats."""
    m, n = node.shape[-2:]
    inner = node.inputs[0].shape[-1]
    if _is_packed_in_panels(node, y):
        return m >= ROWS and (2 * m * n * inner <= _LARGEST or 2 * n < _panel(node))
    if 2 * m * n * inner > _LARGEST:
        return False
    return _has_rows(y) or (inner * n <= _PACKED and m >= 4)


def _has_rows(y: Strided) -> bool:
    return y.strides[-1] == 1 or y.shape[-1] == 1


def _panel(node: Node) -> int:
    return shape_of(kind_of(node.dtype)).panel


def _is_packed_in_panels(node: Node, y: Strided) -> bool:
    """Whether y lies across, and is transposed into one panel, whose rows the tiles read."""
    inner, n = y.shape[-2:]
    is_narrow = inner * n > _PACKED and n <= _panel(node)
    return is_narrow and not _has_rows(y) and y.strides[-2] == 1 and _can_pack(node)


def _can_pack(node: Node) -> bool:
    return can_generate(kind_of(node.dtype), node.inputs[0].shape[-1])


def packed_bytes(node: Node, y: Strided) -> int:
    """Return the bytes of working memory that a small product may need."""
    inner, n = y.shape[-2:]
    if _is_packed_in_panels(node, y):
        return inner * _panel(node) * node.dtype.itemsize
    small = 2 * node.shape[-2] * n * inner <= _LARGEST and inner * n <= _PACKED
    return inner * n * node.dtype.itemsize if small else 0


class _Tiles:
    """Writes some rows of one product, at the given index of the leading axes."""

    def __init__(
        self,
        k: KernelEmitter,
        x: Strided,
        y: Strided,
        index: list[Scalar],
        bounds: tuple[Scalar, Scalar],
    ) -> None:
        self.k = k
        self.f = k.f
        self.low, self.high = bounds
        self.kind = kind_of(k.node.dtype)
        self.lanes = vector_bytes() // k.node.dtype.itemsize
        self.vector = f"<{self.lanes} x {self.kind}>"
        self.suffix = f"v{self.lanes}{'f32' if self.kind == F32 else 'f64'}"
        self.m, self.n, self.inner = x.shape[-2], y.shape[-1], x.shape[-1]
        zero = [self.f.number(0)] * 2
        self.x = self.f.address(k.pointer(x.root), place_of(x, [*index, *zero]), self.kind)
        self.x_steps = x.strides[-2:]
        self.out = self.f.address(k.pointer(k.node), place_of(k.out, [*index, *zero]), self.kind)
        if _has_rows(y):
            self.y = self.f.address(k.pointer(y.root), place_of(y, [*index, *zero]), self.kind)
            self.y_step = y.strides[-2] if self.inner > 1 else self.n
        elif _is_packed_in_panels(k.node, y):
            self.y, self.y_step = self._turned(y, index), _panel(k.node)
        else:
            self.y, self.y_step = self._packed(y, index), self.n

    def _packed(self, y: Strided, index: list[Scalar]) -> str:
        """Copy y, row by row, into working memory."""
        target = Strided(y.root, 0, (self.inner, self.n), contiguous((self.inner, self.n)))
        with self.k.loops((self.inner, self.n)) as at:
            value = self.k.load(y, [*index, *at])
            self.f.store(value, "%scratch", place_of(target, at))
        return "%scratch"

    def _turned(self, y: Strided, index: list[Scalar]) -> str:
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
        table = _ROWS_OF_32 if vector_bytes() == 64 else _ROWS_OF_16
        wide = min(vectors, max(table))
        if self.low.is_literal:
            rows = table[wide]
            rows = -(-self.m // -(-self.m // rows))
            full, rest = divmod(self.m, rows)
            with self.f.loop(0, full) as tile:
                self._row_of_tiles(tile * rows, rows, wide, vectors)
            if rest:
                self._row_of_tiles(self.f.number(full * rows), rest, wide, vectors)
            return
        # How many rows there are turns out when it runs: the last tile goes back over some, or,
        # where there are fewer than it has, is made of single ones.
        rows = _even_rows(self.m, table[wide])
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
        """Write tiles side by side; what follows takes their rows over, but for those it has."""
        for first in range(0, vectors, wide):
            self._tile(row, rows, first, min(wide, vectors - first))
        if self.k.epilogues:
            new, end = row if first_new is None else first_new, row + rows
            self.f.emit(f"call void %then(ptr %table, {new.typed}, {end.typed})")

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
    """Return how many rows a tile has so that few are left over, if up to four threads share."""

    def computed(rows: int) -> int:
        shares = [(sharing, -(-m // sharing)) for sharing in (1, 2, 3, 4)]
        return sum(sharing * -(-share // rows) * rows for sharing, share in shares)

    return min(range(max(most // 2, 1), most + 1), key=lambda rows: (computed(rows), -rows))


def write_tiles(
    k: KernelEmitter, x: Strided, y: Strided, index: list[Scalar], bounds: tuple[Scalar, Scalar]
) -> None:
    """Write x @ y for the matrices at `index`, from one row of the result up to another."""
    _Tiles(k, x, y, index, bounds).write()
