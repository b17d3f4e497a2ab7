"""Legalization: copies, where strides alone cannot express what is read or returned."""

from __future__ import annotations

from schuss.compiler.graph.graph import Graph, Node, made, ordered, result
from schuss.compiler.graph.views import Layouts
from schuss.compiler.kernels.registry import kernel_of
from schuss.lowering.kinds import VIEW

__all__ = ["legalize"]


def legalize(graph: Graph) -> None:
    """Put a copy before every movement that strides alone cannot express.

    An input whose layout its kernel does not accept is copied, too, and what is returned or
    assigned becomes a whole buffer of its own.
    """
    layouts = Layouts()
    mapping: dict[Node, Node] = {}

    copies: dict[Node, Node] = {}

    def copied(x: Node) -> Node:
        if x not in copies:
            copies[x] = _permuted_parts(x) or made("astype", x, dtype=x.dtype)
        return copies[x]

    for node in ordered(graph.roots()):
        if node.primitive is None:
            continue
        node.inputs = tuple(mapping.get(x, x) for x in node.inputs)
        kernel = kernel_of(node)
        if kernel is not None:
            views = [layouts.of(x) for x in node.inputs]
            accepted = [kernel.accepts_input(node, i, view) for i, view in enumerate(views)]
            pairs = zip(node.inputs, accepted, strict=True)
            node.inputs = tuple(x if fits else copied(x) for x, fits in pairs)
        if node.primitive.lower is not VIEW:
            continue
        if Layouts.moved(node, layouts.of(node.inputs[0])) is None:
            mapping[node] = result(node.primitive, (copied(node.inputs[0]),), node.attributes)
    graph.replace(mapping)
    roots = {}
    for node in graph.roots():
        view = layouts.of(node)
        if view.root.primitive is None or not view.is_whole:
            roots[node] = copied(node)
    graph.replace(roots)


def _permuted_parts(x: Node) -> Node | None:
    """Return a permutation of what is put together as the permuted parts put together."""
    joined = x.inputs[0] if x.op == "permute_dims" else x
    if joined is x or joined.op != "concat":
        return None
    axes = x.attributes["axes"]
    parts = [made("permute_dims", part, axes=axes) for part in joined.inputs]
    return made("concat", *parts, axis=axes.index(joined.attributes["axis"]))
