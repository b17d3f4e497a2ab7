"""Setbacks: what a training does, and says, when a step has gone wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from schuss.core import Array, Tensor
from schuss.optim import Optimizer
from schuss.training.descent import health
from schuss.training.evaluation.examples import Examples, epoch_order
from schuss.training.evaluation.scrutiny import far_out, remarks
from schuss.training.loop.fit import DivergenceError
from schuss.training.loop.rollback import TRIES, Rollback
from schuss.training.loop.state import LoopState

__all__ = ["REMEDY", "Setbacks"]

REMEDY = "lower lr, scale the inputs, or clip the gradients (a Trainer's clip_norm=1.0)"


class _Loop(Protocol):
    """What is needed of the training loop."""

    state: LoopState
    best: dict[str, Tensor]
    optimizer: Optimizer

    def go_back(self) -> None:
        """Put everything to the last good state."""

    def replay(self, first: int, last: int) -> None:
        """Take steps once more, from one number in all to another."""

    def note(self, text: str) -> None:
        """Say something, and keep it with the run."""


class Setbacks:
    """Takes steps that went wrong back, and says where that began.

    Args:
        loop: the training.
        rollback: its last good state.
        training: its rows.
        seed: of the order of the rows.
        steps_per_epoch: batches of an epoch.
    """

    def __init__(
        self, loop: _Loop, rollback: Rollback, training: Examples, seed: int, steps_per_epoch: int
    ) -> None:
        self._loop = loop
        self._rollback = rollback
        self._training = training
        self._seed = seed
        self._steps_per_epoch = steps_per_epoch

    def order(self, epoch: int) -> Array:
        """Return the order of an epoch's rows; others come in the place of those left out."""
        left_out = self._loop.state.left_out
        return epoch_order(len(self._training), self._seed, epoch, left_out)

    def look_at_rows(self) -> None:
        """Leave out rows that are beyond all measure, and say what is remarkable."""
        far = far_out(self._training)
        if len(far):
            self._loop.state.left_out = [int(row) for row in far]
            self._loop.note(
                f"left out {self._training.named(far)}: a number there is more than a million "
                "times as large as others"
            )
        for text in remarks(self._training):
            self._loop.note(text)

    def warn(self, record: Mapping[str, Any]) -> None:
        """Say once that gradients are not finite while the loss still is.

        Args:
            record: figures of the epoch that ends.
        """
        state = self._loop.state
        if state.warned or health.is_finite(record):
            return
        state.warned = True
        what = f"the gradients became infinite or not a number in epoch {state.epoch + 1}"
        self._loop.note(f"{what}, at a learning rate of {self._rate:.3g}; {REMEDY}.")

    @property
    def _rate(self) -> float:
        return float(self._loop.optimizer.param_groups[0]["lr"])

    def take_back(self, loss: float, rate: float, step: int, rows: Array) -> None:
        """Go back before a step whose loss is not finite, and on with smaller steps.

        Args:
            loss: that is not finite.
            rate: learning rate of the step.
            step: its number in all, from 0.
            rows: of its batch.
        """
        state, training = self._loop.state, self._training
        epoch = step // self._steps_per_epoch + 1
        what = (
            f"the loss became {loss} in epoch {epoch}, step {step + 1}, at a learning rate of "
            f"{rate:.3g}"
        )
        if state.tries >= TRIES:
            self._give_up(f"{what}, and at {TRIES} smaller ones before")
            return
        self._loop.go_back()
        at_good, at_failure = self._rollback.find_blame(state, self._loop.replay, step, rows)
        layer = at_good.layer or at_failure.layer
        where = f"; it began in layer {layer}" if layer else ""
        if at_good.is_finite:
            self._rollback.shrink(state, step)
            goes_on = f"went back {step - state.step + 1} steps, and on at {self._rate:.3g}"
            self._loop.note(f"{what}{where}, on {training.named(rows)}; {goes_on}.")
            return
        # No step size helps.
        bad = at_good.rows
        left = sorted({*state.left_out, *map(int, bad)})
        if not len(bad) or len(bad) == len(rows) or 2 * len(left) > len(training):
            rows = bad if len(bad) else rows
            self._give_up(f"{what}{where}, on {training.named(rows)}, before any step")
            return
        state.left_out = left
        self._loop.note(f"{what}{where}; left out {training.named(bad)}, which cause it.")

    def take_back_rise(self) -> None:
        """Go back before the loss rose to many times the first, and on with smaller steps."""
        state = self._loop.state
        mean = state.window_loss / state.window_steps
        what = f"the loss rose to {mean:.4g} in epoch {state.epoch + 1}, by step {state.step}"
        if state.tries >= TRIES:
            # It is finite: whoever trains may want it so.
            state.first_loss, state.tries = mean, 0
            self._loop.note(f"{what}, at {TRIES} smaller rates, too; goes on as it is.")
            return
        layer, step = self._rollback.most_changed(), state.step
        rows = self._rollback.highest_rows()
        self._loop.go_back()
        self._rollback.shrink(state, step)
        self._loop.note(
            f"{what}; {layer} changed most, and {self._training.named(rows)} had the highest "
            f"loss; went back {step - state.step} steps, and on at {self._rate:.3g}."
        )

    def _give_up(self, what: str) -> None:
        kept = self._loop.state.best_epoch
        if not self._loop.best or not kept:
            raise DivergenceError(f"Trainer: {what}; {REMEDY}.")
        self._loop.note(f"{what}; the weights of epoch {kept} are kept. To avoid it, {REMEDY}.")
        self._loop.state.stopped = "diverged"
