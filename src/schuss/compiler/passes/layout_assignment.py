"""Layout assignment: layers' values lie by units, so that a thread keeps its units' parameters.

Where threads share the rows of a batch, each of them reads all parameters, half of which another
one has just updated: for small layers it takes longer to move them from cache to cache than to
compute with them. Transposed, the values have a row for each unit. A thread that takes some of
these needs the parameters of its own units alone, and is the one that updates them. Middling layers
gain by products whose factors lie as they are read: weights as they are kept, gradients as they
are summed. For the largest it makes no difference.
"""

from __future__ import annotations

from schuss.compiler.graph.abi import SINGLE_THREAD_FLOPS
from schuss.compiler.graph.graph import Graph, Node, again, hand_on_scope, made
from schuss.compiler.kernels.cost import cost_of
from schuss.compiler.kernels.gather import picks_one_of_each_row
from schuss.lowering.kinds import Elementwise, Reduction

__all__ = ["assign_layouts"]

# With more rows for each unit it is not worth it: every thread reads all of these. A layer of fewer
# units follows the one before, if there are so many rows.
_LEAST_UNITS, _MOST_ROWS, _LEAST_ROWS = 64, 2, 32
# Parameters of the largest layers that are looked at.
_MOST_PARAMETERS = 1_000_000


def assign_layouts(graph: Graph) -> None:
    """Transpose the values of layers, with all that is computed of them one by one."""
    nodes = graph.nodes()
    if sum(map(cost_of, nodes)) < SINGLE_THREAD_FLOPS:
        return
    roots = set(graph.roots())
    readers: dict[Node, list[Node]] = {}
    for node in nodes:
        for x in node.inputs:
            readers.setdefault(x, []).append(node)
    trained = {s.node for s in graph.states if s.updated is not None}
    chosen: set[Node] = set()
    for node in nodes:
        if node not in chosen and _is_layer(node, trained, chosen):
            chosen |= _together(node, readers, roots) or set()
    if chosen:
        _LayoutRewriter(graph, chosen).run(nodes)


def _is_layer(node: Node, trained: set[Node], chosen: set[Node]) -> bool:
    """Whether a node multiplies by the transposed parameters of a layer that gains by it."""
    if node.op != "matmul" or len(node.shape) != 2 or node.dtype.kind != "f":
        return False
    x, y = node.inputs
    is_weight = y.op == "permute_dims" and y.inputs[0] in trained
    if not is_weight or y.size > _MOST_PARAMETERS:
        return False
    rows, units = node.shape
    if units < _LEAST_UNITS:
        # Its rows are short, where columns make whole vectors.
        return x in chosen and rows >= _LEAST_ROWS
    return rows <= _MOST_ROWS * units and x.op != "permute_dims"


def _together(seed: Node, readers: dict[Node, list[Node]], roots: set[Node]) -> set[Node] | None:
    """Return the values that must be transposed with one; None where it would take copies."""
    found: set[Node] = set()
    waiting = [seed]
    while waiting:
        node = waiting.pop()
        if node in found:
            continue
        is_loop = node.primitive is not None and isinstance(node.primitive.lower, Elementwise)
        if node in roots or not (is_loop or node.op == "matmul"):
            return None
        found.add(node)
        for x in node.inputs if is_loop else ():
            if x.shape == seed.shape and x.op != "broadcast_to":
                waiting.append(x)
            elif not _is_spread(x, seed.shape):
                return None
        for reader in readers.get(node, ()):
            if reader.primitive is None or len(node.shape) != 2:
                return None
            if isinstance(reader.primitive.lower, Elementwise) and reader.shape == seed.shape:
                waiting.append(reader)
            elif not _takes_either(reader):
                return None
    return found


def _takes_either(node: Node) -> bool:
    """Whether a node reads a matrix as well when it is transposed."""
    is_sum = node.primitive is not None and isinstance(node.primitive.lower, Reduction)
    is_sum = is_sum or (node.op == "gather" and picks_one_of_each_row(node, node.inputs[0].shape))
    is_product = node.op == "matmul" and all(len(x.shape) == 2 for x in node.inputs)
    return is_sum or is_product or (node.op == "permute_dims" and len(node.shape) == 2)


def _is_spread(x: Node, shape: tuple[int, ...]) -> bool:
    """Whether an operand is a number, a row or a column, which is repeated."""
    if x.op == "broadcast_to":
        x = x.inputs[0]
    return len(x.shape) <= 2 and x.shape != shape


class _LayoutRewriter:
    def __init__(self, graph: Graph, chosen: set[Node]) -> None:
        self._graph = graph
        self._chosen = chosen
        # What takes the place of a node; for those chosen, its transposed.
        self._new: dict[Node, Node] = {}

    def run(self, nodes: list[Node]) -> None:
        """Put transposed values in the place of those chosen."""
        for node in nodes:
            if node in self._chosen:
                self._new[node] = self._transposed_result(node)
            elif any(x in self._chosen for x in node.inputs):
                self._new[node] = self._reading(node)
            elif node.inputs:
                inputs = tuple(self._new.get(x, x) for x in node.inputs)
                self._new[node] = node if inputs == node.inputs else again(node, inputs)
            if node in self._new:
                hand_on_scope(self._new[node], node.scope)
        kept = {node: new for node, new in self._new.items() if node not in self._chosen}
        self._graph.replace(kept)

    def _transposed_result(self, node: Node) -> Node:
        if node.op == "matmul":
            x, y = node.inputs
            return made("matmul", self._transposed(y), self._transposed(x))
        operands = tuple(
            self._new[x] if x in self._chosen else _spread(self._new.get(x, x)) for x in node.inputs
        )
        return made(node.op, *operands, **node.attributes)

    def _transposed(self, x: Node) -> Node:
        if x in self._chosen:
            return self._new[x]
        if x.op == "permute_dims":
            (source,) = x.inputs
            if source not in self._chosen:
                return self._new.get(source, source)
        return made("permute_dims", self._new.get(x, x), axes=(1, 0))

    def _reading(self, node: Node) -> Node:
        """Return a node that reads transposed values and gives what it gave."""
        if node.op == "matmul":
            return again(node, tuple(self._straight(x) for x in node.inputs))
        if node.op == "gather":
            x, rows, columns = node.inputs
            return again(
                node, (self._new[x], self._new.get(columns, columns), self._new.get(rows, rows))
            )
        (x,) = node.inputs
        if node.op == "permute_dims":
            turns = node.attributes["axes"] == (1, 0)
            return self._new[x] if turns else self._straight(x)
        axes = tuple(sorted(1 - axis for axis in node.attributes["axes"]))
        found = made(node.op, self._new[x], **{**node.attributes, "axes": axes})
        return found if found.shape == node.shape else made("reshape", found, shape=node.shape)

    def _straight(self, x: Node) -> Node:
        if x in self._chosen:
            return made("permute_dims", self._new[x], axes=(1, 0))
        return self._new.get(x, x)


def _spread(x: Node) -> Node:
    """Return a number, a row or a column so that it is repeated along the other axis."""
    if x.op == "broadcast_to":
        x = x.inputs[0]
    if x.size == 1:
        return x if x.shape == () else made("reshape", x, shape=())
    if len(x.shape) == 1:
        return made("reshape", x, shape=(x.size, 1))
    return made("reshape", x, shape=x.shape[::-1])
