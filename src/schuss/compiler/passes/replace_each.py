"""Rules that put something else in the place of some nodes, and leave the others as they are."""

from __future__ import annotations

from collections.abc import Callable

from schuss.compiler.graph.graph import Graph, Node, again, hand_on_scope

__all__ = ["replace_each"]


def replace_each(
    graph: Graph, is_meant: Callable[[Node], bool], replaced: Callable[..., Node]
) -> None:
    """Rewrite the nodes that are meant, once.

    Args:
        graph: is rewritten.
        is_meant: asked of every node, as it is.
        replaced: takes such a node and its new inputs, and returns what comes in its place.
    """
    nodes = graph.nodes()
    if not any(map(is_meant, nodes)):
        return
    new: dict[Node, Node] = {}
    for node in nodes:
        inputs = tuple(new.get(x, x) for x in node.inputs)
        if is_meant(node):
            found = replaced(node, *inputs)
        else:
            found = node if inputs == node.inputs else again(node, inputs)
        if found is not node:
            new[node] = found
            hand_on_scope(found, node.scope)
    graph.replace(new)
