"""Views: how each value lies in a buffer, as an offset and strides.

The movement primitives need no rule of their own here: their NumPy value, applied to a stand-in
array whose memory is never touched, gives the offset and the strides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from schuss.compiler.graph.graph import Node
from schuss.lowering.kinds import View

__all__ = ["Layouts", "Strided", "contiguous", "region"]


@dataclass(frozen=True, eq=False)
class Strided:
    """Elements of another node's buffer.

    Args:
        root: the node whose buffer it is.
        offset: of the first element, in elements.
        shape: lengths of the axes.
        strides: in elements; 0 along an axis that is repeated.
    """

    root: Node
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        """Whether these are all elements of the buffer, in their order."""
        size = math.prod(self.shape)
        return self.offset == 0 and size == self.root.size and self.strides_fit()

    @property
    def matrix_layout(self) -> tuple[bool, int] | None:
        """Whether the matrix of the last two axes lies transposed, and its leading dimension.

        None where neither its rows nor its columns lie without gaps, as BLAS wants them.
        """
        rows, columns = self.shape[-2:]
        down, along = self.strides[-2:]
        if (along == 1 or columns == 1) and (down >= columns or rows == 1):
            return False, max(down, columns, 1)
        if (down == 1 or rows == 1) and (along >= rows or columns == 1):
            return True, max(along, rows, 1)
        return None

    def strides_fit(self) -> bool:
        """Whether the elements follow each other without gaps."""
        expected = 1
        for n, step in zip(reversed(self.shape), reversed(self.strides), strict=True):
            if n != 1:
                if step != expected:
                    return False
                expected *= n
        return True

    def broadcast(self, shape: tuple[int, ...]) -> Strided:
        """Return the view repeated to `shape`."""
        extra = len(shape) - len(self.shape)
        strides = (0,) * extra + tuple(
            0 if n == 1 else s for n, s in zip(self.shape, self.strides, strict=True)
        )
        return Strided(self.root, self.offset, shape, strides)

    def without_units(self) -> Strided:
        """Return the view without axes of length 1."""
        kept = [a for a, n in enumerate(self.shape) if n != 1]
        return Strided(
            self.root,
            self.offset,
            tuple(self.shape[a] for a in kept),
            tuple(self.strides[a] for a in kept),
        )


def contiguous(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return the strides of elements in row-major order."""
    strides = []
    step = 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def _stand_in(view: Strided) -> np.ndarray[Any, Any]:
    """Return an int8 array with the view's strides over memory that is never touched."""
    base = np.empty(max(view.root.size, 1), np.int8)
    return np.ndarray(view.shape, np.int8, base, view.offset, view.strides)


def _origin(array: np.ndarray[Any, Any]) -> int:
    return int(array.__array_interface__["data"][0])


class Layouts:
    """The view that each node is of a node with a buffer."""

    def __init__(self) -> None:
        self._known: dict[Node, Strided] = {}

    def of(self, node: Node) -> Strided:
        """Return the view that `node` is; of itself, when it has a buffer."""
        found = self._known.get(node)
        if found is None:
            if isinstance(node.primitive and node.primitive.lower, View):
                moved = self.moved(node, self.of(node.inputs[0]))
                if moved is None:
                    raise ValueError(f"{node} is no view; legalize the graph first.")
                found = moved
            else:
                found = Strided(node, 0, node.shape, contiguous(node.shape))
            self._known[node] = found
        return found

    @staticmethod
    def moved(node: Node, source: Strided) -> Strided | None:
        """Return the view of `source` that a movement gives, or None where it has to copy."""
        if node.size == 0:
            return Strided(source.root, 0, node.shape, contiguous(node.shape))
        assert node.primitive is not None  # only movements are asked for
        return region(node, source, lambda x: node.primitive.value(x, **node.attributes))


def region(node: Node, source: Strided, move: Any) -> Strided | None:
    """Return the view that `move` gives of `source`, or None where it copies."""
    array = _stand_in(source)
    out = move(array)
    if not isinstance(out, np.ndarray):
        # NumPy makes a number of one element, which lies nowhere, unless an axis is left.
        out = move(array[..., np.newaxis])[..., 0]
    start = _origin(array) - source.offset
    if not start <= _origin(out) < start + max(source.root.size, 1):
        return None
    return Strided(source.root, _origin(out) - start, out.shape, out.strides)
