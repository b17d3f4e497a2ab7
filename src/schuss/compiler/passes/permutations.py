"""Permutations: what is computed of permuted values is computed as these lie, and permuted after.

Convolutions give channels last, and the network is written with channels first. Activations,
normalisations and their gradients between them would each read one order and write the other. So
the permutation moves behind them, until it meets the one that takes it back.
"""

from __future__ import annotations

from schuss.compiler.graph.graph import Graph, Node, again, hand_on_scope, made
from schuss.lowering.kinds import Elementwise, Reduction

__all__ = ["move_permutations"]

# Matrices are left to layout assignment.
_LEAST_AXES = 3

Axes = tuple[int, ...]


def move_permutations(graph: Graph) -> None:
    """Rewrite what reads permuted values that the program has computed."""
    nodes = graph.nodes()
    if any(n.op == "permute_dims" and len(n.shape) >= _LEAST_AXES for n in nodes):
        _Mover().run(graph, nodes)


class _Mover:
    def __init__(self) -> None:
        # What a node is a permutation of, and with which axes; those of None are as they were.
        self._moved: dict[Node, tuple[Node, Axes | None]] = {}
        self._straight: dict[Node, Node] = {}

    def run(self, graph: Graph, nodes: list[Node]) -> None:
        """Rewrite all nodes, inputs first."""
        for node in nodes:
            found = self._rewritten(node) if node.inputs else (node, None)
            self._moved[node] = found
            hand_on_scope(found[0], node.scope)
        graph.replace({node: self._as_it_was(node) for node in graph.roots()})

    def _rewritten(self, node: Node) -> tuple[Node, Axes | None]:
        assert node.primitive is not None  # it has inputs
        lowering = node.primitive.lower
        if node.op == "permute_dims" and len(node.shape) >= _LEAST_AXES:
            return self._permuted(node)
        if isinstance(lowering, Elementwise):
            axes = next((a for x, a in self._inputs(node) if x.shape == node.shape and a), None)
            if axes is not None:
                operands = tuple(self._operand(x, node.shape, axes) for x in node.inputs)
                return made(node.op, *operands, **node.attributes), axes
        if isinstance(lowering, Reduction):
            source, axes = self._moved[node.inputs[0]]
            if axes is not None:
                return self._reduced(node, source, axes)
        inputs = tuple(self._as_it_was(x) for x in node.inputs)
        return (node if inputs == node.inputs else again(node, inputs)), None

    def _inputs(self, node: Node) -> list[tuple[Node, Axes | None]]:
        return [(x, self._moved[x][1]) for x in node.inputs]

    def _permuted(self, node: Node) -> tuple[Node, Axes | None]:
        (x,) = node.inputs
        source, axes = self._moved[x]
        joined: Axes = node.attributes["axes"]
        if axes is not None:
            joined = tuple(axes[a] for a in joined)
        elif source.primitive is None:
            # What is given lies as it lies.
            return again(node, (source,)), None
        return source, None if joined == tuple(range(len(joined))) else joined

    def _operand(self, x: Node, shape: Axes, axes: Axes) -> Node:
        """Return an operand as it has to lie, so that `axes` of the result give what was asked."""
        source, own = self._moved[x]
        if own == axes:
            return source
        x = self._as_it_was(x)
        if x.size == 1:
            return x if x.shape == () else made("reshape", x, shape=())
        if len(x.shape) < len(shape):
            x = made("reshape", x, shape=(1,) * (len(shape) - len(x.shape)) + x.shape)
        return made("permute_dims", x, axes=_inverse(axes))

    def _reduced(self, node: Node, source: Node, axes: Axes) -> tuple[Node, Axes | None]:
        gone: Axes = node.attributes["axes"]
        there = tuple(sorted(axes[a] for a in gone))
        found = made(node.op, source, **{**node.attributes, "axes": there})
        if len(found.shape) == len(axes):
            return found, axes
        kept = [axes[a] for a in range(len(axes)) if a not in gone]
        order = tuple(sorted(kept).index(a) for a in kept)
        return found, None if order == tuple(range(len(order))) else order

    def _as_it_was(self, node: Node) -> Node:
        """Return what takes a node's place, with its axes in their order."""
        source, axes = self._moved[node]
        if axes is None:
            return source
        found = self._straight.get(node)
        if found is None:
            found = self._straight[node] = made("permute_dims", source, axes=axes)
        return found


def _inverse(axes: Axes) -> Axes:
    return tuple(axes.index(a) for a in range(len(axes)))
