"""Polish: L-BFGS from where a descent ended, where every step has seen all rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from schuss import random
from schuss.compiler.compiled import Compiled
from schuss.core import Tensor, leaf
from schuss.errors import TraceError
from schuss.optim import LBFGS
from schuss.training.descent.learner import Learner
from schuss.training.evaluation.examples import Examples

__all__ = ["Polish", "can_be_polished"]

_HISTORY = 50
# A round that does not gain a tenth of the loss is the last one.
_GAIN = 0.9


def can_be_polished(learner: Learner, training: Examples) -> bool:
    """Return whether a network's loss on all rows is a function of its parameters alone.

    It is none where a pass changes the network (running figures) or draws random numbers.

    Args:
        learner: what is trained; it is called with one row.
        training: the rows.
    """
    if next(iter(learner.model.buffers()), None) is not None:
        return False
    key = np.array(random.get_state())
    inputs, _, _ = training.batch(np.zeros(1, np.int64))
    learner.model(*inputs)
    return bool(np.array_equal(key, random.get_state()))


class Polish:
    """Takes steps of L-BFGS with a line search on all rows at once.

    Args:
        learner: what is trained.
        training: the rows.
        eager: whether the loss is computed with NumPy.
    """

    def __init__(self, learner: Learner, training: Examples, *, eager: bool) -> None:
        self._learner = learner
        inputs, y, weight = training.batch(np.arange(len(training)))
        self._columns = [*inputs, y] if weight is None else [*inputs, y, weight]

        def gradients(scale: Tensor, *columns: Tensor) -> Tensor:
            xs, target = columns[: len(inputs)], columns[len(inputs)]
            loss = learner.objective(
                learner.model(*xs), target, None if weight is None else columns[-1]
            )
            loss = loss * scale.astype(loss.array.dtype)
            learner.optimizer.zero_grad()
            loss.backward()
            return loss.detach()

        self._gradients: Any = gradients if eager else Compiled(gradients)
        self._eager = gradients

    def run(self, evaluations: int) -> list[float]:
        """Go downhill as far as so many losses with their gradients lead.

        Returns:
            The lowest loss after each of them, fewer where there is no way down; the parameters are
            left where the last one is, and nothing at all has changed where none is lower.
        """
        parameters = [p for p in self._learner.parameters if p.requires_grad]
        start = [p.array.copy() for p in parameters]
        first = now = self._loss(1.0)
        losses: list[float] = []
        while math.isfinite(now) and now > 0.0 and len(losses) < evaluations:
            before = now
            losses += self._round(parameters, 1.0 / before, evaluations - len(losses))
            now = self._loss(1.0)
            if not now < _GAIN * before:
                break
        self._learner.optimizer.zero_grad()
        if not now < first:
            for parameter, array in zip(parameters, start, strict=True):
                parameter.assign(array)
            return []
        lowest = np.minimum.accumulate([first, *losses])[1:evaluations]
        return [*map(float, lowest), now]

    def _round(self, parameters: list[Tensor], scale: float, evaluations: int) -> list[float]:
        """Go downhill by the loss times `scale`, whose small changes then are what they seem."""
        found: list[float] = []

        def closure() -> Tensor:
            loss = self._evaluated(scale)
            found.append(float(loss.item()) / scale)
            return loss

        LBFGS(
            parameters,
            max_iter=evaluations,
            max_eval=evaluations,
            history_size=_HISTORY,
            line_search_fn="strong_wolfe",
        ).step(closure)
        return [loss for loss in found if math.isfinite(loss)]

    def _loss(self, scale: float) -> float:
        return float(self._evaluated(scale).item())

    def _evaluated(self, scale: float) -> Tensor:
        columns = [leaf(np.array(scale)), *self._columns]
        try:
            loss: Tensor = self._gradients(*columns)
        except TraceError:
            self._gradients = self._eager
            loss = self._gradients(*columns)
        return loss
