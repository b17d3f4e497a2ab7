"""Half storage: what is rounded to bfloat16 is kept in 16 bits, and multiplied as it lies there.

A value that was rounded becomes the value of its bits: movements move the bits, products that gain
by it take the bits, and everything else computes the value where it is read.
"""

from __future__ import annotations

from schuss.compiler.graph.graph import Graph, Node, hand_on_scope, ordered, result
from schuss.compiler.kernels.bfloat16_product import is_fast
from schuss.lowering.kinds import Regions, View
from schuss.primitives.bfloat16 import BITS, PRODUCT, VALUE

__all__ = ["store_in_halves"]

# They keep all elements, so that to round before takes no longer.
_MOVEMENTS = {"concat", "permute_dims", "reshape"}


def store_in_halves(graph: Graph) -> None:
    """Keep the rounded values of a graph in 16 bits."""
    mapping: dict[Node, Node] = {}
    for node in ordered(graph.roots()):
        if node.primitive is None:
            continue
        inputs = tuple(mapping.get(x, x) for x in node.inputs)
        found = _halved(node, inputs)
        if found is None and inputs != node.inputs:
            found = result(node.primitive, inputs, node.attributes)
        if found is not None:
            hand_on_scope(found, node.scope)
            mapping[node] = found
    graph.replace(mapping)


def _halved(node: Node, inputs: tuple[Node, ...]) -> Node | None:
    """Return what takes the place of a node of these inputs; None where it is as it was."""
    assert node.primitive is not None
    lowering = node.primitive.lower
    if node.op == "bfloat16_rounded":
        return _value(_bits(inputs[0]))
    if isinstance(lowering, View):
        is_of_bits = inputs[0].primitive is VALUE
        first = inputs[0].inputs if is_of_bits else ()
        moved = (*first, *inputs[1:])
    elif isinstance(lowering, Regions) and lowering.fill(**node.attributes) is None:
        is_of_bits = all(x.primitive is VALUE for x in inputs)
        moved = tuple(x for y in inputs for x in y.inputs)
    elif node.op == "matmul" and all(x.primitive is VALUE for x in inputs) and is_fast(node):
        return result(PRODUCT, tuple(x.inputs[0] for x in inputs), {})
    else:
        return None
    return _value(result(node.primitive, moved, node.attributes)) if is_of_bits else None


def _bits(x: Node) -> Node:
    """Return the bits of a value that is rounded: what moves it moves them."""
    if x.primitive is VALUE:
        return x.inputs[0]
    if x.op in _MOVEMENTS:
        return result(x.primitive, tuple(map(_bits, x.inputs)), x.attributes)  # type: ignore[arg-type]  # computed
    return result(BITS, (x,), {})


def _value(bits: Node) -> Node:
    return result(VALUE, (bits,), {})
