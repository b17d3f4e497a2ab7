"""Reductions over a batch of pictures in two steps: within each picture, then over the pictures.

What is reduced to a few channels could only be shared by these. The first step is shared by
pictures, as what comes before it is, and the second one is small. How they are cut does not depend
on the number of threads, and so the bits do not.
"""

from __future__ import annotations

import math

from schuss.compiler.graph.graph import Graph, Node, again, hand_on_scope, made
from schuss.lowering.kinds import Reduction

__all__ = ["split_reductions"]

# Smaller ones are not worth a loop more, nor is a first step that takes fewer elements together.
_LEAST, _LEAST_WITHIN = 65_536, 16


def split_reductions(graph: Graph) -> None:
    """Rewrite the reductions over the first axis and others, but not the last."""
    nodes = graph.nodes()
    if not any(map(_is_split, nodes)):
        return
    new: dict[Node, Node] = {}
    for node in nodes:
        inputs = tuple(new.get(x, x) for x in node.inputs)
        found = node if inputs == node.inputs else again(node, inputs)
        if _is_split(node):
            inner = tuple(a for a in node.attributes["axes"] if a)
            (x,) = inputs
            within = made(node.op, x, **{**node.attributes, "axes": inner})
            found = made(node.op, within, **{**node.attributes, "axes": (0,)})
        if found is not node:
            new[node] = found
            hand_on_scope(found, node.scope)
    graph.replace(new)


def _is_split(node: Node) -> bool:
    if node.primitive is None or not isinstance(node.primitive.lower, Reduction):
        return False
    (x,), axes = node.inputs, node.attributes["axes"]
    last = len(x.shape) - 1
    if 0 not in axes or last in axes or x.shape[0] < 2 or x.shape[last] < 2:
        return False
    within = math.prod(x.shape[a] for a in axes if a)
    return x.size >= _LEAST and within >= _LEAST_WITHIN
