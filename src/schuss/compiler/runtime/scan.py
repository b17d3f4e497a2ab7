"""Scan: many steps in one native call, on batches gathered from the data by an index."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import partial

from schuss.compiler.graph.graph import Graph
from schuss.compiler.runtime.ownership import aligned
from schuss.core import Array
from schuss.native import jit
from schuss.native.cpython import array_data_address

__all__ = ["Scan"]


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
