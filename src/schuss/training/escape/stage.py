"""Escape: the stage of a training that gets a small network out of where it is stuck."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from schuss import random
from schuss.core import Array
from schuss.modes import quietly
from schuss.training.arguments import Requirement, problems
from schuss.training.descent.learner import Learner
from schuss.training.escape.input_scale import InputScale
from schuss.training.escape.race import Race, RaceResult
from schuss.training.escape.rowwise import RowwiseProblem, Unsuited
from schuss.training.evaluation.examples import Examples, joined

__all__ = ["LEAST_EPOCHS", "Escape", "EscapeOptions", "EscapeReport", "RacingLoop", "Unsuited"]

# What a row costs counts up to so many times what it costs untrained: one that is wrong and sure
# of it should not outvote all others.
_MOST = 2.0
#: A training of fewer epochs is to be short, and no race unless it is asked for.
LEAST_EPOCHS = 50
# Standard errors by which one network has to be better than another, and on how many rows at
# least: the error of fewer is not known well enough.
_ERRORS = 2.5
_LEAST_ROWS = 8


@dataclass(frozen=True)
class EscapeReport:
    """What a race from many starts found.

    Args:
        starts: networks that were started, side by side.
        basins: how many losses, 1 % apart or more, those ended at that went on to the end.
        losses: these losses, sorted.
        solved: whether all rows together cost less than a single one does untrained.
        taken: whether the network has the weights that won.
    """

    starts: int
    basins: int
    losses: tuple[float, ...]
    solved: bool
    taken: bool

    def __str__(self) -> str:
        low, middle, high = np.quantile(self.losses or (np.nan,), (0.0, 0.5, 1.0))
        text = (
            f"{self.starts} starts side by side: {self.basins} "
            f"basin{'' if self.basins == 1 else 's'}, losses from {low:.2g} to {high:.2g}, "
            f"the middle one {middle:.2g}"
        )
        if not self.taken:
            return f"{text}; none is better on the validation rows"
        return text + ("; the best has learned all rows" if self.solved else "; the best is kept")


class RacingLoop(Protocol):
    """What the stage does to a training loop."""

    def adopt(self, losses: Sequence[float], report: EscapeReport) -> None:
        """Take the model's weights as the best: reached by as many passes as there are losses."""


class Escape:
    """Races small networks from many starts, where no rows or only rows held out decide.

    Without validation rows the race is the training. With them, it comes after a descent that has
    not learned its rows, and its weights are taken where they are clearly better on the
    validation rows: by several standard errors of the mean difference.

    Args:
        learner: what is trained.
        training: the rows to learn from.
        validation: the rows to judge by, or None.
        seed: decides the starts.
        is_final: whether the validation rows are learned, too, once they have judged; also where
            they can tell nothing, since no network says more of them than a constant.

    Raises:
        Unsuited: where the network, its loss or its rows are not small enough, or not fit for it.
    """

    def __init__(
        self,
        learner: Learner,
        training: Examples,
        validation: Examples | None,
        *,
        seed: int,
        is_final: bool,
    ) -> None:
        self._has_validation = validation is not None
        self._is_final = is_final
        self._seed = seed
        rows = training if validation is None else joined(training, validation)
        learner.model.train()
        with quietly():
            self._problem = RowwiseProblem(learner.model, learner.objective, rows)
            self._scale = InputScale(learner.model, rows)
            if self._scale.examples is not rows:
                self._problem = RowwiseProblem(
                    learner.model, learner.objective, self._scale.examples
                )
            self._all = self._problem.weight
            self._learned = np.arange(len(rows)) < len(training)
            weight = np.where(self._learned, self._all, 0.0)
            self._weight = weight / weight.sum()
            self._race = Race(self._problem)
        if not self._race.is_affordable:
            raise Unsuited("its steps take too long to race many")

    def instead(self, loop: RacingLoop) -> bool:
        """Train by a race if there are no validation rows; return whether that was so."""
        if self._has_validation:
            return False
        with self._drawing():
            result = self._race.run(self._ordinary(), self._weight)
        self._take(loop, result.vector, result)
        return True

    def after_epoch(self, loop: RacingLoop, record: object) -> bool:
        """Return that nothing was done: it waits for the descent's end."""
        return False

    def after(self, loop: RacingLoop) -> EscapeReport | None:
        """Race where the descent has not learned its rows; return what came of it."""
        problem = self._problem
        ordinary = self._ordinary()
        with self._drawing():
            reached = float(self._weight @ problem.row_losses(ordinary[None])[0])
            if not self._has_validation or reached <= self._race.bottom(self._weight):
                return None
            result = self._race.run(ordinary, self._weight)
            vector = self._chosen(ordinary, result)
        if vector is None:
            return _report(result, taken=False)
        return self._take(loop, vector, result)

    def _ordinary(self) -> Array:
        """Return the network's weights, for the rows that the race takes."""
        return self._scale.entered(self._problem.vector())

    def _drawing(self) -> Any:
        return random.drawing_from(random.new_key(self._seed))

    def _chosen(self, ordinary: Array, result: RaceResult) -> Array | None:
        """Return the weights to take, or None for those of the ordinary descent."""
        problem, race = self._problem, self._race
        held = ~self._learned
        constant = problem.constant_row_losses(self._weight)[held]
        found = problem.row_losses(np.stack([ordinary, result.vector]))[:, held]
        most = _MOST * max(float(constant.mean()), float(np.finfo(np.float32).tiny))
        descent, raced, constant = (np.minimum(x, most) for x in (*found, constant))
        is_better = _is_clearly_less(raced, descent)
        tell_nothing = not (
            _is_clearly_less(descent, constant) or _is_clearly_less(raced, constant)
        )
        if not is_better and not (self._is_final and tell_nothing):
            return None
        if not self._is_final:
            return result.vector
        further = race.go_on(self._all)
        return further.vector if further.solved or tell_nothing else result.vector

    def _take(self, loop: RacingLoop, vector: Array, result: RaceResult) -> EscapeReport:
        self._problem.place(self._scale.left(vector))
        report = _report(result, taken=True)
        loop.adopt(result.losses, report)
        return report


def _report(result: RaceResult, *, taken: bool) -> EscapeReport:
    ends = tuple(sorted(result.ends))
    return EscapeReport(result.starts, result.basins, ends, result.solved, taken)


def _is_clearly_less(one: Array, other: Array) -> bool:
    """Whether the mean of paired numbers is less by more than its error allows for."""
    gap = other - one
    if len(gap) < _LEAST_ROWS or not np.isfinite(gap).all():
        return False
    return bool(gap.mean() > _ERRORS * gap.std(ddof=1) / np.sqrt(len(gap)))


@dataclass(frozen=True)
class EscapeOptions:
    """Whether to get out of where it is stuck, as `Trainer` takes it; see there.

    Args:
        escape: True, False, or "auto".
        seed: decides the starts.
        is_untouched: whether nothing about the descent is given.
    """

    escape: bool | str
    seed: int
    is_untouched: bool

    def problems(self) -> list[str]:
        """Say what is out of range."""
        known = Requirement("'auto', True or False", lambda value: value in ("auto", True, False))
        return problems(vars(self), {"escape": known})

    @property
    def is_on(self) -> bool:
        """Whether a network that is stuck is to be got out."""
        return self.escape is True or (self.escape == "auto" and self.is_untouched)
