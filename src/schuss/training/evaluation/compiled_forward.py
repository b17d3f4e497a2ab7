"""CompiledForward: a model's outputs on many rows by one call of native code."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from schuss.compiler.compiled import Compiled
from schuss.core import Array, Tensor, leaf, no_grad
from schuss.errors import TraceError
from schuss.nn.module import Module
from schuss.training.evaluation import cost
from schuss.training.evaluation.examples import Examples, in_memory

__all__ = ["CompiledForward", "advise_eager", "native_forward"]


def native_forward(
    model: Module, rows: int, times: int = 1, *, needed: bool = False
) -> CompiledForward | None:
    """Return the model as native code, where so many rows are worth it; else None.

    Args:
        model: what is computed.
        rows: rows at a time.
        times: how often.
        needed: whether a model that cannot be traced is an error.
    """
    if model.evaluates_by_values or not cost.outputs_are_worth_compiling(model, rows, times):
        return None
    return CompiledForward(model, needed=needed)


def advise_eager(error: TraceError) -> TraceError:
    """Return an error of tracing that names the remedy, too."""
    return TraceError(
        f"{str(error).rstrip('.')}; or train with eager=True (schuss train: --eager)."
    )


class CompiledForward:
    """A model's outputs on all rows, by one native call.

    Args:
        model: called with a batch's inputs; it must be in evaluation mode.
        needed: whether a model that cannot be traced is an error; else there are no outputs of it.
        batch: rows at a time, however many there are, so that a row's output never depends on how
            many are asked for with it; None for what suits those of the first call.
    """

    def __init__(self, model: Module, *, needed: bool = True, batch: int | None = None) -> None:
        self._needed = needed
        self._compiled = Compiled(lambda *inputs: model(*inputs))
        self._fixed = batch is not None
        self._batch = batch or 0
        self._fits = True
        self._lock = threading.Lock()

    def __call__(self, examples: Examples) -> Array | None:
        """Return the outputs, rows along axis 0.

        Returns:
            None where the output is not a single tensor with a row for each of the batch's, or the
            model cannot be traced.

        Raises:
            TraceError: if the model cannot be traced, and that is needed.
        """
        # Threads of a server may share a model.
        with self._lock:
            return self._outputs(examples)

    def _outputs(self, examples: Examples) -> Array | None:
        if not self._fits:
            return None
        inputs, rows = in_memory(examples.inputs), len(examples)
        most = cost.rows_at_a_time(examples)
        if not self._fixed and (not self._batch or self._batch < min(rows, most)):
            # Equal batches: of another size, they would need another program.
            self._batch = -(-rows // -(-rows // most))
        places = np.arange(-(-rows // self._batch) * self._batch)
        # What is left of the last batch is the last row again.
        index = np.minimum(places, rows - 1).reshape(-1, self._batch)
        try:
            with no_grad():
                if inputs is None:
                    found = self._one_by_one(examples, index)
                else:
                    found = self._compiled.scan(inputs, index)
        except TraceError as error:
            if not self._needed:
                self._fits = False
                return None
            raise advise_eager(error) from None
        self._fits = isinstance(found, Tensor) and found.shape[1:2] == (self._batch,)
        if not self._fits:
            return None
        array: Array = found.array
        return array.reshape(-1, *array.shape[2:])[:rows]

    def _one_by_one(self, examples: Examples, index: Array) -> Any:
        """Return the outputs of batches whose inputs are made when they are asked for."""
        parts = []
        for rows in index:
            inputs, _, _ = examples.batch(rows)
            output = self._compiled(*inputs)
            if not isinstance(output, Tensor):
                return None
            parts.append(output.array)
        return leaf(np.stack(parts))
