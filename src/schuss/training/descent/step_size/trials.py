"""Trials: short trainings from the same weights on the same rows, which leave no trace."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

import numpy as np

from schuss.core import Array
from schuss.training.descent.learner import Learner
from schuss.training.descent.snapshot import Snapshot
from schuss.training.descent.steppers import Stepper
from schuss.training.evaluation.examples import epoch_order

__all__ = ["Trials"]

# Losses are looked at after so many steps, to break off a trial that has failed.
_STEPS_PER_LOOK = 16
# Times the first loss, from which on a trial has failed.
_EXPLODED = 10.0


class Trials:
    """Takes steps at learning rates to try, from where the training is, and goes back there.

    All trials take the same batches in the same order, so that what differs between their losses
    is the learning rate's doing.

    Args:
        learner: what is trained.
        stepper: takes the steps of the training itself, so that nothing else is compiled.
        rows: number of training rows.
        batch: rows of a step.
        seed: decides the order of the rows.
        left_out: rows that are not learned.
    """

    def __init__(
        self,
        learner: Learner,
        stepper: Stepper,
        *,
        rows: int,
        batch: int,
        seed: int,
        left_out: Sequence[int] = (),
    ) -> None:
        self._learner = learner
        self._stepper = stepper
        self._rows = rows
        self._batch = min(batch, rows)
        self._seed = seed
        self._left_out = left_out
        self._order = np.empty(0, np.int64)
        self._epochs = 0
        self._base = [float(group["lr"]) for group in learner.optimizer.param_groups]
        self.steps = 0
        self.first_loss = math.nan
        self.seconds_per_step = math.inf

    @contextmanager
    def without_trace(self) -> Iterator[None]:
        """Put everything back to what it is now at the end."""
        self._start = Snapshot(self._learner.model, self._learner.optimizer)
        try:
            yield
        finally:
            self._start.restore()

    @property
    def batches_per_epoch(self) -> int:
        """Batches before rows come again."""
        return max(self._rows // self._batch, 1)

    def run(
        self,
        factor: Callable[[float], float],
        steps: int,
        *,
        cycle: int | None = None,
        fails: bool = True,
    ) -> list[float]:
        """Take steps from the start, and return their losses.

        Args:
            factor: what each group's learning rate is multiplied with, by the share of the steps
                that is done, in [0, 1).
            steps: how many.
            cycle: after so many batches they come again; None for an epoch's.
            fails: whether to end early where the loss is not finite, or far above the first.

        Returns:
            Losses, fewer than `steps` where it ended early.
        """
        self._start.restore()
        losses: list[float] = []
        while len(losses) < steps:
            # No clock decides where that is looked at.
            left = min(_STEPS_PER_LOOK - len(losses) % _STEPS_PER_LOOK, steps - len(losses))
            count = min(left, self._stepper.steps_per_call(left))
            numbers = np.arange(len(losses), len(losses) + count)
            index = self._batches(numbers if cycle is None else numbers % cycle)
            losses += self._take(factor, index, len(losses), steps)
            if fails and count == left and has_failed(losses):
                break
        return losses

    def _take(
        self, factor: Callable[[float], float], index: Array, first: int, steps: int
    ) -> list[float]:
        def before(number: int) -> None:
            share = (first + number) / steps
            self._learner.schedule.before_step(share)
            for group, base in zip(self._learner.optimizer.param_groups, self._base, strict=True):
                group["lr"] = base * factor(share)

        began = perf_counter()
        count = len(index)
        losses, _ = self._stepper.take(index, before, np.zeros(count, bool))
        if not first:
            # The same in all trials.
            self.first_loss = losses[0]
        # A first call may compile.
        self.seconds_per_step = min(self.seconds_per_step, (perf_counter() - began) / count)
        self.steps += count
        return losses

    def _batches(self, numbers: Array) -> Array:
        """Return the rows of batches by their numbers from 0: (batches, rows)."""
        size, end = self._batch, (int(numbers.max()) + 1) * self._batch
        while len(self._order) < end:
            order = epoch_order(self._rows, self._seed, self._epochs, self._left_out)
            kept = order[: self.batches_per_epoch * size]
            self._order = np.concatenate([self._order, kept])
            self._epochs += 1
        rows: Array = self._order[:end].reshape(-1, size)[numbers]
        return rows


def has_failed(losses: Sequence[float]) -> bool:
    """Return whether a trial's losses are not finite, or have risen far above where they began.

    >>> has_failed([1.0, 0.5]), has_failed([1.0, math.nan]), has_failed([1.0, 50.0, 60.0, 70.0])
    (False, True, True)
    """
    if not all(map(math.isfinite, losses)):
        return True
    if len(losses) < 4:
        return False
    scale = max(abs(losses[0]), losses[0] - min(losses))
    return min(losses[-3:]) > losses[0] + (_EXPLODED - 1.0) * scale
