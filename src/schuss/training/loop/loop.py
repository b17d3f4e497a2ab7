"""The training loop: epochs of steps, validation, the best weights, checkpoints."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from time import perf_counter
from typing import Any

import numpy as np

from schuss import random
from schuss.core import Array, Tensor, enable_grad
from schuss.modes import quietly
from schuss.training.descent import health
from schuss.training.descent.conditioning import condition
from schuss.training.descent.learner import Learner
from schuss.training.descent.step_size.curve import RateCurve
from schuss.training.descent.steppers import Stepper
from schuss.training.descent.weight_average import WeightAverage
from schuss.training.escape.stage import Escape, EscapeReport
from schuss.training.evaluation.examples import batch_bounds
from schuss.training.loop.adopted import ESCAPED, adopt
from schuss.training.loop.checkpoints import Checkpoints, read_history
from schuss.training.loop.context import RunContext, TrainingData
from schuss.training.loop.fit import Fit
from schuss.training.loop.pace import Pace
from schuss.training.loop.plan import TrainingPlan
from schuss.training.loop.polishing import epochs_to_polish, polish
from schuss.training.loop.progress import clock
from schuss.training.loop.rescue import Rescue
from schuss.training.loop.rollback import Rollback, steps_between
from schuss.training.loop.setbacks import Setbacks
from schuss.training.loop.state import LoopState
from schuss.training.loop.step_size import find_rate_curve, find_step_size, step_seconds
from schuss.training.loop.validation import Validation
from schuss.training.runs import checkpoint

__all__ = ["TrainingLoop"]


class TrainingLoop:
    """One training while it runs.

    Args:
        plan: what to do.
        learner: what is trained, and by what.
        stepper: takes steps on the training rows.
        data: the rows.
        context: folder, display, callbacks and Ctrl-C.
        escape: gets it out of where it is stuck, or None.
    """

    def __init__(
        self,
        plan: TrainingPlan,
        learner: Learner,
        stepper: Stepper,
        data: TrainingData,
        context: RunContext,
        escape: Escape | Rescue | None = None,
    ) -> None:
        self.plan = plan
        self.model = learner.model
        self.optimizer = learner.optimizer
        self.history: list[dict[str, Any]] = []
        self.state = LoopState()
        self.best: dict[str, Tensor] = {}
        self._learner = learner
        self._schedule = learner.schedule
        self._stepper = stepper
        self._data = data
        self._context = context
        self._escape = escape
        self._report: EscapeReport | None = None
        self._begun = perf_counter()
        validated = data.validation is not None
        epochs = plan.averaged(finds_rate=learner.finds_rate, validated=validated)
        self._average = WeightAverage(self.model, epochs)
        self._validation = Validation(plan, learner, data.validation, self._average)
        rows = len(data.training)
        self._bounds = batch_bounds(rows, plan.batch(rows), plan.drop_last)
        seconds = step_seconds(self.model, data.training, plan)
        interval = steps_between(seconds, plan.epochs * len(self._bounds))
        self._rollback = Rollback(learner, data.training, self._average, interval)
        self._setbacks = Setbacks(
            self, self._rollback, data.training, plan.step_seed, len(self._bounds)
        )
        self._checkpoints = Checkpoints(
            context.folder,
            learner,
            self._average,
            self._rollback,
            self._layout(),
            plan.checkpoint_seconds,
        )

    def _layout(self) -> dict[str, Any]:
        """Return what must be the same for a checkpoint to fit."""
        rows = self._data.validation
        return {
            "training_rows": len(self._data.training),
            "validation_rows": 0 if rows is None else len(rows),
            "epochs": int(self.plan.epochs),
            "time_budget": self.plan.time_budget,
            "batch_size": int(self.plan.batch(len(self._data.training))),
            "seed": self.plan.step_seed,
            "eager": self.plan.eager,
        }

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return self.state.epoch

    @property
    def step(self) -> int:
        """Steps done."""
        return self.state.step

    @property
    def seconds(self) -> float:
        """Time spent so far, in earlier parts of a resumed run too."""
        return self.state.seconds + perf_counter() - self._begun

    def stop(self) -> None:
        """End training after this epoch."""
        self.state.stopped = "callback"

    # The loop.

    def run(self, *, resume: bool = False) -> Fit:
        """Train, from the start or from the newest checkpoint, and return what came of it.

        Raises:
            Interrupted: after Ctrl-C, SIGTERM or SIGHUP, when a checkpoint has been saved.
            DivergenceError: if the loss is not finite and no epoch was complete.
        """
        random.manual_seed(self.plan.step_seed)
        self._said = condition(self._learner, self._data.training)
        display, folder = self._context.display, self._context.folder
        if resume:
            self.state, self.best = self._checkpoints.restore()
        if folder is not None:
            if resume:
                self.history = read_history(folder, self.state)
            folder.begin_metrics(self.history)
        self._polished = epochs_to_polish(self.plan, self._learner, self._data)
        self._pace = Pace(
            (self.plan.epochs - self._polished) * len(self._bounds),
            self.plan.time_budget,
            self.state,
            lambda: self.seconds,
        )
        for callback in self._context.callbacks:
            callback.on_begin(self)
        display.begin(self.plan.epochs, self.epoch, len(self._bounds))
        if self.plan.time_budget is not None:
            left = max(self.plan.time_budget - self.state.seconds, 0.0)
            display.note(f"training ends in {clock(left)} at the latest")
        for note in self.state.notes:
            display.note(note)
        self.model.train()
        # What is not finite is noticed in the loss, and said once.
        with enable_grad(), quietly():
            self._descend()
        return self._finish()

    def _descend(self) -> None:
        if self.state.stopped == ESCAPED:
            return
        if not self.step:
            if self._escape is not None and self._escape.instead(self):
                return
            self._find_step_size()
        while not self._is_over():
            self._run_epoch()
        left = self.plan.epochs - self.epoch
        if self._polished == left > 0 and self.state.stopped == "epochs":
            said = polish(self, self.plan, self._learner, self._data, left)
            if said:
                self.note(said)
        if self._escape is not None:
            if self.best:
                self.model.load_state_dict(self.best)
            self._report = self._escape.after(self)
            if self._report is not None and not self._report.taken:
                self.note(str(self._report))

    def adopt(self, losses: Sequence[float], report: EscapeReport) -> None:
        """Take the model's weights as the best: reached by as many passes as there are losses."""
        self._report = report
        self.best = adopt(self, losses, self._schedule.lr)
        self.note(str(report))

    def tell(self, record: dict[str, Any]) -> None:
        """Show and keep the figures of an epoch that is done."""
        if self._context.folder is not None:
            self._context.folder.append_metrics(record)
        for callback in self._context.callbacks:
            callback.on_epoch(self)
        self._context.display.epoch(record)

    def rate_curve(self) -> RateCurve:
        """Return how short trainings would end, by their learning rate."""
        rows, steps = self._data.training, self.plan.epochs * len(self._bounds)
        return find_rate_curve(self._learner, self._stepper, rows, self.plan, steps)

    def _find_step_size(self) -> None:
        """Find the learning rate where none is given, and say what it is and why."""
        if self._learner.finds_rate:
            self._setbacks.look_at_rows()
        for text in self._said:
            self.note(text)
        steps, rows, left_out = self._pace.total, self._data.training, self.state.left_out
        validated = self._data.validation is not None
        said = find_step_size(
            self._learner, self._stepper, rows, self.plan, steps, left_out, validated=validated
        )
        if said:
            self.note(said)

    def _is_over(self) -> bool:
        state, plan = self.state, self.plan
        if not state.stopped and plan.patience is not None and state.waited >= plan.patience:
            state.stopped = "patience"
        if not state.stopped and state.epoch >= plan.epochs - self._polished:
            state.stopped = "epochs"
        if not state.stopped and not state.batch and self._pace.is_up:
            state.stopped = "time"
        return bool(state.stopped)

    def _run_epoch(self) -> None:
        state = self.state
        self._learner.put_weights(training=True)
        order = self._setbacks.order(self.epoch)
        left = self._bounds[state.batch :]
        self._data.training.begin_epoch(self.epoch, [(a, order[a:b]) for a, b in left])
        while state.batch < len(self._bounds) and not (state.batch and self._pace.is_up):
            if self._rollback.is_due(state):
                if self._rollback.has_exploded(state):
                    self._setbacks.take_back_rise()
                    return
                self._rollback.keep(state, self.best)
            index = self._next_rows(order)
            rates = [self._schedule.lr] * len(index)
            before = self._before_each(rates) if self._schedule.changes else None
            measured = health.measured_steps(state.batch, len(index))
            losses, figures = self._stepper.take(index, before, measured)
            size = index.shape[1]
            total = state.loss_sum
            for loss in losses:
                total += loss * size
            if not math.isfinite(total):
                first = next((i for i, x in enumerate(losses) if not math.isfinite(x)), 0)
                self._setbacks.take_back(
                    losses[first], rates[first], self.step + first, index[first]
                )
                return
            self._rollback.note(state, losses, index)
            state.step += len(losses)
            state.batch += len(losses)
            state.loss_sum = total
            state.loss_rows += size * len(losses)
            for row in figures[measured]:
                state.health = health.tally(state.health, row.tolist())
            self._schedule.after_step()
            for callback in self._context.callbacks:
                callback.on_step(self)
            self._context.display.step(self.epoch, state.batch - 1)
            self._pace.look()
            if self._context.stop_request.made or self._checkpoints.due:
                self._pause()
        self._end_epoch()

    def _next_rows(self, order: Array) -> Array:
        """Return the rows of the next steps, as many as are taken in one call: (steps, batch)."""
        left = self._bounds[self.state.batch :]
        size = left[0][1] - left[0][0]
        # All batches have the same size but for the last one of the epoch.
        alike = len(left) - (left[-1][1] - left[-1][0] != size)
        alike = min(alike, max(self._pace.steps_left, 1), self._rollback.steps_left(self.state))
        count = min(alike, self._stepper.steps_per_call(alike))
        start = left[0][0]
        return order[start : start + count * size].reshape(count, size)

    def _before_each(self, rates: list[float]) -> Callable[[int], None]:
        """Return what sets the hyperparameters for each step of a call, and notes the rate."""
        first = self.step

        def before(number: int) -> None:
            if number:
                self._schedule.after_step()
            self._schedule.before_step(self._pace.progress(first + number))
            rates[number] = self._schedule.lr

        return before

    def _end_epoch(self) -> None:
        record: dict[str, Any] = {
            "epoch": self.epoch + 1,
            "step": self.step,
            "seconds": round(self.seconds, 4),
            "lr": self._schedule.lr,
            "train_loss": self.state.loss_sum / self.state.loss_rows,
            **health.summary(self.state.health),
        }
        self._setbacks.warn(record)
        self._learner.put_weights(training=False)
        self._average.update(self.epoch + 1)
        begun = self.seconds
        monitored, averaged = self._validation.add_better(record)
        self.state.validation_seconds = self.seconds - begun
        self.history.append(record)
        self.state.begin_epoch()
        with self._average.in_place() if averaged else nullcontext():
            self._keep_if_best(monitored)
        self._schedule.after_epoch(monitored)
        if self._escape is not None and self._escape.after_epoch(self, record):
            self._rollback.keep(self.state, self.best)
        self.tell(record)
        if self.epoch == 1:
            self._save()

    def validate(self, record: dict[str, Any]) -> float | None:
        """Add the figures on the validation rows, and return the one that chooses the epoch."""
        return self._validation.add(record)

    def note(self, text: str) -> None:
        """Say something, and keep it with the run."""
        self.state.notes.append(text)
        self._context.display.note(text)

    def _keep_if_best(self, monitored: float | None) -> None:
        """Keep the weights if this epoch is the best so far; without validation, each is."""
        state = self.state
        if self._data.validation is None:
            loss = self.history[-1]["train_loss"]
            if state.rescues and not loss < state.rescued_from:
                return
            state.best_epoch, state.waited = self.epoch, 0
            state.best_figures = self.history[-1]
            if self._average.epochs is None and not state.rescues:
                # The last epoch's weights are the ones to keep, and the model has them.
                return
        elif not state.take_if_best(self.plan, monitored, self.history):
            return
        self.best = checkpoint.copy_state(self.model)

    def go_back(self) -> None:
        """Put everything to the last good state."""
        self.best = dict(self._rollback.go_back(self.state))
        kept = [record for record in self.history if record["epoch"] <= self.epoch]
        if len(kept) < len(self.history):
            self.history = kept
            if self._context.folder is not None:
                self._context.folder.end_metrics()
                self._context.folder.begin_metrics(kept)

    def replay(self, first: int, last: int) -> None:
        """Take steps that were taken before once more, from one number in all to another."""
        for step in range(first, last):
            epoch, batch = divmod(step, len(self._bounds))
            index = self._setbacks.order(epoch)[slice(*self._bounds[batch])].reshape(1, -1)
            self._schedule.before_step(self._pace.progress(step))
            self._stepper.take(index, None, np.zeros(1, bool))

    def _finish(self) -> Fit:
        self._save()
        if self.best:
            self.model.load_state_dict(self.best)
        self._schedule.finish()
        if self._context.folder is not None:
            self._context.folder.write_optimizer(
                checkpoint.optimizer_tensors(self.optimizer),
                checkpoint.optimizer_header(self.optimizer),
            )
            self._context.folder.end_metrics()
        for callback in self._context.callbacks:
            callback.on_end(self)
        state = self.state
        return Fit(
            state.epoch,
            state.best_epoch,
            self.history,
            self.seconds,
            state.stopped,
            state.notes,
            self._report,
        )

    def _save(self) -> None:
        self._checkpoints.save(self.state, self.best, self.seconds)

    def _pause(self) -> None:
        """Save between two steps; stop there if a signal asked for it."""
        self._save()
        if not self._context.stop_request.made:
            return
        epochs, folder = self.plan.epochs, self._context.folder
        where = f"stopped in epoch {min(self.epoch + 1, epochs)} of {epochs}"
        if folder is None:
            raise self._context.stop_request.error(where)
        folder.end_metrics()
        where += f"; go on with: schuss resume {shlex.quote(str(folder.path))}"
        raise self._context.stop_request.error(where, folder.path)
