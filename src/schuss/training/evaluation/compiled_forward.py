"""A model's outputs on many rows: as native code where that gains more than it takes to compile."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from schuss.compiler.compiled import Compiled
from schuss.core import Tensor, no_grad
from schuss.errors import TraceError
from schuss.nn.module import Module
from schuss.training.evaluation.examples import Examples, in_memory

__all__ = ["BATCH_ROWS", "Forward", "is_worth_compiling"]

Array: TypeAlias = npt.NDArray[Any]

# So many rows of a few hundred numbers stay in the processor's cache.
BATCH_ROWS = 512

# About what it takes to compile with nothing in the cache on disk; what native code saves on a
# batch, and of the products' operations in a second.
_COMPILE_SECONDS = 0.3
_SAVED_SECONDS = 4e-4
_SAVED_RATE = 1e11


def is_worth_compiling(model: Module, rows: int, times: int) -> bool:
    """Return whether outputs on so many rows, so many times, gain more than compiling takes.

    It depends on these alone and not on a clock, so that a run's numbers can be repeated.

    Args:
        model: what is computed.
        rows: rows at a time.
        times: how often.
    """
    work = 2.0 * rows * sum(p.size for p in model.parameters())
    batches = -(-rows // BATCH_ROWS)
    return times * (batches * _SAVED_SECONDS + work / _SAVED_RATE) > _COMPILE_SECONDS


class Forward:
    """A model's outputs on all rows, by one native call.

    Args:
        model: called with a batch's inputs; it must be in evaluation mode.
        needed: whether a model that cannot be traced is an error; else there are no outputs of it.
    """

    def __init__(self, model: Module, *, needed: bool = True) -> None:
        self._needed = needed
        self._compiled = Compiled(lambda *inputs: model(*inputs))
        self._batch = 0
        self._fits = True

    def __call__(self, examples: Examples) -> Array | None:
        """Return the outputs, rows along axis 0.

        Returns:
            None where the inputs are no arrays in memory, the output is not a single tensor with
            a row for each of the batch's, or the model cannot be traced.

        Raises:
            TraceError: if the model cannot be traced, and that is needed.
        """
        inputs = in_memory(examples.inputs) if self._fits else None
        if inputs is None:
            return None
        rows = len(examples)
        if not self._batch:
            # Equal batches: of another size, they would need another program.
            self._batch = -(-rows // -(-rows // BATCH_ROWS))
        places = np.arange(-(-rows // self._batch) * self._batch)
        # What is left of the last batch is the last row again.
        index = np.minimum(places, rows - 1).reshape(-1, self._batch)
        try:
            with no_grad():
                found = self._compiled.scan(inputs, index)
        except TraceError as error:
            if not self._needed:
                self._fits = False
                return None
            raise TraceError(
                f"{str(error).rstrip('.')}; or train with eager=True (schuss train: --eager)."
            ) from None
        self._fits = isinstance(found, Tensor) and found.shape[1:2] == (self._batch,)
        if not self._fits:
            return None
        array: Array = found.array
        return array.reshape(-1, *array.shape[2:])[:rows]
