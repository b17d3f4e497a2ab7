"""Matrix products: tiles for what is small, panels for what is large, BLAS for the rest."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import BY_ROWS, Partitioning, is_disjoint
from schuss.compiler.graph.views import Layouts, Strided, leading
from schuss.compiler.kernels.kernel import KernelEmitter, place_of
from schuss.compiler.kernels.packed_gemm import CHUNK, ROWS, Shape, can_generate, shape_of, strip_of
from schuss.compiler.kernels.register_tiles import is_small, packed_bytes, write_tiles
from schuss.lowering.ir_builder import F32, F64, Scalar, kind_of

__all__ = ["can_take_epilogue", "matmul_partitionings", "scratch_of_product", "write_product"]

_ROW_MAJOR, _PLAIN, _TRANSPOSED = 101, 111, 112


# More ways to share a product: parts as they suit how it is computed; along leading axes, matrices.
_BY_PARTS, _BY_MATRICES = "parts", "matrices"
# Elements of y that each thread may pack for itself, so that products can be shared by rows.
_PACKED_TWICE = 65_536

# A product is cut into shares of at least so many operations, and at most so many shares. The cuts
# do not depend on the number of threads, so that the sums of BLAS do not either.
_SHARE = 400_000
_MOST_SHARES = 16
_STEP = 32


@dataclass(frozen=True)
class _Cut:
    """How a product is shared.

    Args:
        by_columns: whether columns of the result are shared, or rows.
        each: how many of them are in a share.
        parts: number of shares.
    """

    by_columns: bool
    each: int
    parts: int


def _cut(node: Node, layouts: Layouts) -> _Cut:
    m, n = node.shape[-2:]
    wanted = 2 * m * n * node.inputs[0].shape[-1] // _SHARE
    found = _panels(node, layouts)
    if found is None:
        by_columns, step = n > m, _STEP
    else:
        # Panels of V, or rows of S where there are more chunks of them. They are cut as finely as
        # suits the tiles, for equal shares: a sum's order does not depend on it.
        shape, turned = found
        v, s = (m, n) if turned else (n, m)
        of_v = -(-v // shape.panel) >= 2 * s // CHUNK
        by_columns, step = of_v != turned, shape.panel if of_v else ROWS
    length = n if by_columns else m
    if len(node.shape) > 2 or kind_of(node.dtype) not in (F32, F64) or wanted < 2:
        return _Cut(by_columns, length, 1)
    each = step
    if found is None:
        each = -(-length // min(wanted, _MOST_SHARES))
        each = -(-each // step) * step
    return _Cut(by_columns, each, -(-length // each))


def matmul_partitionings(node: Node, layouts: Layouts) -> list[Partitioning]:
    """Return the ways in which a product can be shared, last the one without shares."""
    partitionings = []
    x, y = (layouts.of(i) for i in node.inputs)
    m, n = node.shape[-2:]
    inner = x.shape[-1]
    is_made = node.size > 0 and kind_of(node.dtype) in (F32, F64) and inner > 0
    private = [node]
    if len(node.shape) > 2:
        if x.shape[:1] == node.shape[:1] and len(x.shape) == len(node.shape) and is_disjoint(x):
            private.append(x.root)
        partitionings.append(
            Partitioning(node.shape[0], frozenset(private), node.shape[0], _BY_MATRICES)
        )
        return [*partitionings, Partitioning(1)]
    found = _panels(node, layouts)
    generated = is_made and (found is not None or is_small(node, y))
    cut = _cut(node, layouts)
    # All threads pack all of y then.
    by_rows = found is not None and not found[1] and cut.parts > 1 and not cut.by_columns
    if generated and m > 1 and (by_rows or inner * n <= _PACKED_TWICE) and not (found and found[1]):
        if is_disjoint(x):
            private.append(x.root)
        partitionings.append(Partitioning(m, frozenset(private), m, BY_ROWS))
    if cut.parts > 1 and not by_rows:
        partitionings.append(Partitioning(cut.parts, frozenset(), cut.parts, _BY_PARTS))
    return [*partitionings, Partitioning(1)]


def can_take_epilogue(node: Node, layouts: Layouts) -> bool:
    """Whether rows of a product, once they are computed, can be handed on, some at a time."""
    found = _panels(node, layouts)
    if found is None:
        return is_small(node, layouts.of(node.inputs[1]))
    shape, turned = found
    return not turned and node.shape[-1] <= shape.block(node.inputs[0].shape[-1])


def scratch_of_product(node: Node, layouts: Layouts) -> int:
    """Return the bytes of working memory that a product needs on each thread."""
    found = _panels(node, layouts)
    if found is None:
        return packed_bytes(node, layouts.of(node.inputs[1]))
    shape, turned = found
    return shape.scratch_bytes(node.inputs[0].shape[-1], node.shape[-2 if turned else -1])


def _panels(node: Node, layouts: Layouts) -> tuple[Shape, bool] | None:
    """Return the tiles of a product in panels and whether it is turned; None for other ways."""
    kind = kind_of(node.dtype)
    if node.size == 0 or kind not in (F32, F64):
        return None
    x, y = (layouts.of(i) for i in node.inputs)
    if is_small(node, y) or not can_generate(kind, x.shape[-1]):
        return None
    shape = shape_of(kind)
    sides = leading(x), leading(y)
    if sides[0] is None or sides[1] is None:
        return None
    (m, n), inner = node.shape[-2:], x.shape[-1]
    # Where y lies across, either its panels are transposed, or (turned) those of x and the result.
    turned = sides[1][0] and not sides[0][0] and n * inner > m * (n + inner)
    # A panel that is mostly empty would cost as much as a full one.
    turned = turned and 2 * m >= shape.panel
    return (shape, turned) if 2 * (m if turned else n) >= shape.panel else None


def write_product(k: KernelEmitter) -> None:
    """Write x @ y over all leading axes."""
    shape = k.node.shape
    batch = shape[:-2]
    x = k.view(0).broadcast((*batch, *k.node.inputs[0].shape[-2:]))
    y = k.view(1).broadcast((*batch, *k.node.inputs[1].shape[-2:]))
    if k.node.size == 0:
        return
    cut, found = _cut(k.node, k.layouts), _panels(k.node, k.layouts)
    floats = kind_of(k.node.dtype) in (F32, F64) and x.shape[-1] > 0
    small = floats and is_small(k.node, y)
    if k.partitioning.kind == _BY_PARTS:
        if found is None:
            with k.f.loop(k.low, k.high) as part:
                _call_blas(k, x, y, [], (cut.by_columns, part * cut.each, cut.each))
            return
        length = shape[-1 if cut.by_columns else -2]
        bounds = (k.low * cut.each, (k.high * cut.each).minimum(length))
        _call_panels(k, x, y, [], *found, (cut.by_columns, *bounds))
        return
    rows = (
        (k.low, k.high)
        if k.partitioning.kind == BY_ROWS
        else (k.f.number(0), k.f.number(shape[-2]))
    )
    with k.loops(batch, shared=k.partitioning.kind == _BY_MATRICES) as index:
        if small:
            write_tiles(k, x, y, index, rows)
        elif found is not None:
            _call_panels(k, x, y, index, *found, (False, *rows))
        elif floats:
            _call_blas(k, x, y, index, None)
        else:
            _plain(k, x, y, index)


def _call_panels(
    k: KernelEmitter,
    x: Strided,
    y: Strided,
    index: list[Scalar],
    shape: Shape,
    turned: bool,
    part: tuple[bool, Scalar, Scalar],
) -> None:
    """Call the library of large products for some columns or rows of the matrices at `index`."""
    f, kind = k.f, kind_of(k.node.dtype)
    by_columns, low, high = part
    zero, inner = f.number(0), x.shape[-1]
    m, n = k.node.shape[-2:]
    lengths = [(zero, f.number(m)), (zero, f.number(n))]
    lengths[by_columns] = (low, high)
    places = [f.address(k.pointer(v.root), place_of(v, [*index, zero, zero]), kind) for v in (x, y)]
    (x_turned, x_step), (y_turned, y_step) = (leading(v) or (False, 1) for v in (x, y))
    c = f.address(k.pointer(k.node), place_of(k.out, [*index, zero, zero]), kind)
    if turned:
        (v, s), (of_v, of_s) = places, lengths
        steps, v_step, across = (y_step, 1), x_step, m
    else:
        (s, v), (of_s, of_v) = places, lengths
        steps, v_step, across = (1, x_step) if x_turned else (x_step, 1), y_step, n
    v_across = turned or y_turned
    name = f"@schuss_product_{'turned' if turned else 'plain'}_{'f32' if kind == F32 else 'f64'}"
    block = min(shape.block(inner), -(-across // shape.panel) * shape.panel)
    then = ["%then", "%table"] if k.epilogues else ["null", "null"]
    values: list[str | int | Scalar] = [
        s, *steps, v, v_step, f.number(v_across), c, n, inner, block, "%scratch", *of_s, *of_v,
        strip_of(shape, inner, n) if k.epilogues else CHUNK, *then,
    ]  # fmt: skip
    kinds = ["ptr" if isinstance(v, str) else "i64" for v in values]
    f.declare(name, "void", kinds)
    given = [v.name if isinstance(v, Scalar) else v for v in values]
    arguments = ", ".join(f"{t} {v}" for t, v in zip(kinds, given, strict=True))
    f.emit(f"call void {name}({arguments})")


def _call_blas(
    k: KernelEmitter,
    x: Strided,
    y: Strided,
    index: list[Scalar],
    part: tuple[bool, Scalar, int] | None,
) -> None:
    """Call BLAS for the matrices at `index`, or for some of their rows or columns."""
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


def _plain(k: KernelEmitter, x: Strided, y: Strided, index: list[Scalar]) -> None:
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
