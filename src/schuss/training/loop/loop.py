"""The running of a training: epochs of steps, validation, the best weights, checkpoints."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from schuss import random
from schuss.core import Tensor, enable_grad
from schuss.errors import DataError, FileFormatError
from schuss.nn.module import Module
from schuss.optim import Optimizer
from schuss.training.descent import health
from schuss.training.descent.schedule import HyperparameterSchedule
from schuss.training.descent.steppers import Steps
from schuss.training.descent.weight_average import WeightAverage
from schuss.training.evaluation.compiled_forward import Forward, is_worth_compiling
from schuss.training.evaluation.evaluate import evaluate
from schuss.training.evaluation.examples import Examples, batch_bounds, epoch_order
from schuss.training.evaluation.metrics import HIGHER_IS_BETTER
from schuss.training.evaluation.objective import Objective
from schuss.training.loop.callbacks import Callback
from schuss.training.loop.fit import DivergenceError, Fit, Plan
from schuss.training.loop.progress import Display
from schuss.training.runs import checkpoint
from schuss.training.runs.folder import RunFolder
from schuss.training.runs.interrupt import Interrupted, Requests

__all__ = ["Loop"]

Array: TypeAlias = npt.NDArray[Any]

_COST_SHARE = 20.0
_WAY_OUT = "lower lr, scale the inputs, or clip the gradients (a Trainer's clip_norm=1.0)"


class Loop:
    """One training while it runs; its attributes are all that decides the rest of it.

    Args:
        plan: what to do.
        model: what is trained.
        objective: the loss.
        optimizer: over the model's parameters.
        descent: the schedules.
        steps: takes steps on the training rows.
        training: rows to learn from.
        validation: rows to choose the best epoch by, or None for the last.
        folder: the run's folder, or None.
        display: shows the progress.
        callbacks: of the user's own.
        requests: tells of Ctrl-C.
    """

    def __init__(
        self,
        plan: Plan,
        model: Module,
        objective: Objective,
        optimizer: Optimizer,
        descent: HyperparameterSchedule,
        steps: Steps,
        training: Examples,
        validation: Examples | None,
        *,
        folder: RunFolder | None,
        display: Display,
        callbacks: Sequence[Callback],
        requests: Requests,
    ) -> None:
        self.plan = plan
        self.model = model
        self.optimizer = optimizer
        self.history: list[dict[str, Any]] = []
        self.at = checkpoint.Position()
        self.best: dict[str, Tensor] = {}
        self._objective = objective
        self._descent = descent
        self._steps = steps
        self._training = training
        self._validation = validation
        self._folder = folder
        self._display = display
        self._callbacks = callbacks
        self._requests = requests
        self._begun = perf_counter()
        self._due = 0.0
        self._average = WeightAverage(model, plan.average_epochs)
        self._forward = self._native_forward()
        self._bounds = batch_bounds(len(training), plan.batch_size, plan.drop_last)

    def _native_forward(self) -> Forward | None:
        """Return the model as native code, where the validation rows are worth it."""
        if self._validation is None or self.plan.eager or self.model.evaluates_by_values:
            return None
        worth = is_worth_compiling(self.model, len(self._validation), self.plan.epochs)
        return Forward(self.model, needed=False) if worth else None

    @property
    def epoch(self) -> int:
        """Epochs done."""
        return self.at.epoch

    @property
    def step(self) -> int:
        """Steps done."""
        return self.at.step

    @property
    def seconds(self) -> float:
        """Time spent so far, in earlier parts of a resumed run too."""
        return self.at.seconds + perf_counter() - self._begun

    def stop(self) -> None:
        """End training after this epoch."""
        self.at.stopped = "callback"

    # The loop.

    def run(self, *, resume: bool = False) -> Fit:
        """Train, from the start or from the newest checkpoint, and return what came of it.

        Raises:
            Interrupted: after Ctrl-C, when a checkpoint has been saved.
            DivergenceError: if the loss is not finite and no epoch was complete.
        """
        random.manual_seed(self.plan.seed)
        found = self._restore() if resume else False
        if self._folder is not None and not found:
            self._folder.begin_metrics(0)
        for callback in self._callbacks:
            callback.on_begin(self)
        self._display.begin(self.plan.epochs, self.epoch, len(self._bounds))
        for note in self.at.notes:
            self._display.note(note)
        self._due = perf_counter() + self.plan.checkpoint_seconds
        self.model.train()
        # What is not finite is noticed in the loss, and said once.
        with enable_grad(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            while not self._over():
                self._run_epoch()
        return self._finish()

    def _over(self) -> bool:
        if (
            not self.at.stopped
            and self.plan.patience is not None
            and self.at.waited >= self.plan.patience
        ):
            self.at.stopped = "patience"
        if not self.at.stopped and self.epoch >= self.plan.epochs:
            self.at.stopped = "epochs"
        return bool(self.at.stopped)

    def _run_epoch(self) -> None:
        order = epoch_order(len(self._training), self.plan.seed, self.epoch)
        while self.at.batch < len(self._bounds):
            index = self._next_rows(order)
            rates = [self._descent.lr] * len(index)
            before = self._before_each(rates) if self._descent.changes else None
            watched = health.watched(self.at.batch, len(index))
            losses, figures = self._steps.take(index, before, watched)
            size = index.shape[1]
            total = self.at.loss_sum
            for loss in losses:
                total += loss * size
            if not math.isfinite(total):
                first = next((i for i, x in enumerate(losses) if not math.isfinite(x)), 0)
                self.at.step += first + 1
                self.at.batch += first + 1
                self._diverged(losses[first], rates[first])
                return
            self.at.step += len(losses)
            self.at.batch += len(losses)
            self.at.loss_sum = total
            self.at.loss_rows += size * len(losses)
            for row in figures[watched]:
                self.at.health = health.tally(self.at.health, row.tolist())
            self._descent.after_step()
            for callback in self._callbacks:
                callback.on_step(self)
            self._display.step(self.epoch, self.at.batch - 1)
            if self._requests.stop or perf_counter() >= self._due:
                self._pause()
        self._end_epoch()

    def _next_rows(self, order: Array) -> Array:
        """Return the rows of the next steps, as many as are taken in one call: (steps, batch)."""
        left = self._bounds[self.at.batch :]
        size = left[0][1] - left[0][0]
        # All batches have the same size but for the last one of the epoch.
        alike = len(left) - (left[-1][1] - left[-1][0] != size)
        count = min(alike, self._steps.most(alike))
        start = left[0][0]
        return order[start : start + count * size].reshape(count, size)

    def _before_each(self, rates: list[float]) -> Callable[[int], None]:
        """Return what sets the hyperparameters for each step of a call, and notes the rate."""
        total = self.plan.epochs * len(self._bounds)
        first = self.step

        def before(number: int) -> None:
            if number:
                self._descent.after_step()
            self._descent.before_step((first + number) / total)
            rates[number] = self._descent.lr

        return before

    def _end_epoch(self) -> None:
        record: dict[str, Any] = {
            "epoch": self.epoch + 1,
            "step": self.step,
            "seconds": round(self.seconds, 4),
            "lr": self._descent.lr,
            "train_loss": self.at.loss_sum / self.at.loss_rows,
            **health.summary(self.at.health),
        }
        self._warn(record)
        monitored = None
        self._average.update(self.epoch + 1)
        if self._validation is not None:
            with self._average.in_place():
                figures = evaluate(
                    self.model,
                    self._objective,
                    self._validation,
                    self.plan.metrics,
                    forward=self._forward,
                )
            record |= {f"validation_{name}": value for name, value in figures.items()}
            monitored = figures[self.plan.monitor]
        self.history.append(record)
        self.at.history += 1
        self.at.epoch += 1
        self.at.batch = 0
        self.at.loss_sum, self.at.loss_rows = 0.0, 0
        self.at.health = {}
        self._choose(monitored)
        self._descent.after_epoch(monitored)
        if self._folder is not None:
            self._folder.append_metrics(record)
        for callback in self._callbacks:
            callback.on_epoch(self)
        self._display.epoch(record)
        if self.epoch == 1:
            self._save()

    def _warn(self, record: dict[str, Any]) -> None:
        """Say once that gradients are not finite while the loss still is."""
        if self.at.warned or health.is_finite(record):
            return
        self.at.warned = True
        what = f"the gradients became infinite or not a number in epoch {self.epoch + 1}"
        note = f"{what}, at a learning rate of {self._descent.lr:.3g}; {_WAY_OUT}."
        self.at.notes.append(note)
        self._display.note(note)

    def _choose(self, value: float | None) -> None:
        """Keep the weights if this epoch is the best so far."""
        if self._validation is not None and self.at.best_epoch and not self._is_better(value):
            self.at.waited += 1
            return
        # A tie that counts as better does not count as progress.
        tied = self.at.best_epoch > 0 and value is not None and value == self.at.best_value
        self.at.waited = self.at.waited + 1 if tied else 0
        self.at.best_value = value
        self.at.best_epoch = self.epoch
        if self._validation is None and not self.plan.average_epochs:
            # The last epoch's weights are the ones to keep, and the model has them.
            return
        with self._average.in_place():
            self.best = checkpoint.copy_of(self.model)

    def _is_better(self, value: float | None) -> bool:
        if value is None or self.at.best_value is None:
            return value is not None
        if value == self.at.best_value:
            return self._wins_tie()
        return (value > self.at.best_value) == self.plan.higher

    def _wins_tie(self) -> bool:
        if self.plan.ties in ("first", "last"):
            return self.plan.ties == "last"
        name = f"validation_{self.plan.ties}"
        now, best = self.history[-1][name], self.history[self.at.best_epoch - 1][name]
        if now is None or best is None:
            return now is not None
        return bool((now > best) == (self.plan.ties in HIGHER_IS_BETTER) and now != best)

    def _diverged(self, loss: float, rate: float) -> None:
        what = (
            f"the loss became {loss} in epoch {self.epoch + 1}, step {self.step}, at a learning "
            f"rate of {rate:.3g}"
        )
        if not self.best or not self.at.best_epoch:
            raise DivergenceError(f"Trainer: {what}; {_WAY_OUT}.")
        note = (
            f"{what}; the weights of epoch {self.at.best_epoch} are kept. To avoid it, {_WAY_OUT}."
        )
        self.at.notes.append(note)
        self._display.note(note)
        self.at.stopped = "diverged"

    def _finish(self) -> Fit:
        if self._folder is not None:
            self._save()
        if self.best:
            self.model.load_state_dict(self.best)
        self._descent.finish()
        if self._folder is not None:
            self._folder.write_optimizer(
                checkpoint.optimizer_tensors(self.optimizer),
                checkpoint.optimizer_header(self.optimizer),
            )
            self._folder.end_metrics()
        for callback in self._callbacks:
            callback.on_end(self)
        return Fit(
            self.epoch,
            self.at.best_epoch,
            self.history,
            self.seconds,
            self.at.stopped,
            self.at.notes,
        )

    # Checkpoints.

    def _pause(self) -> None:
        """Save between two steps; stop there if Ctrl-C was pressed."""
        self._save()
        if not self._requests.stop:
            return
        where = f"stopped in epoch {min(self.epoch + 1, self.plan.epochs)} of {self.plan.epochs}"
        place: Path | None = None
        if self._folder is not None:
            place = self._folder.path
            self._folder.end_metrics()
            where += f"; go on with: schuss resume {shlex.quote(str(place))}"
        raise Interrupted(where, place)

    def _save(self) -> None:
        if self._folder is None:
            self._due = math.inf
            return
        before = perf_counter()
        header = {
            **asdict(self.at),
            "seconds": self.seconds,
            "layout": self._layout(),
            "optimizer": checkpoint.optimizer_header(self.optimizer),
            "schedule": self._descent.state_dict(),
        }
        tensors = checkpoint.snapshot(
            self.model, self.best, self._average.state_dict(), self.optimizer
        )
        self._folder.write_checkpoint(self.step, tensors, header)
        if self.at.best_epoch:
            best = self.best or self.model.state_dict()
            self._folder.write_model(best, {"epoch": self.at.best_epoch, "finished": False})
        now = perf_counter()
        self._due = now + max(self.plan.checkpoint_seconds, _COST_SHARE * (now - before))

    def _layout(self) -> dict[str, Any]:
        """Return what must be the same for a checkpoint to fit."""
        held = 0 if self._validation is None else len(self._validation)
        return {
            "training_rows": len(self._training),
            "validation_rows": held,
            "epochs": self.plan.epochs,
            "batch_size": self.plan.batch_size,
            "seed": self.plan.seed,
            "eager": self.plan.eager,
        }

    def _begin_as_saved(self) -> None:
        """Take the weights that the run began with, where they are still there."""
        assert self._folder is not None
        with suppress(DataError):
            arrays, header = self._folder.read_model()
            if header.get("epoch") == 0:
                self.model.load_state_dict(arrays)

    def _restore(self) -> bool:
        """Go back to the newest checkpoint; False where there is none."""
        assert self._folder is not None
        self._folder.remove_leftovers()
        found, notes = self._folder.read_checkpoint()
        self.at.notes += notes
        if found is None:
            self._begin_as_saved()
            return False
        arrays, header = found
        if header["layout"] != self._layout():
            differing = [k for k, v in self._layout().items() if header["layout"].get(k) != v]
            raise FileFormatError(
                f"{self._folder.path}: the checkpoint was made with other {', '.join(differing)}; "
                "resume with the same data and options."
            )
        missing = [f.name for f in fields(checkpoint.Position) if f.name not in header]
        if missing:
            raise FileFormatError(
                f"{self._folder.path}: the checkpoint lacks {', '.join(missing)}; it was made by "
                "an older version of Schuss, train anew."
            )
        try:
            self.best = checkpoint.restore(arrays, header["optimizer"], self.model, self.optimizer)
            self._average.load_state_dict(checkpoint.part("average", arrays))
        except FileFormatError as error:
            raise FileFormatError(f"{self._folder.path}: {error}") from None
        self._descent.load_state_dict(header["schedule"])
        self.at = checkpoint.Position(
            **{f.name: header[f.name] for f in fields(checkpoint.Position)}
        )
        self.at.notes += notes
        self.history = self._folder.read_metrics(self.at.history)
        self._folder.begin_metrics(self.at.history)
        return True
