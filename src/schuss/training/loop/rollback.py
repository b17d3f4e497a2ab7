"""Rollback: takes a step that went wrong back, and goes on from the last good state, slower."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, leaf
from schuss.training.descent.blame import Blame, find_blame
from schuss.training.descent.learner import Learner
from schuss.training.descent.snapshot import Snapshot
from schuss.training.descent.weight_average import WeightAverage
from schuss.training.evaluation.examples import Examples
from schuss.training.loop.state import LoopState
from schuss.training.runs.checkpoint import part, with_prefix

__all__ = ["TRIES", "Rollback", "steps_between"]

# So often in a row it goes back before it gives up, each time with a smaller step.
TRIES = 6
_SHRINK = 0.25
_OF_GOING_BACK = ("tries", "failed_step", "damping", "left_out", "notes", "seconds")
# Times the first loss, or what was gained since, from which on it has exploded.
_EXPLODED = 10.0
# A copy of all states costs about half a step or less, beside so many at least.
_FEWEST_STEPS, _MOST_STEPS = 64, 4096
_SECONDS_BETWEEN = 0.05
# Batches on which it is measured whether a rise of the loss is the weights' doing.
_MEASURED_BATCHES = 8


def steps_between(step_seconds: float, total: int) -> int:
    """Return how many steps lie between two good states, by what a step is taken to cost.

    Args:
        step_seconds: what a step is taken to cost.
        total: steps of the whole training, of which a quarter is the most.

    >>> steps_between(1e-5, 1_000_000), steps_between(1e-5, 2000), steps_between(1.0, 2000)
    (4096, 500, 64)
    """
    most = min(_MOST_STEPS, total // 4)
    return max(min(int(_SECONDS_BETWEEN / step_seconds), most), _FEWEST_STEPS)


class Rollback:
    """Keeps the last good state of a training, and goes back to it.

    A state is good where the loss has been finite, and has not risen to many times the first,
    since the one before. It is kept at fixed steps, so that no clock has a say.

    Args:
        learner: what is trained.
        training: its rows.
        average: the running average of its weights.
        interval: steps between two good states.
    """

    def __init__(
        self, learner: Learner, training: Examples, average: WeightAverage, interval: int
    ) -> None:
        self.interval = interval
        self._learner = learner
        self._training = training
        self._average = average
        self._snapshot: Snapshot | None = None
        self._due = 0
        # The losses and rows of the calls since the last good state, each (steps, batch).
        self._taken: list[tuple[list[float], Array]] = []

    def keep(self, state: LoopState, best: Mapping[str, Tensor]) -> None:
        """Take the state as good."""
        if self._snapshot is None:
            self._snapshot = Snapshot(self._learner.model, self._learner.optimizer)
        else:
            self._snapshot.take()
        state.window_loss, state.window_steps = 0.0, 0
        if state.step > state.failed_step:
            state.tries = 0
        # What its dictionaries and lists hold is replaced as a whole when it changes.
        self._state = copy.copy(state)
        self._best = best
        self._due = self._next(state.step)
        self._averaged = {k: v.array.copy() for k, v in self._average.state_dict().items()}
        self._schedule = self._learner.schedule.state_dict()
        self._taken.clear()

    def _next(self, step: int) -> int:
        return (step // self.interval + 1) * self.interval

    def state_dict(self, best_epoch: int) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """Return the last good state as a checkpoint holds it: tensors by name, and plain values.

        Args:
            best_epoch: the best epoch now; its weights are held by the checkpoint already.
        """
        if self._snapshot is None:
            return {}, {}
        tensors, groups = self._snapshot.state_dict()
        best = {} if self._state.best_epoch == best_epoch else self._best
        kept = self._remembered()
        return {
            **with_prefix("snapshot", tensors),
            **with_prefix("best", best),
            **with_prefix("average", {k: leaf(v) for k, v in self._averaged.items()}),
            **with_prefix("batches", {str(k): leaf(rows) for k, (_, rows) in enumerate(kept)}),
        }, {
            "state": asdict(self._state),
            "groups": groups,
            "schedule": self._schedule,
            "losses": [loss for loss, _ in kept],
        }

    def load_state_dict(
        self,
        tensors: Mapping[str, Tensor],
        header: Mapping[str, Any],
        best: Mapping[str, Tensor],
        best_epoch: int,
    ) -> None:
        """Take over what `state_dict` returned; model and optimizer are as they were then.

        Args:
            tensors: by name.
            header: the plain values.
            best: the best weights now.
            best_epoch: the epoch they are of.

        Raises:
            FileFormatError, ValueError: if it is of another training.
        """
        if not header:
            return
        held = {name: value.array for name, value in tensors.items()}
        self._state = LoopState.from_header(header["state"])
        self._snapshot = Snapshot(self._learner.model, self._learner.optimizer)
        self._snapshot.load_state_dict(_arrays("snapshot", held), header["groups"])
        self._best = best if self._state.best_epoch == best_epoch else part("best", held)
        self._averaged = _arrays("average", held)
        self._schedule = header["schedule"]
        batches = _arrays("batches", held)
        losses = enumerate(header["losses"])
        self._taken = [([float(loss)], batches[str(k)][None]) for k, loss in losses]
        self._due = self._next(self._state.step)

    def is_due(self, state: LoopState) -> bool:
        """Whether the next good state is to be kept here."""
        return state.step >= self._due

    def steps_left(self, state: LoopState) -> int:
        """Steps before the next good state is to be kept."""
        return self._due - state.step

    def note(self, state: LoopState, losses: list[float], index: Array) -> None:
        """Take in the finite losses of steps."""
        if not state.step:
            state.first_loss = state.lowest_loss = losses[0]
        state.window_loss += sum(losses)
        state.window_steps += len(losses)
        self._taken.append((losses, index))

    def has_exploded(self, state: LoopState) -> bool:
        """Whether the loss has risen to many times the first, by the doing of the steps since.

        A mean over steps that is so high is compared with what the weights of the last good state
        have on the same rows: these may be hard ones.
        """
        if not state.window_steps:
            return False
        mean = state.window_loss / state.window_steps
        state.lowest_loss = min(state.lowest_loss, mean)
        gained = max(abs(state.first_loss), state.first_loss - state.lowest_loss)
        if mean <= state.first_loss + (_EXPLODED - 1.0) * gained:
            return False
        before, now = self._measured()
        if math.isfinite(now) and now <= before + (_EXPLODED - 1.0) * abs(before):
            state.first_loss = max(state.first_loss, now)
            return False
        return True

    def _measured(self) -> tuple[float, float]:
        """Return the loss on the last batches, by the good weights and by those now."""
        learner = self._learner
        assert self._snapshot is not None
        here = Snapshot(learner.model, learner.optimizer)
        found = []
        for place in (self._snapshot, here):
            place.restore()
            losses = [self._blame(rows).loss for _, rows in self._steps()[-_MEASURED_BATCHES:]]
            found.append(float(np.mean(losses)))
        here.restore()
        return found[0], found[1]

    def _steps(self) -> list[tuple[float, Array]]:
        """Return losses and rows of the steps since the last good state."""
        return [step for call in self._taken for step in zip(*call, strict=True)]

    def _remembered(self) -> list[tuple[float, Array]]:
        """Return those of the steps that matter: that of the highest loss, and the last ones."""
        steps = self._steps()
        last, before = steps[-_MEASURED_BATCHES:], steps[:-_MEASURED_BATCHES]
        highest = max(steps, key=lambda step: step[0], default=None)
        is_before = highest is not None and any(rows is highest[1] for _, rows in before)
        return [highest, *last] if highest is not None and is_before else last

    def _blame(self, rows: Array) -> Blame:
        return find_blame(self._learner.model, self._learner.objective, self._training, rows)

    def go_back(self, state: LoopState) -> Mapping[str, Tensor]:
        """Put everything back to the last good state, with a smaller step; return the best weights.

        Args:
            state: is set to what it was; but for what it says of going back, and its notes.
        """
        self.restore()
        for name in (f.name for f in fields(state)):
            if name not in _OF_GOING_BACK:
                setattr(state, name, getattr(self._state, name))
        self._average.load_state_dict({name: leaf(array) for name, array in self._averaged.items()})
        self._learner.schedule.load_state_dict(self._schedule)
        self._taken.clear()
        return self._best

    def highest_rows(self) -> Array:
        """Return the rows of the batch with the highest loss since the last good state."""
        return max(self._steps(), key=lambda step: step[0])[1]

    def most_changed(self) -> str:
        """Return the name of the parameter that has grown most since the last good state."""
        assert self._snapshot is not None
        found = {
            name: float(np.linalg.norm(p.array)) / (self._snapshot.norm(p) + 1e-12)
            for name, p in self._learner.model.named_parameters()
        }
        return max(found, key=lambda name: found[name])

    def restore(self) -> None:
        """Put weights and optimizer back to the last good state."""
        assert self._snapshot is not None
        self._snapshot.restore()

    def shrink(self, state: LoopState, failed: int) -> None:
        """Make the step smaller than when it went wrong.

        Args:
            state: as at the last good state.
            failed: number of the step that went wrong.
        """
        state.tries += 1
        state.failed_step = max(state.failed_step, failed)
        state.damping *= _SHRINK
        for group in self._learner.optimizer.param_groups:
            for name in ("lr", "initial_lr"):
                if name in group:
                    group[name] *= state.damping / self._state.damping

    def find_blame(
        self, state: LoopState, steps: Callable[[int, int], Any], failed: int, rows: Array
    ) -> tuple[Blame, Blame]:
        """Find where a step's loss became what it is, by taking the steps before it once more.

        Args:
            state: as at the last good state.
            steps: takes the steps from one number to another, counted from the first.
            failed: number of the step whose loss is not finite.
            rows: of its batch.

        Returns:
            What the good weights make of the batch, and those right before the step.
        """
        self.restore()
        at_good = self._blame(rows)
        self.restore()
        if failed > state.step:
            steps(state.step, failed)
        at_failure = self._blame(rows)
        self.restore()
        return at_good, at_failure


def _arrays(prefix: str, held: Mapping[str, Array]) -> dict[str, Array]:
    return {name: value.array for name, value in part(prefix, held).items()}
