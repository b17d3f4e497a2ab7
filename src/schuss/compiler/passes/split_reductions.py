"""Reductions over a batch of pictures in two steps: within each picture, then over the pictures.

What is reduced to a few channels could only be shared by these. The first step is shared by
pictures, as what comes before it is, and the second one is small. How they are cut does not depend
on the number of threads, and so the bits do not.
"""

from __future__ import annotations

import math

from schuss.compiler.graph.graph import Graph, Node, made
from schuss.compiler.passes.replace_each import replace_each
from schuss.lowering.kinds import Reduction

__all__ = ["split_reductions"]

# Smaller ones are not worth a loop more, nor is a first step that takes fewer elements together.
_LEAST, _LEAST_WITHIN = 65_536, 16


def split_reductions(graph: Graph) -> None:
    """Rewrite the reductions over the first axis and others, but not the last."""
    replace_each(graph, _is_split, _in_two)


def _in_two(node: Node, x: Node) -> Node:
    inner = tuple(a for a in node.attributes["axes"] if a)
    within = made(node.op, x, **{**node.attributes, "axes": inner})
    return made(node.op, within, **{**node.attributes, "axes": (0,)})


def _is_split(node: Node) -> bool:
    if node.primitive is None or not isinstance(node.primitive.lower, Reduction):
        return False
    (x,), axes = node.inputs, node.attributes["axes"]
    last = len(x.shape) - 1
    if 0 not in axes or last in axes or x.shape[0] < 2 or x.shape[last] < 2:
        return False
    within = math.prod(x.shape[a] for a in axes if a)
    return x.size >= _LEAST and within >= _LEAST_WITHIN
