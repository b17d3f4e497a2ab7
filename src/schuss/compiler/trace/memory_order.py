"""Memory order: how the values of a trace would lie in memory if each were evaluated by itself.

NumPy leaves a result in the order of its operands: what is computed of a transposed matrix lies
transposed, and a reshape of that is a copy, not a view. So it has to be in a compiled function.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.compiler.graph.graph import Node
from schuss.core import Array
from schuss.lowering.kinds import Elementwise, Kernel, Reduction
from schuss.primitives.views import VIEWS
from schuss.values.layouts import ANY_LAYOUT, Layout, layout_of

__all__ = ["MemoryOrders"]


class MemoryOrders:
    """The memory orders of the nodes that were asked for, and of what they are computed from."""

    def __init__(self) -> None:
        # Arrays of zeros that lie as the values would; None for those that lie row by row.
        self._known: dict[Node, Array | None] = {}
        # The arrays of arguments and states, and the layouts of those that were looked at.
        self._first: dict[Node, Array] = {}
        self._asked: dict[Node, Layout] = {}
        # What is written into memory that was there before lies as what was there.
        self._written: dict[Node, Node] = {}

    def begin(self, node: Node, array: Array) -> None:
        """Note how an argument or a state lies in memory, by its array."""
        self._first[node] = array

    def layout(self, node: Node) -> Layout:
        """Return the layout of a state that something depended on, or that of any."""
        return self._asked.get(node, ANY_LAYOUT)

    def write(self, old: Node, new: Node) -> None:
        """Note that `new` is written where `old` lies."""
        self._written[new] = old

    def clear(self) -> None:
        """Let go of all arrays and nodes."""
        self._known.clear()
        self._first.clear()
        self._written.clear()

    def of(self, node: Node) -> Array:
        """Return an array that lies as the value of a node would."""
        waiting = [node]
        while waiting:
            last = waiting[-1]
            before = self._written.get(last)
            sources = _looked_at(last) if before is None else (before,)
            missing = [x for x in sources if x not in self._known]
            if missing and last not in self._known:
                waiting += missing
                continue
            waiting.pop()
            if last not in self._known:
                self._known[last] = self._order(last)
        return self._array(node)

    def _array(self, node: Node) -> Array:
        known = self._known[node]
        return np.empty(node.shape, node.dtype) if known is None else known

    def _corner(self, node: Node) -> Array:
        """Return at most two elements along each axis, which lie as the value would."""
        known = self._known[node]
        if known is None:
            return np.zeros([min(n, 2) for n in node.shape], node.dtype)
        return known[(slice(0, 2),) * known.ndim]

    def _order(self, node: Node) -> Array | None:
        if node in self._written:
            return self._known[self._written[node]]
        if node in self._first:
            array = self._first[node]
            layout = self._asked[node] = layout_of(array)
            return None if layout is None else array
        if node.primitive is None or _is_row_major(node):
            return None
        is_view = node.op in VIEWS
        if not is_view and all(self._known[x] is None for x in node.inputs):
            return None
        # The order of the axes follows from their strides, however long they are.
        by_corner = isinstance(node.primitive.lower, (Elementwise, Reduction))
        arrays = [(self._corner if by_corner else self._array)(x) for x in node.inputs]
        if not (by_corner or is_view):
            # It is computed of numbers that are any index and any number.
            arrays = [np.zeros_like(x) for x in arrays]
        try:
            with np.errstate(all="ignore"):
                out = np.asarray(node.primitive.value(*arrays, **node.attributes))
        except (ValueError, TypeError, IndexError):
            # It has no value for zeros, and lies as it is made: row by row.
            return None
        if out.flags.c_contiguous:
            return None
        if by_corner:
            return _in_order_of(out, node.shape, node.dtype)
        # Nobody reads the numbers: memory that is not touched takes none.
        return out if is_view else np.empty_like(out, node.dtype)


def _is_row_major(node: Node) -> bool:
    """Whether a value lies row by row, however what it is computed from lies."""
    lowering = node.primitive and node.primitive.lower
    return isinstance(lowering, Kernel) and lowering.is_row_major


def _looked_at(node: Node) -> tuple[Node, ...]:
    """Return the inputs whose order decides that of a node."""
    return () if _is_row_major(node) else node.inputs


def _in_order_of(short: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """Return an array whose axes follow each other in memory as those of another one do."""
    order = sorted(range(short.ndim), key=lambda axis: -short.strides[axis])
    found = np.empty([shape[axis] for axis in order], dtype)
    return found.transpose([order.index(axis) for axis in range(short.ndim)])
