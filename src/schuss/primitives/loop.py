"""Loops of compiled programs: a node that holds the graph of one step, and what comes of it.

Only traces have them: a loop is evaluated as the calls of its step; see `functions/scan.py`. Its
derivative is another loop, which the trace makes; see `compiler/trace/loop.py`.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from schuss.core import Array
from schuss.lowering.kinds import RESULT, Kernel
from schuss.primitives.base import NOT_DIFFERENTIABLE, Primitive, Spec

__all__ = ["LoopBody"]

_BYTES = np.dtype(np.uint8)


class LoopBody(Protocol):
    """The step of a loop; `compiler/graph/body.py` has the only one."""

    @property
    def workspace(self) -> int:
        """Bytes that a program needs for it."""

    def value(self, *inputs: Array) -> list[Array]:
        """Return the results of the whole loop."""

    def spec(self, index: int) -> Spec:
        """Return shape and dtype of a result."""


def _value(*inputs: Array, body: LoopBody) -> Array:
    """Return the results, one behind the other, as bytes."""
    found = [np.ascontiguousarray(x).reshape(-1).view(_BYTES) for x in body.value(*inputs)]
    return np.concatenate([*found, np.zeros(0, _BYTES)])


def _result_value(results: Array, *, body: LoopBody, index: int) -> Array:
    start = 0
    for i in range(index + 1):
        shape, dtype = body.spec(i)
        stop = start + int(np.prod(shape)) * dtype.itemsize
        start, first = stop, start
    return results[first:start].view(dtype).reshape(shape)


loop = Primitive(
    "loop",
    value=_value,
    shape=lambda *specs, body: ((body.workspace,), _BYTES),
    derivative=NOT_DIFFERENTIABLE,
    variadic=True,
    lower=Kernel("loop", is_row_major=True),
)

loop_result = Primitive(
    "loop_result",
    value=_result_value,
    shape=lambda results, *, body, index: body.spec(index),
    derivative=NOT_DIFFERENTIABLE,
    lower=RESULT,
)
