"""Matrix products: BLAS for what is large, generated loops for the rest."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from schuss.compiler.graph import Node
from schuss.compiler.layout import Strided
from schuss.compiler.scalars import F32, F64, Scalar, kind_of
from schuss.compiler.tiles import is_small, write_tiles

if TYPE_CHECKING:
    from schuss.compiler.kernels import Special

__all__ = ["extent_of_product", "is_matrix", "write_product"]

_ROW_MAJOR, _PLAIN, _TRANSPOSED = 101, 111, 112


def is_matrix(view: Strided) -> bool:
    """Whether the last two axes are a matrix as BLAS takes it, or one transposed."""
    return leading(view) is not None


def leading(view: Strided) -> tuple[bool, int] | None:
    """Return (transposed, distance between rows), or None for other strides."""
    rows, columns = view.shape[-2:]
    down, along = view.strides[-2:]
    if (along == 1 or columns == 1) and (down >= columns or rows == 1):
        return False, max(down, columns, 1)
    if (down == 1 or rows == 1) and (along >= rows or columns == 1):
        return True, max(along, rows, 1)
    return None


# A product is cut into shares of at least so many operations, and at most so many shares. The cuts
# do not depend on the number of threads, so that the sums of BLAS do not either.
_SHARE = 400_000
_MOST_SHARES = 16
_STEP = 32


def _cut(node: Node) -> tuple[bool, int, int]:
    """Return how a product is shared: by columns (or rows), how long each part, how many."""
    m, n = node.shape[-2:]
    wanted = 2 * m * n * node.inputs[0].shape[-1] // _SHARE
    by_columns = n > m
    length = max(m, n)
    if len(node.shape) > 2 or kind_of(node.dtype) not in (F32, F64) or wanted < 2:
        return by_columns, length, 1
    each = -(-length // min(wanted, _MOST_SHARES))
    each = -(-each // _STEP) * _STEP
    return by_columns, each, -(-length // each)


def extent_of_product(node: Node) -> int:
    """Return how many shares a product can be split into."""
    return _cut(node)[2]


def write_product(k: Special) -> None:
    """Write x @ y over all leading axes."""
    shape = k.node.shape
    batch = shape[:-2]
    x = k.view(0).broadcast((*batch, *k.node.inputs[0].shape[-2:]))
    y = k.view(1).broadcast((*batch, *k.node.inputs[1].shape[-2:]))
    if k.node.size == 0:
        return
    by_columns, each, parts = _cut(k.node)
    if parts > 1:
        with k.f.loop(k.low, k.high) as part:
            _call_blas(k, x, y, [], (by_columns, part * each, each))
        return
    with k.loops(batch) as index:
        floats = kind_of(k.node.dtype) in (F32, F64) and x.shape[-1] > 0
        if floats and is_small(k.node, y):
            write_tiles(k, x, y, index)
        elif floats:
            _call_blas(k, x, y, index, None)
        else:
            _plain(k, x, y, index)


def _call_blas(
    k: Special,
    x: Strided,
    y: Strided,
    index: list[Scalar],
    part: tuple[bool, Scalar, int] | None,
) -> None:
    """Call BLAS for the matrices at `index`, or for some of their rows or columns."""
    from schuss.compiler.kernels import place_of

    f, kind = k.f, kind_of(k.node.dtype)
    inner = x.shape[-1]
    lengths: list[int | str] = [x.shape[-2], y.shape[-1]]
    starts = [f.number(0), f.number(0)]
    if part is not None:
        by_columns, start, each = part
        left = (f.number(k.node.shape[-1 if by_columns else -2]) - start).minimum(each)
        lengths[by_columns] = left.to("i32").name
        starts[by_columns] = start
    m, n = lengths
    first, zero = starts, f.number(0)
    sides = []
    for view, at in ((x, [first[0], zero]), (y, [zero, first[1]])):
        found = leading(view)
        assert found is not None  # legalise made sure
        place = place_of(view, [*index, *at])
        sides.append((f.address(k.pointer(view.root), place, kind), *found))
    (a, a_turned, lda), (b, b_turned, ldb) = sides
    c = f.address(k.pointer(k.node), place_of(k.out, [*index, *first]), kind)
    ldc = k.node.shape[-1]
    name = "@scipy_cblas_sgemm" if kind == F32 else "@scipy_cblas_dgemm"
    kinds = ["i32"] * 6 + [kind, "ptr", "i32", "ptr", "i32", kind, "ptr", "i32"]
    f.declare(name, "void", kinds)
    one, nil = f.number(1, kind).name, f.number(0, kind).name
    values = [
        _ROW_MAJOR, _TRANSPOSED if a_turned else _PLAIN, _TRANSPOSED if b_turned else _PLAIN,
        m, n, inner, one, a, lda, b, ldb, nil, c, ldc,
    ]  # fmt: skip
    arguments = ", ".join(f"{t} {v}" for t, v in zip(kinds, values, strict=True))
    f.emit(f"call void {name}({arguments})")


def _plain(k: Special, x: Strided, y: Strided, index: list[Scalar]) -> None:
    """Three loops, for integers and for products over nothing."""
    f, kind = k.f, kind_of(k.node.dtype)
    total = f.reserve(kind)
    with ExitStack() as stack:
        i = stack.enter_context(f.loop(0, x.shape[-2]))
        j = stack.enter_context(f.loop(0, y.shape[-1]))
        f.store(f.number(0, kind), total, 0)
        with f.loop(0, x.shape[-1]) as q:
            term = k.load(x, [*index, i, q]).to(kind) * k.load(y, [*index, q, j]).to(kind)
            f.store(f.load(total, 0, kind) + term, total, 0)
        k.store(f.load(total, 0, kind), k.out, [*index, i, j])
