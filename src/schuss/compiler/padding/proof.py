"""Proof: that a graph at capacity computes, of padded arguments, what a call's own graph computes.

Both are traces of the same function. They are gone through side by side: every operation, constant
and state has to be the same, and every axis either of one length, or of one that varies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from schuss.compiler.graph.graph import Graph, Node
from schuss.compiler.padding.axes import PLACES, REPEATED, Axes, Axis, Differs, Lengths
from schuss.compiler.padding.case import Case, Need
from schuss.compiler.padding.rules import axes_of

__all__ = ["Proof", "Traced", "prove"]


@dataclass(frozen=True)
class Proof:
    """How two graphs correspond.

    Args:
        axes: of each node, in the order of the graphs' nodes.
        needs: of each node's inputs.
        outputs: the axes of the outputs, of which none is left open.
        numbers: constants that depend on the lengths, by the place of their node: what they are
            in the call's own graph.
    """

    axes: Sequence[Axes]
    needs: Sequence[Sequence[Need]]
    outputs: Sequence[Axes]
    numbers: dict[int, Any]

    def has_program_of(self, other: Proof) -> bool:
        """Whether the program that was made by another proof serves this one's call, too."""
        return (
            self.axes == other.axes
            and self.needs == other.needs
            and self.outputs == other.outputs
            and self.numbers.keys() <= other.numbers.keys()
        )


class Traced:
    """What there is to compare of a traced graph; it keeps no hold of the states' tensors.

    Args:
        graph: as traced.
    """

    def __init__(self, graph: Graph) -> None:
        self.nodes = graph.nodes()
        place = {node: i for i, node in enumerate(self.nodes)}
        self.sources = [[place[x] for x in node.inputs] for node in self.nodes]
        self.roots = [place[node] for node in graph.roots()]
        self.outputs = [place[node] for node in graph.outputs]
        self.inputs = list(graph.inputs)
        self.checks = list(graph.checks)
        self.leaves: list[Any] = [(node.dtype, node.place) for node in graph.numbers]
        for state in graph.states:
            node = state.node
            is_updated = state.updated is not None
            self.leaves.append((id(state.tensor), node.shape, node.dtype, node.place, is_updated))


def prove(own: Traced, larger: Traced, inputs: Sequence[Axes], lengths: Lengths) -> Proof:
    """Return how a call's own graph and that at capacity correspond.

    Args:
        own: of the call.
        larger: traced at capacity.
        inputs: the axes of the arguments.
        lengths: those that vary.

    Raises:
        Differs: where they are not known to compute the same.
    """
    if own.leaves != larger.leaves or len(own.inputs) != len(larger.inputs):
        raise Differs
    if (own.sources, own.roots, own.outputs) != (larger.sources, larger.roots, larger.outputs):
        raise Differs
    axes: list[Axes] = []
    needs: list[Sequence[Need]] = []
    numbers: dict[int, Any] = {}
    # Whether the lengths of a node's axes stay.
    fixed: list[bool] = []
    for i, (node, other) in enumerate(zip(own.nodes, larger.nodes, strict=True)):
        if node.op != other.op or node.primitive is not other.primitive:
            raise Differs
        met: Sequence[Need] = ()
        sources = own.sources[i]
        if node.array is not None:
            found = _axes_of_constant(node, other, lengths)
            if node.shape == other.shape and not _is_same(node.array, other.array):
                numbers[i] = node.array.item()
        elif node.primitive is None:
            if node.place != other.place:
                raise Differs
            found = inputs[node.place] if node.op == "input" else _FIXED[len(node.shape)]
        elif node.shape == other.shape and all(fixed[x] for x in sources):
            if node.attributes != other.attributes or node.dtype != other.dtype:
                raise Differs
            found = _FIXED[len(node.shape)]
        else:
            case = Case(node, other, [axes[x] for x in sources], lengths)
            found, met = axes_of(case), tuple(case.needs)
        axes.append(found)
        fixed.append(not any(found))
        needs.append(met)
    outputs = [
        tuple(map(lengths.settled, axes[i], own.nodes[i].shape, larger.nodes[i].shape))
        for i in own.outputs
    ]
    return Proof(axes, needs, outputs, numbers)


# For so many axes, that the lengths of all of them stay.
_FIXED: list[Axes] = [(None,) * n for n in range(65)]


def _is_same(x: Any, y: Any) -> bool:
    return bool(x.shape == y.shape and x.dtype == y.dtype and x.tobytes() == y.tobytes())


def _axes_of_constant(node: Node, other: Node, lengths: Lengths) -> Axes:
    """Return the axes of an array that is computed in Python, of the same elements as the larger.

    A single number may differ.
    """
    own, larger = node.array, other.array
    assert own is not None
    assert larger is not None
    if own.dtype != larger.dtype or own.ndim != larger.ndim:
        raise Differs
    if own.size == larger.size == 1 and own.shape == larger.shape:
        return (None,) * own.ndim
    if not _is_same(own, larger[tuple(slice(0, n) for n in own.shape)]):
        raise Differs
    found: list[Axis] = []
    for a, (n, most) in enumerate(zip(own.shape, larger.shape, strict=True)):
        if n == most:
            found.append(None)
        elif own.ndim == 1 and np.array_equal(larger, np.arange(most)):
            found.append(PLACES)
        elif bool(np.all(larger == larger.take([0], axis=a))):
            found.append(REPEATED)
        else:
            found.append(lengths.rows(n, most))
    return tuple(found)
