"""The graph that serves many lengths: that at capacity, with masks where it would see beyond."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from schuss.compiler.graph.graph import Graph, Node, again, constant, hand_on_scope, made
from schuss.compiler.padding.axes import Lengths, Rows
from schuss.compiler.padding.case import Bound, Mask, Need
from schuss.compiler.padding.proof import Proof

__all__ = ["masked_graph"]

_INDEX = np.dtype(np.int32)


def masked_graph(graph: Graph, nodes: list[Node], proof: Proof, lengths: Lengths) -> Graph:
    """Return a graph that computes what a call's own graph does, of arguments padded to capacity.

    Its last numbers are the lengths of the call, then those of `proof.numbers`.

    Args:
        graph: traced at capacity; it stays as it is.
        nodes: its nodes, in order.
        proof: how it corresponds to a call's own graph.
        lengths: those that vary.
    """
    return _Masking(graph, lengths).run(nodes, proof)


class _Masking:
    def __init__(self, graph: Graph, lengths: Lengths) -> None:
        self._graph = graph
        self._capacity = lengths.capacity
        self._numbers = list(graph.numbers)
        self._own = [self._number(_INDEX) for _ in lengths.own]
        self._inside: dict[tuple[Rows, int], Node] = {}
        self._met: dict[tuple[Node, Need], Node] = {}

    def run(self, nodes: list[Node], proof: Proof) -> Graph:
        """Return the graph."""
        graph = self._graph
        new: dict[Node, Node] = {}
        for i in proof.numbers:
            number = self._number(nodes[i].dtype)
            shape = nodes[i].shape
            new[nodes[i]] = made("reshape", number, shape=shape) if shape else number
        for node, needs in zip(nodes, proof.needs, strict=True):
            if node.primitive is None:
                new.setdefault(node, node)
                continue
            inputs = [new[x] for x in node.inputs]
            for need in needs:
                inputs[need.place] = self._meet(inputs[need.place], need, node.scope)
            new[node] = again(node, tuple(inputs))
        found = graph.mapped(new.__getitem__)
        return replace(
            found, inputs=list(graph.inputs), numbers=self._numbers, checks=[], on_demand=0
        )

    def _number(self, dtype: np.dtype[np.generic]) -> Node:
        number = Node("number", (), {}, (), dtype, place=len(self._numbers))
        self._numbers.append(number)
        return number

    def _meet(self, x: Node, need: Need, scope: str | None) -> Node:
        """Return an input that is as it needs to be; the same for all who need the same."""
        key = (x, _anywhere(need))
        found = self._met.get(key)
        if found is None:
            found = self._masked(x, need) if isinstance(need, Mask) else self._bounded(x, need)
            hand_on_scope(found, scope)
            self._met[key] = found
        return found

    def _masked(self, x: Node, mask: Mask) -> Node:
        other = constant(np.asarray(mask.value, x.dtype))
        for a, axis in mask.axes:
            x = made("where", self._is_inside(axis, len(x.shape) - a - 1), x, other)
        return x

    def _is_inside(self, axis: Rows, after: int) -> Node:
        """Return which elements of an axis, with so many axes after it, are the call's own."""
        found = self._inside.get((axis, after))
        if found is None:
            shape = axis.split(self._capacity)
            place = np.indices(shape, _INDEX).reshape(len(shape), -1, *[1] * after)
            for part, (_, length) in enumerate(axis.parts):
                index = constant(np.ascontiguousarray(place[2 * part + 1]))
                is_less = made("less", index, self._own[length])
                found = is_less if found is None else made("bitwise_and", found, is_less)
            assert found is not None
            self._inside[axis, after] = found
        return found

    def _bounded(self, x: Node, bound: Bound) -> Node:
        """Return indices into an axis that count from its own end where they are negative."""
        ((_, which),) = bound.axis.parts
        length = self._own[which]
        if bound.axis.block != 1:
            length = made("multiply", length, constant(np.asarray(bound.axis.block, _INDEX)))
        if x.dtype != _INDEX:
            length = made("astype", length, dtype=x.dtype)
        is_from_end = made("less", x, constant(np.asarray(0, x.dtype)))
        return made("where", is_from_end, made("add", x, length), x)


def _anywhere(need: Need) -> Need:
    """Return what is needed, at whichever place the input is."""
    return Mask(0, need.axes, need.value) if isinstance(need, Mask) else Bound(0, need.axis)
