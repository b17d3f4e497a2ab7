"""Memory order: how the values of a trace would lie in memory if each were evaluated by itself.

NumPy leaves a result in the order of its operands: what is computed of a transposed matrix lies
transposed, and a reshape of that is a copy, not a view. So it has to be in a compiled function.
"""

from __future__ import annotations

import numpy as np

from schuss.compiler.graph.graph import Node
from schuss.compiler.trace.abstract import Abstract
from schuss.core import Array
from schuss.lowering.kinds import View

__all__ = ["MemoryOrders"]


class MemoryOrders:
    """The memory orders of the nodes that were asked for, and of what they are computed from."""

    def __init__(self) -> None:
        # Arrays of zeros that lie as the values would; None for those that lie row by row.
        self._known: dict[Node, Array | None] = {}

    def of(self, stand_in: Abstract) -> Array:
        """Return an array that lies as the value of a stand-in's node would."""
        node = stand_in.node
        waiting = [node]
        while waiting:
            last = waiting[-1]
            missing = [x for x in last.inputs if x not in self._known]
            if missing and last not in self._known:
                waiting += missing
                continue
            waiting.pop()
            if last not in self._known:
                self._known[last] = self._order(last)
        return self._array(node)

    def _array(self, node: Node) -> Array:
        known = self._known[node]
        return np.zeros(node.shape, node.dtype) if known is None else known

    def _order(self, node: Node) -> Array | None:
        if node.primitive is None or node.op == "matmul":
            return None
        is_view = isinstance(node.primitive.lower, View)
        if not is_view and all(self._known[x] is None for x in node.inputs):
            return None
        arrays = [self._array(x) for x in node.inputs]
        try:
            with np.errstate(all="ignore"):
                out = np.asarray(node.primitive.value(*arrays, **node.attributes))
        except (ValueError, TypeError, IndexError):
            # It has no value for zeros, and lies as it is made: row by row.
            return None
        if out.flags.c_contiguous:
            return None
        return out if is_view else np.zeros_like(out, node.dtype)
