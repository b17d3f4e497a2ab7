"""One-hot scatters, as the gradient of the classes' loss is, as comparisons.

A number for each row goes to the column that an index names, everything else is zero: that is
where(column == index, number, 0), which joins the loop that reads it and needs no buffer.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.compiler.graph.graph import Graph, Node, constant, hand_on_scope, made, ordered
from schuss.compiler.kernels.gather import picks_one_of_each_row

__all__ = ["compare_classes"]


def compare_classes(graph: Graph) -> bool:
    """Put comparisons in the place of such scatters; return whether there were any."""
    mapping: dict[Node, Node] = {}
    for node in ordered(graph.roots()):
        inputs = tuple(mapping.get(x, x) for x in node.inputs)
        if inputs != node.inputs:
            node.inputs = inputs
        if node.op != "scatter_add" or not picks_one_of_each_row(node, node.shape):
            continue
        if node.shape[1] < 2**31:
            mapping[node] = _compared(node)
            hand_on_scope(mapping[node], node.scope)
    graph.replace(mapping)
    return bool(mapping)


def _compared(node: Node) -> Node:
    """Return where(column == index, number, 0)."""
    g, _, index = node.inputs
    rows, columns = node.shape

    def number(value: int, dtype: Any) -> Node:
        return constant(np.asarray(value, dtype))

    numbers = made("reshape", g, shape=(rows, 1))
    index = made("reshape", made("astype", index, dtype=np.dtype(np.int32)), shape=(rows, 1))
    from_end = made("less", index, number(0, np.int32))
    index = made("where", from_end, made("add", index, number(columns, np.int32)), index)
    is_there = made("equal", constant(np.arange(columns, dtype=np.int32)), index)
    return made("where", is_there, numbers, number(0, node.dtype))
