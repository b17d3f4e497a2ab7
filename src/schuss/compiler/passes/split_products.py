"""Products with a long inner axis as sums of products of parts of it.

The panels that packed GEMM reads again and again have to stay in the second cache, and so cannot be
longer than that allows. A sum more for each part is little beside the part's own operations.
"""

from __future__ import annotations

from schuss.compiler.graph.graph import Graph, Node, again, hand_on_scope, made
from schuss.compiler.kernels.micro_kernel import LONGEST, is_supported
from schuss.lowering.llvm_types import kind_of

__all__ = ["split_products"]

# Parts are as long as suits the caches best, unless there would be more of them than these.
_PART, _MOST_PARTS, _WHOLE = 1024, 16, 16


def split_products(graph: Graph) -> None:
    """Rewrite the products of matrices whose inner axis is too long."""
    nodes = graph.nodes()
    if not any(map(_is_split, nodes)):
        return
    new: dict[Node, Node] = {}
    for node in nodes:
        inputs = tuple(new.get(x, x) for x in node.inputs)
        found = node if inputs == node.inputs else again(node, inputs)
        if _is_split(node):
            found = _in_parts(*inputs)
        if found is not node:
            new[node] = found
            hand_on_scope(found, node.scope)
    graph.replace(new)


def _is_split(node: Node) -> bool:
    if node.op != "matmul" or node.dtype.kind != "f" or min(node.shape[-2:]) < 2:
        return False
    return node.inputs[0].shape[-1] > LONGEST and is_supported(kind_of(node.dtype), LONGEST)


def _in_parts(x: Node, y: Node) -> Node:
    """Return the sum, in order, of the products of parts of the inner axis."""
    inner = x.shape[-1]
    parts = max(min(-(-inner // _PART), _MOST_PARTS), -(-inner // LONGEST))
    each = -(-inner // (parts * _WHOLE)) * _WHOLE
    total: Node | None = None
    for start in range(0, inner, each):
        part = slice(start, min(start + each, inner))
        columns = made("slice", x, template=(*[slice(None)] * (len(x.shape) - 1), part))
        rows = made("slice", y, template=(*[slice(None)] * (len(y.shape) - 2), part))
        product = made("matmul", columns, rows)
        total = product if total is None else made("add", total, product)
    assert total is not None  # the inner axis is long
    return total
