"""Steppers: training steps taken eagerly one by one, or many in one native call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any, Protocol, TypeAlias

import numpy as np

from schuss.compiler.compiled import Compiled
from schuss.core import Array, Tensor
from schuss.errors import TraceError
from schuss.training.descent.health import FIGURES
from schuss.training.descent.train_step import Step, make_contiguous
from schuss.training.evaluation.compiled_forward import advise_eager
from schuss.training.evaluation.examples import Examples, in_memory

__all__ = ["CompiledStepper", "EagerStepper", "Stepper"]

BeforeStep: TypeAlias = Callable[[int], object]
# The loss of each step, and the figures of each step, (steps, 4), whose rows count where the
# step was measured.
LossesAndFigures: TypeAlias = "tuple[list[float], Array]"

# Seconds of work in one native call: short enough for Ctrl-C and the progress.
_CALL_SECONDS = 0.1


class Stepper(Protocol):
    """Takes training steps on the rows of examples."""

    def steps_per_call(self, left: int) -> int:
        """Return how many of the steps left to take in one call."""

    def take(self, index: Array, before: BeforeStep | None, measured: Array) -> LossesAndFigures:
        """Take a step for each row of `index`, and return what `make_step` says of each.

        Args:
            index: row numbers of shape (steps, batch).
            before: called before each step with its number in this call, from 0, to set the
                hyperparameters; None where they stay.
            measured: which steps get figures, bool of shape (steps,).
        """


class EagerStepper:
    """One step at a time, with NumPy.

    Args:
        step: one step, from `make_step`.
        examples: rows to learn from.
        parameters: what is trained.
    """

    def __init__(self, step: Step, examples: Examples, parameters: Sequence[Tensor]) -> None:
        self._step = step
        self._examples = examples
        self._parameters = parameters

    def steps_per_call(self, left: int) -> int:
        """Return 1."""
        return 1

    def take(self, index: Array, before: BeforeStep | None, measured: Array) -> LossesAndFigures:
        """Take a step for each row of `index`, and return what `make_step` says of each."""
        losses, figures = [], np.zeros((len(index), FIGURES))
        for number, rows in enumerate(index):
            if before is not None:
                before(number)
            loss, found = self._step(*self._examples.batch(rows), measured=bool(measured[number]))
            losses.append(float(loss.item()))
            if found is not None:
                figures[number] = found.array
            make_contiguous(self._parameters)
        return losses, figures


class CompiledStepper:
    """As many steps in one native call as take about a tenth of a second.

    Where they are cut decides nothing but when Python looks after Ctrl-C, progress and
    checkpoints. Rows that are no plain arrays in memory are gathered by Python, step by step.

    Args:
        step: one step, from `make_step`.
        examples: rows to learn from.
        one_per_call: whether every step comes back to Python, for somebody who watches it.
        fallback: takes the steps where the model or the loss cannot be traced; None raises.
    """

    def __init__(
        self,
        step: Step,
        examples: Examples,
        *,
        one_per_call: bool = False,
        fallback: EagerStepper | None = None,
    ) -> None:
        self._fallback = fallback
        self._traces = True
        self._examples = examples
        self._one_per_call = one_per_call
        self._weighted = examples.weight is not None
        self._inputs = len(examples.inputs)

        def flat(*columns: Tensor) -> Any:
            weight = columns[-1] if self._weighted else None
            return step(columns[: self._inputs], columns[self._inputs], weight, measured=True)

        self._compiled = Compiled(flat, on_demand=True)
        columns = [*examples.inputs, examples.y]
        self._data = in_memory(columns if examples.weight is None else [*columns, examples.weight])
        self._seconds = _CALL_SECONDS

    def steps_per_call(self, left: int) -> int:
        """Return how many of the steps left take about a tenth of a second."""
        if self._one_per_call or not self._traces:
            return 1
        return max(1, min(left, int(_CALL_SECONDS / self._seconds)))

    def take(self, index: Array, before: BeforeStep | None, measured: Array) -> LossesAndFigures:
        """Take a step for each row of `index`, and return what `make_step` says of each.

        Raises:
            TraceError: if the model or the loss cannot be traced, and nothing else takes steps.
        """
        if self._fallback is not None and not self._traces:
            return self._fallback.take(index, before, measured)
        start = perf_counter()
        try:
            if self._data is None:
                each = [self._take_one(rows, number, before) for number, rows in enumerate(index)]
                losses, figures = (np.array(parts) for parts in zip(*each, strict=True))
            else:
                found = self._compiled.scan(self._data, index, before=before, requested=measured)
                losses, figures = (part.array for part in found)
        except TraceError as error:
            if self._fallback is not None:
                # Tracing changes nothing, so the same steps can be taken from where they began.
                self._traces = False
                warnings.warn(f"{error} The steps are taken eagerly.", UserWarning, stacklevel=2)
                return self._fallback.take(index, before, measured)
            raise advise_eager(error) from None
        # A call that compiles tells little of the next ones.
        self._seconds = min((perf_counter() - start) / len(index), 2.0 * self._seconds)
        return losses.tolist(), figures

    def _take_one(self, rows: Array, number: int, before: BeforeStep | None) -> tuple[Array, Array]:
        if before is not None:
            before(number)
        inputs, y, weight = self._examples.batch(rows)
        columns = (*inputs, y) if weight is None else (*inputs, y, weight)
        loss, figures = self._compiled(*columns)
        return loss.array, figures.array
