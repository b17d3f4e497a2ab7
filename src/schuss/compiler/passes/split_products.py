"""Products with a long inner axis as sums of products of parts of it.

The panels that packed GEMM reads again and again have to stay in the second cache, and so cannot be
longer than that allows. A sum more for each part is little beside the part's own operations.
"""

from __future__ import annotations

from schuss.compiler.graph.graph import Graph, Node, made
from schuss.compiler.kernels.micro_kernel import LONGEST, is_supported
from schuss.compiler.passes.replace_each import replace_each
from schuss.lowering.llvm_types import kind_of

__all__ = ["split_products"]

# The best length of a part, the shortest and longest that are as good, and how many elements the
# products of all parts may have that are kept at once.
_PART, _SHORTEST, _LONG, _PILED = 1024, 512, 2048, 2**20


def split_products(graph: Graph) -> None:
    """Rewrite the products of matrices whose inner axis is too long."""
    replace_each(graph, _is_split, lambda _, x, y: _in_parts(x, y))


def _is_split(node: Node) -> bool:
    if node.op != "matmul" or node.dtype.kind != "f" or min(node.shape[-2:]) < 2:
        return False
    return node.inputs[0].shape[-1] > LONGEST and is_supported(kind_of(node.dtype), LONGEST)


def _in_parts(x: Node, y: Node) -> Node:
    """Return the sum, in order, of the products of parts of the inner axis.

    Where they are small, all products are one of piled matrices: however long the inner axis is,
    the program is as large.
    """
    inner, size = x.shape[-1], x.shape[-2] * y.shape[-1]
    each = _length(inner)
    many = inner // each
    if len(x.shape) == len(y.shape) == 2 and size * many <= _PILED:
        until = many * each
        total = _piled(_columns(x, 0, until), _rows(y, 0, until), many)
        starts = range(until, inner, each)
    else:
        total = made("matmul", _columns(x, 0, LONGEST), _rows(y, 0, LONGEST))
        starts = range(LONGEST, inner, LONGEST)
    for start in starts:
        until = min(start + starts.step, inner)
        part = made("matmul", _columns(x, start, until), _rows(y, start, until))
        total = made("add", total, part)
    return total


def _length(inner: int) -> int:
    """Return how long the parts are: all alike, if some length allows it."""
    even = [n for n in range(_SHORTEST, _LONG + 1) if inner % n == 0]
    return min(even, key=lambda n: abs(n - _PART), default=_PART)


def _piled(x: Node, y: Node, many: int) -> Node:
    """Return the sum of the products of equal parts of the inner axis."""
    (m, inner), n = x.shape, y.shape[-1]
    x = made("reshape", x, shape=(m, many, inner // many))
    y = made("reshape", y, shape=(many, inner // many, n))
    products = made("matmul", made("permute_dims", x, axes=(1, 0, 2)), y)
    return made("sum", products, axes=(0,), keepdims=False)


def _columns(x: Node, start: int, stop: int) -> Node:
    return made("slice", x, template=(*[slice(None)] * (len(x.shape) - 1), slice(start, stop)))


def _rows(y: Node, start: int, stop: int) -> Node:
    return made("slice", y, template=(*[slice(None)] * (len(y.shape) - 2), slice(start, stop)))
