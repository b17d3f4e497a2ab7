"""On-demand outputs: figures about a step that are only computed when they are requested."""

from __future__ import annotations

from schuss.compiler.graph.graph import Graph, Node, again, ordered
from schuss.lowering.kinds import Elementwise, SegmentSum, View

__all__ = ["split_on_demand"]


def split_on_demand(graph: Graph) -> frozenset[Node]:
    """Return the nodes that only on-demand outputs need, with nothing done for them elsewhere.

    What they need of the rest and could share a loop with is computed once more: so the rest is
    the very code that it would be without them, keeps no values for them, and gives the same bits.

    Args:
        graph: its last outputs are rewritten.
    """
    if not graph.on_demand:
        return frozenset()
    main = set(ordered(graph.main_roots()))
    first = len(graph.outputs) - graph.on_demand
    wanted = [n for n in graph.outputs[first:] if n not in main]
    own: dict[Node, Node] = {}
    for node in ordered(wanted):
        inputs = tuple(own.get(x, x) for x in node.inputs)
        if node not in main and inputs == node.inputs:
            own[node] = node
        elif node not in main or _is_repeated(node):
            own[node] = again(node, inputs)
    graph.outputs[first:] = [n if n in main else own[n] for n in graph.outputs[first:]]
    return frozenset(n for n in own.values() if n.primitive is not None)


def _is_repeated(node: Node) -> bool:
    lowering = node.primitive and node.primitive.lower
    return isinstance(lowering, (Elementwise, SegmentSum, View))
