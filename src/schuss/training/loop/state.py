"""LoopState: where a training is and which epoch is the best, as checkpoints hold it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from math import isfinite
from typing import Any

from schuss.errors import FileFormatError
from schuss.training.descent.health import is_tally
from schuss.training.evaluation.metrics import HIGHER_IS_BETTER
from schuss.training.loop.plan import TrainingPlan

__all__ = ["LoopState"]


@dataclass
class LoopState:
    """Where a training is, and what it has found: plain numbers that a checkpoint holds.

    Args:
        epoch: epochs done.
        batch: steps done of the epoch that runs.
        step: steps done in all.
        loss_sum: sum of the losses of the rows seen in the epoch that runs.
        loss_rows: how many rows those are.
        health: sums of the figures of `schuss.training.descent.health` in the epoch that runs.
        warned: whether it was said that gradients are not finite.
        best_epoch: number of the best epoch, from 1; 0 for none.
        best_value: the monitored figure there.
        best_figures: all figures there, as the history has them.
        waited: epochs since then that were no better.
        rescues: what got a network going that was stuck; see `Rescue`.
        rescued_epoch: number of the epoch after which the last of these was done.
        rescued_from: the figure of the best epoch before it.
        first_loss: loss of the first step.
        lowest_loss: lowest mean loss between two good states; see `Rollback`.
        window_loss: sum of the losses since the last good state.
        window_steps: how many those are.
        tries: how often it went back without getting further.
        failed_step: furthest step that has gone wrong.
        damping: what the learning rates were multiplied with on that account.
        left_out: positions of the training rows that are left out.
        stopped: why training ended, or empty.
        seconds: time spent.
        pace_step: step at which it was last counted how many more the time allows; 0 for never.
        pace_progress: the progress there, which the schedules follow.
        pace_seconds: time spent until there.
        planned_steps: steps in all, as counted there; 0 for those of all epochs.
        validation_seconds: time that the last validation took.
        history: epochs whose figures were written.
        notes: what the user should know.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    loss_rows: int = 0
    health: dict[str, float] = field(default_factory=dict)
    warned: bool = False
    best_epoch: int = 0
    best_value: float | None = None
    best_figures: dict[str, Any] = field(default_factory=dict)
    waited: int = 0
    rescues: list[str] = field(default_factory=list)
    rescued_epoch: int = 0
    rescued_from: float = 0.0
    first_loss: float = 0.0
    lowest_loss: float = 0.0
    window_loss: float = 0.0
    window_steps: int = 0
    tries: int = 0
    failed_step: int = 0
    damping: float = 1.0
    left_out: list[int] = field(default_factory=list)
    stopped: str = ""
    seconds: float = 0.0
    pace_step: int = 0
    pace_progress: float = 0.0
    pace_seconds: float = 0.0
    planned_steps: int = 0
    validation_seconds: float = 0.0
    history: int = 0
    notes: list[str] = field(default_factory=list)

    @classmethod
    def from_header(cls, header: Mapping[str, Any]) -> LoopState:
        """Take the state out of a checkpoint's header.

        Raises:
            FileFormatError: if it lacks a part, or one is of another type.
        """
        names = [f.name for f in fields(cls)]
        missing = [name for name in names if name not in header]
        if missing:
            raise FileFormatError(
                f"the checkpoint lacks {', '.join(missing)}; it was made by an older version of "
                "Schuss, train anew."
            )
        found = cls(**{name: header[name] for name in names})
        for name, value in vars(cls()).items():
            given = getattr(found, name)
            fits = type(given) is type(value) or (isinstance(value, float) and type(given) is int)
            if name == "best_value":
                fits = given is None or type(given) in (int, float)
            fits = fits and not (type(given) is float and not isfinite(given))
            if not fits or (type(given) is int and given < 0 and name != "best_value"):
                raise FileFormatError(f"the checkpoint's {name} is damaged: {given!r:.40}.")
        if not all(isinstance(note, str) for note in [*found.notes, *found.rescues]):
            raise FileFormatError("the checkpoint's notes are damaged.")
        if not all(type(row) is int and row >= 0 for row in found.left_out):
            raise FileFormatError("the checkpoint's rows that are left out are damaged.")
        # The first step of an epoch is measured, unless the loss was not finite there.
        goes_on = bool(found.batch) and not found.stopped
        if not is_tally(found.health) or (goes_on and not (found.health and found.loss_rows)):
            raise FileFormatError("the checkpoint's sums of an epoch are damaged.")
        return found

    def begin_epoch(self) -> None:
        """Count an epoch as done, and forget its sums."""
        self.history += 1
        self.epoch += 1
        self.batch = 0
        self.loss_sum, self.loss_rows = 0.0, 0
        self.health = {}

    def take_if_best(
        self, plan: TrainingPlan, value: float | None, history: Sequence[Mapping[str, Any]]
    ) -> bool:
        """Return whether the last epoch is the best so far, and remember it if so.

        Args:
            plan: says which figure decides, and who wins a tie.
            value: the monitored figure of the last epoch.
            history: an epoch's figures each.
        """
        if self.best_epoch and not self._is_better(plan, value, history):
            self.waited += 1
            return False
        # A tie that counts as better does not count as progress.
        tied = self.best_epoch > 0 and value is not None and value == self.best_value
        self.waited = self.waited + 1 if tied else 0
        self.best_value = value
        self.best_epoch = self.epoch
        self.best_figures = dict(history[-1]) if history else {}
        return True

    def _is_better(
        self, plan: TrainingPlan, value: float | None, history: Sequence[Mapping[str, Any]]
    ) -> bool:
        if value is None or self.best_value is None:
            return value is not None
        if value != self.best_value:
            return (value > self.best_value) == plan.higher
        if plan.ties in ("first", "last"):
            return plan.ties == "last"
        name = f"validation_{plan.ties}"
        now, best = history[-1][name], self.best_figures[name]
        if now is None or best is None:
            return now is not None
        return bool((now > best) == (plan.ties in HIGHER_IS_BETTER) and now != best)
