"""Permutations: what is computed of permuted values is computed as these lie, and permuted after.

Convolutions give channels last, and the network is written with channels first. Activations,
normalisations, what is joined of them, and their gradients between them would each read one order
and write the other. So the permutation moves behind them, until it meets the one that takes it
back.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from schuss.compiler.graph.graph import Graph, Node, again, hand_on_scope, made
from schuss.compiler.kernels.index_arrays import expanded
from schuss.lowering.kinds import Elementwise, Reduction
from schuss.primitives.index_template import ARRAY

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
        if not node.size:
            return again(node, tuple(self._as_it_was(x) for x in node.inputs)), None
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
        if node.op == "reshape":
            source, axes = self._moved[node.inputs[0]]
            order = None if axes is None else _reshaped(node.inputs[0].shape, node.shape, axes)
            if order is not None:
                shape = tuple(node.shape[a] for a in order)
                return self._of(made("reshape", source, shape=shape), _inverse(tuple(order)))
        if node.op in _MOVEMENTS:
            moving = node.inputs[:1] if node.op in _INDEXED else node.inputs
            axes = next((self._moved[x][1] for x in moving if self._moved[x][1]), None)
            attributes = _MOVEMENTS[node.op](node, axes) if axes is not None else None
            if axes is not None and attributes is not None:
                moved = [self._operand(x, x.shape, axes) for x in moving]
                indices = [self._as_it_was(x) for x in node.inputs[len(moving) :]]
                return made(node.op, *moved, *indices, **attributes), axes
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
        return self._of(source, joined)

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
        return self._of(found, tuple(sorted(kept).index(a) for a in kept))

    @staticmethod
    def _of(source: Node, axes: Axes) -> tuple[Node, Axes | None]:
        return source, None if axes == tuple(range(len(axes))) else axes

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


def _reshaped(old: Axes, new: Axes, axes: Axes) -> list[int] | None:
    """Return the axes of a reshaped permutation as what it is a permutation of has them.

    None where axes are merged that are not side by side there.
    """
    parts: list[tuple[int, list[int]]] = []
    between = [place for place, a in enumerate(_inverse(axes)) if old[a] > 1]
    i = j = 0
    while i < len(old) or j < len(new):
        # The fewest axes, here and there, of as many elements.
        begin, first = i, j
        here, there = math.prod(old[i : i + 1]), math.prod(new[j : j + 1])
        i, j = i + 1, j + 1
        while here != there:
            if here < there:
                here, i = here * old[i], i + 1
            else:
                there, j = there * new[j], j + 1
        places = [axes[a] for a in range(begin, min(i, len(old))) if old[a] > 1]
        if places and between[(at := between.index(places[0])) : at + len(places)] != places:
            return None
        before = parts[-1][0] if parts else -1
        parts.append((places[0] if places else before, list(range(first, min(j, len(new))))))
    return [a for _, part in sorted(parts, key=lambda part: part[0]) for a in part]


def _joined(node: Node, axes: Axes) -> dict[str, Any]:
    return {"axis": axes[node.attributes["axis"]]}


def _flipped(node: Node, axes: Axes) -> dict[str, Any]:
    return {"axes": tuple(sorted(axes[a] for a in node.attributes["axes"]))}


def _padded(node: Node, axes: Axes) -> dict[str, Any]:
    return {**node.attributes, "widths": _turned(node.attributes["widths"], axes)}


def _sliced(node: Node, axes: Axes) -> dict[str, Any] | None:
    """Return the attributes of a slice that keeps all axes, or of its gradient; else None."""
    template = expanded(node.attributes["template"], len(axes))
    if not all(isinstance(x, slice) or x is ARRAY for x in template):
        return None
    found = {**node.attributes, "template": _turned(template, axes)}
    if "shape" in found:
        found["shape"] = _turned(found["shape"], axes)
    return found


def _indexed(node: Node, axes: Axes) -> dict[str, Any] | None:
    """Return the attributes of what picks along one axis, or of its gradient; else None."""
    is_one = len(node.inputs) == 2 and len(node.inputs[1].shape) == 1
    return _sliced(node, axes) if is_one else None


def _turned(items: Sequence[Any], axes: Axes) -> tuple[Any, ...]:
    """Return what belongs to each axis of the permuted as it belongs to those of the source."""
    return tuple(items[a] for a in _inverse(axes))


# What moves elements along their axes, and its attributes among others.
_MOVEMENTS: dict[str, Callable[[Node, Axes], dict[str, Any] | None]] = {
    "concat": _joined, "flip": _flipped, "pad": _padded, "slice": _sliced, "unslice": _sliced,
    "gather": _indexed, "scatter_add": _indexed,
}  # fmt: skip
# Those whose inputs but the first are indices.
_INDEXED = frozenset(["gather", "scatter_add"])
