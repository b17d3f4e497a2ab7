"""Validation: figures on rows that are not learned, of the weights or their average."""

from __future__ import annotations

from typing import Any

from schuss.training.descent.learner import Learner
from schuss.training.descent.weight_average import WeightAverage
from schuss.training.evaluation.compiled_forward import native_forward
from schuss.training.evaluation.evaluate import evaluate
from schuss.training.evaluation.examples import Examples
from schuss.training.loop.plan import TrainingPlan

__all__ = ["Validation"]


class Validation:
    """Measures a network on validation rows, where there are such.

    Args:
        plan: names the metrics, and the one that chooses the epoch.
        learner: what is trained.
        rows: to measure on, or None.
        average: the running average of the weights.
    """

    def __init__(
        self, plan: TrainingPlan, learner: Learner, rows: Examples | None, average: WeightAverage
    ) -> None:
        self._plan = plan
        self._learner = learner
        self._rows = rows
        self._average = average
        native = rows is not None and not plan.eager
        # As native code where there are rows enough.
        self._forward = (
            native_forward(learner.model, len(rows), plan.epochs)
            if native and rows is not None
            else None
        )

    def add(self, record: dict[str, Any]) -> float | None:
        """Add the figures of the weights that the model has; return the one that chooses."""
        if self._rows is None:
            return None
        figures = evaluate(
            self._learner.model,
            self._learner.objective,
            self._rows,
            self._plan.metrics,
            forward=self._forward,
        )
        record |= {f"validation_{name}": value for name, value in figures.items()}
        return figures[self._plan.monitor]

    def add_better(self, record: dict[str, Any]) -> tuple[float | None, bool]:
        """Add the figures of the average, or the weights where they compete and are better.

        Returns:
            The one that chooses the epoch, and whether it is the average's.
        """
        with self._average.in_place():
            average = self.add(record)
        if self._average.epochs is None or not self._plan.average_competes:
            return average, True
        own = dict(record)
        value = self.add(own)
        if average is not None and (value is None or (average > value) == self._plan.higher):
            return average, True
        record |= own
        return value, False
