"""Trainer: trains a network of your own on arrays in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from schuss import random
from schuss.core import float32
from schuss.errors import UsageError
from schuss.inspect import Diagnosis
from schuss.modes import quietly
from schuss.nn.module import Module
from schuss.optim import Optimizer
from schuss.threads import limit_threads
from schuss.training.arguments import grouped, refuse, seconds_of
from schuss.training.descent.learner import DescentOptions, Learner, OptimizerLike
from schuss.training.descent.step_size.curve import RateCurve
from schuss.training.descent.steppers import CompiledStepper, EagerStepper, Stepper
from schuss.training.diagnosing import diagnose_on, has_hardly_learned
from schuss.training.escape.stage import LEAST_EPOCHS, EscapeOptions
from schuss.training.evaluation import cost
from schuss.training.evaluation.compiled_forward import CompiledForward, native_forward
from schuss.training.evaluation.evaluate import evaluate, outputs
from schuss.training.evaluation.examples import Examples, batch_bounds, class_factors, hold_out
from schuss.training.evaluation.metrics import Metric, by_name
from schuss.training.evaluation.objective import Loss, Objective
from schuss.training.loop.callbacks import as_callbacks, watches_steps
from schuss.training.loop.context import RunContext, TrainingData
from schuss.training.loop.fit import Fit
from schuss.training.loop.loop import TrainingLoop
from schuss.training.loop.plan import TrainingPlan, seed_for
from schuss.training.loop.progress import Display, make_display
from schuss.training.loop.rescue import make_escape
from schuss.training.loop.step_size import find_rate_curve
from schuss.training.runs.folder import RunFolder
from schuss.training.runs.interrupt import catch_interrupts
from schuss.version import __version__

__all__ = ["Trainer"]


@dataclass(frozen=True)
class OutputOptions:
    """Where a training is saved and what shows it, as `Trainer` takes it; see there."""

    folder: str | os.PathLike[str] | RunFolder | None
    overwrite: bool
    callbacks: Iterable[Any]
    progress: bool | Display


class Trainer:
    """Train a network by backpropagation and gradient descent, and keep its best weights.

    Args:
        model: called with a batch's inputs.
        loss: "cross_entropy", "binary_cross_entropy", "mse", "l1", "huber"; a loss of
            `schuss.nn`; or a function of (output, target).
        optimizer: "auto", NAdam with decoupled weight decay of matrices, and where the rate is
            found and each of 100 epochs or more is one step on all rows without randomness, L-BFGS
            for the last quarter, kept if it is better; a rule of `schuss.optim` by its name in
            small letters ("sgd", "adamw", "lion", "prodigy", "soap", ...; "muon" has AdamW for what
            are no matrices, "sam" is around SGD with momentum 0.9); an optimizer; or a function
            that makes one from the parameters (and lr and weight_decay where it takes them).
        lr: learning rate, above 0; "auto" finds it before the first step, by a range test and
            short races, which take at most about an eighth of the steps and leave no trace. None
            is "auto", but where an optimizer is given, or a function that takes no lr, these say.
        schedule: "auto", which is "warm_cosine" where the learning rate is found and None where
            it is given; None; a function of the progress in [0, 1) that multiplies the learning
            rate, or its name ("constant", "linear", "cosine", "warm_cosine", "one_cycle"); such by
            hyperparameter ("lr", "weight_decay", "dropout"); or a scheduler of `schuss.optim`.
        schedule_every: "epoch" or "step": when such a scheduler steps.
        batch_size: rows in a step, at least 1; None for about the root of the number of rows.
        epochs: passes over the training rows, at most; at least 1.
        time_budget: time to train in, at most: seconds, or text such as "90s", "10m", "1h30m". The
            schedule ends with it. Clocks decide then how many steps there are; see `Fit.stopped`.
        patience: epochs without a better one after which training stops; None for never.
        weight_decay: at least 0; None for the rule's own.
        clip_norm: largest norm of all gradients together, or None.
        clip_value: largest absolute value of a gradient's element, or None.
        class_weight: "balanced", factors by class, or None.
        metrics: names from `schuss.training.evaluation.metrics`, or functions of (y, output,
            weight) by name.
        monitor: figure on the validation rows that chooses the best epoch: "loss" or a metric.
        mode: "min" or "max" of it; None where its name says so.
        ties: which of equally good epochs is the best: "first", "last", or the one that another
            figure ("loss" or a metric) prefers.
        drop_last: whether a last, smaller batch of an epoch is left out.
        seed: decides the validation share, the order of the rows and the dropout.
        callbacks: functions of an epoch's figures, or `Callback`s.
        folder: a path for the run's files, or None to keep nothing on disk.
        overwrite: whether a run in that folder is replaced.
        checkpoint_seconds: least time between checkpoints; the result does not depend on it.
        average_epochs: validate and keep the average of the weights over about so many epochs,
            which is steadier than the weights of one; None for these; "auto" validates both, where
            the learning rate is found, and keeps what is better: the average is over a sixth of
            the epochs.
        progress: whether to show it on standard error.
        eager: True takes steps one by one with NumPy, as a model that cannot be traced needs;
            False compiles them into native code (see `schuss.compile`); None compiles them
            where there are enough to gain more time than compiling takes, and the model and the
            loss can be traced.
        escape: whether a network is got out of where it is stuck. A small one is raced from many
            starts, side by side in one program, and takes the weights that win: without validation
            rows instead of the descent, with them after one that has not learned its rows, if they
            are clearly better on the validation rows. That is for up to 512 parameters, losses that
            are means over rows, and modules that take each row for itself. Any other is looked at
            after a tenth, a quarter and half of the epochs: dead and duplicate units are drawn
            anew, so that the function stays; where nothing was learned, it steps off a saddle
            along the negative curvature, and weights on a plateau are drawn anew. The weights from
            before are kept if no later epoch is better. "auto" does so where nothing about the
            descent is given (optimizer, lr, schedule, weight_decay, clipping, average_epochs, and
            fewer than 50 epochs); True always; False never.

    Raises:
        UsageError: on options out of range.

    >>> import numpy as np
    >>> from schuss import manual_seed, nn
    >>> manual_seed(0)
    >>> x = np.linspace(-1.0, 1.0, 64)[:, None]
    >>> trainer = Trainer(nn.Linear(1, 1), "mse", lr=0.1, epochs=50, progress=False)
    >>> fit = trainer.fit((x, 3.0 * x[:, 0] + 1.0))
    >>> fit.best["validation_loss"] < 1e-3
    True
    """

    def __init__(
        self,
        model: Module,
        loss: str | Loss,
        *,
        optimizer: OptimizerLike = "auto",
        lr: float | str | None = None,
        schedule: Any = "auto",
        schedule_every: str = "epoch",
        batch_size: int | None = None,
        epochs: int = 100,
        time_budget: float | str | None = None,
        patience: int | None = None,
        weight_decay: float | None = None,
        clip_norm: float | None = None,
        clip_value: float | None = None,
        class_weight: Any = None,
        metrics: Iterable[str] | Mapping[str, Metric] = (),
        monitor: str = "loss",
        mode: str | None = None,
        ties: str = "first",
        drop_last: bool = False,
        seed: int = 0,
        callbacks: Iterable[Any] = (),
        folder: str | os.PathLike[str] | RunFolder | None = None,
        overwrite: bool = False,
        checkpoint_seconds: float = 5.0,
        average_epochs: int | str | None = "auto",
        progress: bool | Display = True,
        eager: bool | None = None,
        escape: bool | str = "auto",
    ) -> None:
        metrics = by_name(metrics)
        given = locals()
        self.plan = grouped(TrainingPlan, given)
        descent = grouped(DescentOptions, given)
        untouched = descent.is_untouched and average_epochs in (None, "auto")
        untouched = untouched and epochs >= LEAST_EPOCHS
        self._escape = EscapeOptions(escape, seed_for(seed, "escape"), untouched)
        problems = self.plan.problems() + descent.problems() + self._escape.problems()
        refuse("Trainer", problems)
        self.plan = replace(self.plan, time_budget=seconds_of(time_budget))
        self._learner = Learner.make(model, Objective(loss), descent)
        self._output = grouped(OutputOptions, given)
        self._callbacks = as_callbacks(callbacks)
        self._seen: Examples | None = None
        self._class_weight = class_weight
        kept = ("self", "model", "optimizer", "lr", "weight_decay", "metrics", "callbacks")
        self._options = {n: v for n, v in given.items() if n not in kept}

    def __reduce__(self) -> Any:
        # What was made of the options is made again; the optimizer has its state.
        options = {
            **self._options,
            "optimizer": self.optimizer,
            "metrics": dict(self.plan.metrics),
            "callbacks": list(self._callbacks),
        }
        return _made_again, (type(self), self.model, options)

    @property
    def model(self) -> Module:
        """The network."""
        return self._learner.model

    @property
    def optimizer(self) -> Optimizer:
        """What changes its parameters."""
        return self._learner.optimizer

    def __repr__(self) -> str:
        parameters = sum(p.size for p in self.model.parameters())
        rate = "auto" if self._learner.finds_rate else f"{self._learner.schedule.lr:.4g}"
        return (
            f"Trainer({type(self.model).__name__} of {parameters:,} parameters, "
            f"{type(self.optimizer).__name__}, lr={rate}, "
            f"batch_size={self.plan.batch_size or 'auto'}, epochs={self.plan.epochs})"
        )

    def fit(
        self,
        train: Any,
        validation: Any = "auto",
        *,
        sample_weight: Any = None,
        resume: bool = False,
    ) -> Fit:
        """Train, and leave the model with the best weights.

        Args:
            train: (X, y), ((X1, X2), y) for several inputs, or (X, y, weight): arrays or tensors
                of shape (rows, ...); or an object whose `train[i]` is the pair (x, y) of a row.
            validation: rows to choose the best epoch by, in the same form; or the share of the
                training rows, in proportion to the classes; or None, for the last epoch. "auto"
                is 0.2; and where a race finds weights that are clearly better on these rows, or no
                network says more of them than a constant, it goes on to learn them as well.
            sample_weight: weight of each training row, of shape (rows,).
            resume: go on from the newest checkpoint in the folder.

        Returns:
            Epochs, history and time.

        Raises:
            DataError: if rows do not fit together or are not finite.
            UsageError: if options contradict each other.
            DivergenceError: if the loss is not finite and no epoch was complete.
            TraceError: if eager is False, and the model or the loss cannot be compiled.
            Interrupted: after Ctrl-C, SIGTERM or SIGHUP; a checkpoint has been saved. After the
                latter two it is a SystemExit as well, with 128 and the signal's number.
        """
        # How many threads share a product decides how its sums are rounded, so that one computes
        # those of an eager step; compiled programs give the same bits on any number.
        with limit_threads(1), quietly():
            return self._fit(self._rows(train, validation, sample_weight), resume)

    def _fit(self, data: TrainingData, resume: bool) -> Fit:
        self._seen = data.training
        folder = self._open(resume)
        display = make_display(self._output.progress, self.plan.monitor)
        plan = replace(self.plan, eager=self._runs_eagerly(data.training))
        lock = nullcontext() if folder is None else folder.locked()
        with lock, random.separate_draws(), catch_interrupts() as stop:
            context = RunContext(folder, display, self._callbacks, stop)
            stepper = self._stepper(data.training, eager=bool(plan.eager))
            escape = make_escape(self._escape, self._learner, data, self.plan.epochs)
            loop = TrainingLoop(plan, self._learner, stepper, data, context, escape)
            try:
                fit = loop.run(resume=resume)
                # One that was handed over gets its last model from whoever made it.
                if folder is not None and folder is not self._output.folder:
                    end = {"epoch": fit.best_epoch, "finished": True}
                    folder.write_model(self.model.state_dict(), end)
            except BaseException:
                display.end("")
                raise
            finally:
                if folder is not None:
                    folder.end_metrics()
        if has_hardly_learned(fit):
            note = f"hardly anything was learned: {self.diagnose().summary}"
            fit.notes.append(note)
            display.note(note)
        display.end(fit.summary(plan.patience))
        return fit

    def diagnose(self, data: Any = None) -> Diagnosis:
        """Say where the descent stands (minimum, saddle, plateau, slope), and what is broken.

        Args:
            data: rows given like those of `fit`; None for those of the last `fit`.

        Raises:
            UsageError: if there are no rows yet.
        """
        if data is None and self._seen is None:
            raise UsageError("Trainer: diagnose needs rows before the first fit; give some.")
        rows = self._seen if data is None else Examples.of(data, dtype=_dtype(self.model))
        assert rows is not None
        return diagnose_on(self.model, self._learner.objective, rows)

    def find_lr(
        self, train: Any, validation: Any = "auto", *, sample_weight: Any = None
    ) -> RateCurve:
        """Return how short trainings end, by their learning rate; nothing changes.

        From far too small to too big, each rate is tried for some steps of its own, from the same
        weights on the same rows, with the schedule to its end. `print(curve)` draws it with its
        zones, `curve.save("curve.svg")` as a picture, and `curve.best` is a rate for the whole
        training.

        Args:
            train: as for `fit`.
            validation: likewise; these rows are left out.
            sample_weight: likewise.

        Raises:
            DataError: if rows do not fit together or are not finite.
            UsageError: if options contradict each other.

        >>> import numpy as np
        >>> from schuss import manual_seed, nn
        >>> manual_seed(0)
        >>> x = np.linspace(-1.0, 1.0, 64)[:, None]
        >>> trainer = Trainer(nn.Linear(1, 1), "mse", epochs=50)
        >>> curve = trainer.find_lr((x, 3.0 * x[:, 0] + 1.0))
        >>> curve.low <= curve.best <= curve.high
        True
        """
        with limit_threads(1), quietly(), random.separate_draws():
            training = self._rows(train, validation, sample_weight).training
            plan = replace(self.plan, eager=self._runs_eagerly(training))
            stepper = self._stepper(training, eager=bool(plan.eager))
            bounds = batch_bounds(len(training), plan.batch(len(training)), plan.drop_last)
            steps = plan.epochs * len(bounds)
            return find_rate_curve(self._learner, stepper, training, plan, steps)

    def evaluate(self, data: Any) -> dict[str, float | None]:
        """Return the loss and the metrics on rows given like those of `fit`."""
        rows = Examples.of(data, dtype=_dtype(self.model))
        with quietly():
            return evaluate(
                self.model,
                self._learner.objective,
                rows,
                self.plan.metrics,
                forward=self._forward(rows),
            )

    def predict(self, inputs: Any) -> Any:
        """Return the model's outputs for X, or for (X1, X2), as an array."""
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        targets = np.zeros(len(given[0]), dtype=np.int64)
        rows = Examples.of((given, targets), dtype=_dtype(self.model))
        with quietly():
            return outputs(self.model, rows, forward=self._forward(rows))

    def _forward(self, rows: Examples) -> CompiledForward | None:
        """Return the model as native code, where so many rows are worth it."""
        eager = self.plan.eager
        return None if eager else native_forward(self.model, len(rows), needed=eager is False)

    def _rows(self, train: Any, validation: Any, sample_weight: Any) -> TrainingData:
        dtype = _dtype(self.model)
        training = Examples.of(train, weight=sample_weight, dtype=dtype)
        held: Examples | None = None
        is_final = isinstance(validation, str) and validation == "auto"
        validation = 0.2 if is_final else validation
        if isinstance(validation, (int, float)) and not isinstance(validation, bool):
            seed = seed_for(self.plan.seed, "validation")
            training, held = hold_out(training, float(validation), seed)
        elif validation is not None:
            held = Examples.of(validation, dtype=dtype)
        if held is None and self.plan.patience is not None:
            raise UsageError(
                "Trainer: patience needs validation rows to tell better from worse; give a "
                "validation share, or leave patience out."
            )
        if self._class_weight is not None:
            training = training.weighted_by(class_factors(self._class_weight, training.y))
        if training.weight is not None and not self._learner.objective.weighs:
            self._learner.objective.refuse_weights()
        return TrainingData(training.without_zero_weights(), held, is_final)

    def _runs_eagerly(self, training: Examples) -> bool:
        if self.plan.eager is not None:
            return self.plan.eager
        rows = min(self.plan.batch(len(training)), len(training))
        steps = self.plan.epochs * -(-len(training) // rows)
        return not cost.steps_are_worth_compiling(self.model, rows, steps)

    def _stepper(self, training: Examples, *, eager: bool) -> Stepper:
        one_by_one = EagerStepper(self._learner.step, training, self._learner.parameters)
        if eager:
            return one_by_one
        return CompiledStepper(
            self._learner.step,
            training,
            one_per_call=any(map(watches_steps, self._callbacks)),
            fallback=one_by_one if self.plan.eager is None else None,
        )

    def _open(self, resume: bool) -> RunFolder | None:
        place = self._output.folder
        if place is None:
            if resume:
                raise UsageError("Trainer: expected a folder to resume from, got none; give one.")
            return None
        if isinstance(place, RunFolder):
            return place
        if resume:
            return RunFolder(place)
        return RunFolder.create(
            {"kind": "trainer", "schuss": __version__, "seed": self.plan.seed},
            self.model.state_dict(),
            path=place,
            overwrite=self._output.overwrite,
        )


def _made_again(kind: type[Trainer], model: Module, options: dict[str, Any]) -> Trainer:
    """Return a trainer that was pickled or copied."""
    return kind(model, **options)


def _dtype(model: Module) -> Any:
    """Return the dtype of a model's first float parameter."""
    floats = (p.array.dtype for p in model.parameters() if p.array.dtype.kind == "f")
    return next(floats, float32)
