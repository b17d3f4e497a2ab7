"""Padded programs: a program at capacity, run on the rows of one call."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss.compiler.graph.graph import Graph
from schuss.compiler.padding.axes import Axes, Lengths, Rows, Shape
from schuss.compiler.padding.proof import Traced
from schuss.compiler.runtime.executable import Program
from schuss.compiler.runtime.own_call import OwnCall
from schuss.core import Array

__all__ = ["PaddedProgram"]


class PaddedProgram:
    """Runs a program on smaller arguments than it is for, and returns what belongs to them.

    What an argument lacks is filled with copies of its last row, which are as valid as that one.

    Args:
        program: at capacity.
        buffers: for each input, an array at capacity that it is copied into; None where it has
            its full length.
        inputs: the axes of the inputs.
        outputs: the axes of the outputs.
        own: what there is to know of the call's own graph.
        lengths: of the call.
    """

    def __init__(
        self,
        program: Program,
        buffers: Sequence[Array | None],
        inputs: Sequence[Axes],
        outputs: Sequence[Axes],
        own: Traced,
        lengths: Lengths,
    ) -> None:
        self._program = program
        self._buffers = buffers
        self._specs = [(node.shape, node.dtype) for node in own.inputs]
        # Errors are those of the call, which knows nothing of a larger one.
        self._graph = Graph(states=program.graph.states, checks=own.checks)
        self._own: list[Array | None] = []
        # What is copied where, after the arguments.
        self._fills: list[tuple[Array, Array]] = []
        for buffer, axes in zip(buffers, inputs, strict=True):
            self._own.append(None if buffer is None else self._region(buffer, axes, lengths))
        cut = [_cut(x, axes, lengths) for x, axes in zip(program.results, outputs, strict=True)]
        self._results = [view for view, _ in cut]
        self._shapes = {i: shape for i, (view, shape) in enumerate(cut) if view.shape != shape}

    def _region(self, buffer: Array, axes: Axes, lengths: Lengths) -> Array:
        """Return where an argument goes, and note how the rest is filled."""
        region = [slice(None)] * buffer.ndim
        varying = [(a, x) for a, x in enumerate(axes) if isinstance(x, Rows)]
        for a, axis in varying:
            region[a] = slice(0, lengths.of(axis)[0])
        own = buffer[tuple(region)]
        for a, axis in varying:
            n, most = lengths.of(axis)
            source, target = list(region), list(region)
            source[a], target[a] = slice(n - 1, n), slice(n, most)
            self._fills.append((buffer[tuple(target)], buffer[tuple(source)]))
            region[a] = slice(None)
        return own

    def run_if_fits(self, arrays: Sequence[Array]) -> list[Array] | None:
        """Run one step, if the arrays are as those of the call and lie in order, or nothing."""
        if [(x.shape, x.dtype) for x in arrays] != self._specs:
            return None
        if not all(x.flags.c_contiguous for x in arrays):
            return None
        return self.run(arrays)

    def run(self, arrays: Sequence[Array]) -> list[Array]:
        """Run one step; return the outputs."""
        given = []
        for array, own, buffer in zip(arrays, self._own, self._buffers, strict=True):
            if own is not None and buffer is not None:
                np.copyto(own, array)
                array = buffer
            given.append(array)
        for target, source in self._fills:
            np.copyto(target, source)
        outputs = self._program.run(given, OwnCall(self._graph, arrays, self._results))
        for i, shape in self._shapes.items():
            outputs[i] = outputs[i].reshape(shape)
        return outputs


def _cut(array: Array, axes: Axes, lengths: Lengths) -> tuple[Array, Shape]:
    """Return the elements of a result that belong to a call, and the shape that they have there.

    An axis of several parts is split for it.
    """
    parts: list[int] = []
    region: list[Any] = []
    shape: list[int] = []
    for n, axis in zip(array.shape, axes, strict=True):
        split = (n,) if not isinstance(axis, Rows) else axis.split(lengths.capacity)
        own = (n,) if not isinstance(axis, Rows) else axis.split(lengths.own)
        parts += split
        region += [slice(0, m) for m in own]
        shape.append(math.prod(own))
    # With an ellipsis, a number without axes stays an array, too.
    return array.reshape(parts)[(*region, ...)], tuple(shape)
