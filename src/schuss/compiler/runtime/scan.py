"""Scan: many steps in one native call, on batches gathered from the data by an index."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import partial

import numpy as np

from schuss.compiler.graph.graph import Graph, Node
from schuss.compiler.runtime.ownership import aligned
from schuss.core import Array
from schuss.native import jit
from schuss.native.cpython import array_data_address

__all__ = ["Scan", "number_table", "rows_of_steps"]


class Scan:
    """Runs a step many times: the native function, and the block of memory that it reads.

    Args:
        library: with the function.
        graph: of the step.
        table: address of the step's table.
        step: address of the step.
    """

    def __init__(self, library: jit.Library, graph: Graph, table: int, step: int) -> None:
        self._library = library
        self.function = library.address("scan")
        prototype = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
        self.alone = partial(prototype(self.function), table, 0, 1)
        # The rows of a step are gathered here.
        self.staging = [aligned(n.shape, n.dtype) for n in graph.inputs]
        self.first_output = 2 + 2 * len(graph.inputs)
        self._block = (ctypes.c_int64 * (self.first_output + len(graph.outputs) + 3))()
        self._block[-1] = step
        self.at = ctypes.addressof(self._block)

    def expect(self, sources: Sequence[Array], moving: dict[int, Array]) -> None:
        """Say where rows come from; and what has a row for each step, by its place in the block."""
        block = self._block
        block[1:-1] = [0] * (len(block) - 2)
        for i, source in enumerate(sources):
            block[2 + 2 * i], block[3 + 2 * i] = array_data_address(source), len(source)
        self._starts = [(i, array_data_address(a), a.strides[0]) for i, a in moving.items()]
        self._held = (sources, moving)

    def begin(self, done: int, count: int) -> None:
        """Go on after so many steps with so many more."""
        self._block[0] = count
        for place, start, stride in self._starts:
            self._block[place] = start + done * stride


def rows_of_steps(index: Array, lengths: Sequence[int]) -> Array:
    """Return the rows that each step gets, as int64 of shape (steps, batch).

    Args:
        index: as the user gave it.
        lengths: how many rows each of the arrays has.

    Raises:
        TypeError: for an index that is not of integers.
        ValueError: for an index of another shape.
        IndexError: for a row that is not there.
    """
    if index.size and index.dtype.kind not in "iu":
        raise TypeError(f"scan: expected row numbers, which are integers, got {index.dtype}.")
    if index.ndim != 2 or not index.size:
        raise ValueError(
            f"scan: expected an index of shape (steps, batch), got {index.shape}; give one row "
            "of row numbers for each step."
        )
    n = min(lengths, default=int(index.max()) + 1)
    if not -n <= index.min() <= index.max() < n:
        step, place = np.argwhere((index < -n) | (index >= n))[0].tolist()
        raise IndexError(
            f"scan: expected rows from {-n} to {n - 1}, got {index[step, place]} at "
            f"index[{step}, {place}], for step {step}; nothing has changed."
        )
    return np.ascontiguousarray(index, dtype=np.int64)


def number_table(nodes: Sequence[Node], numbers: Sequence[Sequence[float]] | None) -> Array | None:
    """Return the numbers of many steps as the native loop reads them: 8 bytes for each."""
    if numbers is None or not nodes:
        return None
    slots = np.dtype(
        {
            "names": [str(i) for i in range(len(nodes))],
            "formats": [node.dtype for node in nodes],
            "offsets": [8 * i for i in range(len(nodes))],
            "itemsize": 8 * len(nodes),
        }
    )
    return np.array([tuple(values) for values in numbers], slots)
