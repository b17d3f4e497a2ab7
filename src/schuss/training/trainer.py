"""Trainer: the loop for a network and a loss of your own, on arrays in memory."""

from __future__ import annotations

import hashlib
import inspect
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from numbers import Integral
from typing import Any, TypeAlias

from schuss import optim, random
from schuss.core import float32
from schuss.data.table import did_you_mean
from schuss.errors import UsageError
from schuss.nn.module import Module
from schuss.optim import Optimizer
from schuss.training.descent.schedule import HyperparameterSchedule
from schuss.training.descent.steppers import EagerSteps, NativeSteps, Steps, is_worth_compiling
from schuss.training.descent.train_step import make_step
from schuss.training.evaluation import compiled_forward
from schuss.training.evaluation.compiled_forward import Forward
from schuss.training.evaluation.evaluate import evaluate, few_threads, outputs
from schuss.training.evaluation.examples import Examples, class_factors, hold_out
from schuss.training.evaluation.metrics import HIGHER_IS_BETTER, Metric, metric
from schuss.training.evaluation.objective import Loss, Objective
from schuss.training.loop.callbacks import as_callbacks, watches_steps
from schuss.training.loop.fit import Fit, Plan
from schuss.training.loop.loop import Loop
from schuss.training.loop.progress import Display, clock, make_display
from schuss.training.runs import checkpoint
from schuss.training.runs.folder import RunFolder
from schuss.training.runs.interrupt import catch_interrupts
from schuss.training.runs.lock import only_process
from schuss.version import __version__

__all__ = ["OPTIMIZERS", "Trainer"]

OptimizerLike: TypeAlias = "str | Optimizer | Callable[..., Optimizer]"

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "sgd": optim.SGD,
    "adagrad": optim.Adagrad,
    "rmsprop": optim.RMSprop,
    "adam": optim.Adam,
    "adamw": optim.AdamW,
}


def seed_for(seed: int, purpose: str) -> int:
    """Return a seed of its own for a purpose, so that its draws are not those of another.

    >>> seed_for(0, "weights") != seed_for(0, "steps")
    True
    """
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


class Trainer:
    """Train a network by backpropagation and gradient descent, and keep its best weights.

    Args:
        model: called with a batch's inputs.
        loss: "cross_entropy", "binary_cross_entropy", "mse", "l1", "huber"; a loss of
            `schuss.nn`; or a function of (output, target).
        optimizer: "sgd", "adagrad", "rmsprop", "adam", "adamw"; an optimizer; or a function that
            makes one from the parameters (and lr and weight_decay where it takes them).
        lr: learning rate, above 0; "auto" or None for the rule's usual one.
        schedule: None; a function of the progress in [0, 1) that multiplies the learning rate, or
            its name ("constant", "linear", "cosine", "warm_cosine", "one_cycle"); such by
            hyperparameter ("lr", "weight_decay", "dropout"); or a scheduler of `schuss.optim`.
        schedule_every: "epoch" or "step": when such a scheduler steps.
        batch_size: rows in a step, at least 1.
        epochs: passes over the training rows, at most; at least 1.
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
            which is steadier than the weights of one; None for these.
        progress: whether to show it on standard error.
        eager: True takes steps one by one with NumPy, as a model that cannot be traced needs;
            False compiles them into native code (see `schuss.compile`); None compiles them
            where there are enough to gain more time than compiling takes, and the model and the
            loss can be traced.

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
        optimizer: OptimizerLike = "adam",
        lr: float | str | None = None,
        schedule: Any = None,
        schedule_every: str = "epoch",
        batch_size: int = 32,
        epochs: int = 100,
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
        average_epochs: int | None = None,
        progress: bool | Display = True,
        eager: bool | None = None,
    ) -> None:
        named = (
            metrics if isinstance(metrics, Mapping) else {name: metric(name) for name in metrics}
        )
        counts = {
            "batch_size": batch_size,
            "epochs": epochs,
            "patience": patience,
            "average_epochs": average_epochs,
        }
        limits = {"clip_norm": clip_norm, "clip_value": clip_value}
        _check(counts, limits, monitor, mode, ties, named)
        self.model = model
        self.objective = Objective(loss)
        self.optimizer = _optimizer(optimizer, model, lr, weight_decay)
        self.descent = HyperparameterSchedule(schedule, self.optimizer, model, every=schedule_every)
        self.class_weight = class_weight
        self.callbacks = as_callbacks(callbacks)
        self.progress = progress
        self.seed = seed
        self.eager = eager
        self._folder = folder
        self._overwrite = overwrite
        self._step = make_step(
            model, self.objective, self.optimizer, clip_norm=clip_norm, clip_value=clip_value
        )
        self.plan = Plan(
            epochs=int(epochs),
            batch_size=int(batch_size),
            drop_last=drop_last,
            seed=seed_for(seed, "steps"),
            metrics=dict(named),
            monitor=monitor,
            higher=mode == "max" if mode else monitor in HIGHER_IS_BETTER,
            ties=ties,
            patience=patience,
            checkpoint_seconds=checkpoint_seconds,
            average_epochs=average_epochs,
        )

    def fit(
        self,
        train: Any,
        validation: Any = 0.2,
        *,
        sample_weight: Any = None,
        resume: bool = False,
    ) -> Fit:
        """Train, and leave the model with the best weights.

        Args:
            train: (X, y), ((X1, X2), y) for several inputs, or (X, y, weight): arrays or tensors
                of shape (rows, ...); or an object whose `train[i]` is the pair (x, y) of a row.
            validation: rows to choose the best epoch by, in the same form; or the share of the
                training rows, in proportion to the classes; or None, for the last epoch.
            sample_weight: weight of each training row, of shape (rows,).
            resume: go on from the newest checkpoint in the folder.

        Returns:
            Epochs, history and time.

        Raises:
            DataError: if rows do not fit together or are not finite.
            UsageError: if options contradict each other.
            DivergenceError: if the loss is not finite and no epoch was complete.
            TraceError: if eager is False, and the model or the loss cannot be compiled.
            Interrupted: after Ctrl-C; a checkpoint has been saved.
        """
        training, held = self._rows(train, validation, sample_weight)
        folder = self._open(resume)
        display = make_display(self.progress, self.plan.monitor)
        outer = random.get_state()
        rows = min(self.plan.batch_size, len(training))
        eager = self._runs_eagerly(training)
        held_open = nullcontext() if folder is None else only_process(folder.path)
        with held_open, catch_interrupts() as requests, few_threads(self.model, rows):
            loop = Loop(
                replace(self.plan, eager=eager),
                self.model,
                self.objective,
                self.optimizer,
                self.descent,
                self._steps(training, eager=eager),
                training,
                held,
                folder=folder,
                display=display,
                callbacks=self.callbacks,
                requests=requests,
            )
            try:
                fit = loop.run(resume=resume)
            except BaseException:
                display.end("")
                raise
            finally:
                random.set_state(outer)
                if folder is not None:
                    folder.end_metrics()
        if isinstance(self._folder, (str, os.PathLike)) and folder is not None:
            folder.write_model(self.model.state_dict(), {"epoch": fit.best_epoch, "finished": True})
        display.end(_summary(fit, self.plan))
        return fit

    def evaluate(self, data: Any) -> dict[str, float | None]:
        """Return the loss and the metrics on rows given like those of `fit`."""
        rows = Examples.of(data, dtype=_dtype(self.model))
        return evaluate(
            self.model, self.objective, rows, self.plan.metrics, forward=self._forward(rows)
        )

    def predict(self, inputs: Any) -> Any:
        """Return the model's outputs for X, or for (X1, X2), as an array."""
        given = inputs if isinstance(inputs, tuple) else (inputs,)
        rows = Examples.of((given, _numbers(len(given[0]))), dtype=_dtype(self.model))
        return outputs(self.model, rows, forward=self._forward(rows))

    def _forward(self, rows: Examples) -> Forward | None:
        """Return the model as native code, where so many rows are worth it."""
        if self.eager or self.model.evaluates_by_values:
            return None
        if not compiled_forward.is_worth_compiling(self.model, len(rows), 1):
            return None
        return Forward(self.model, needed=self.eager is False)

    def _rows(
        self, train: Any, validation: Any, sample_weight: Any
    ) -> tuple[Examples, Examples | None]:
        dtype = _dtype(self.model)
        training = Examples.of(train, weight=sample_weight, dtype=dtype)
        held: Examples | None = None
        if isinstance(validation, (int, float)) and not isinstance(validation, bool):
            training, held = hold_out(
                training, float(validation), seed_for(self.seed, "validation")
            )
        elif validation is not None:
            held = Examples.of(validation, dtype=dtype)
        if held is None and self.plan.patience is not None:
            raise UsageError(
                "Trainer: patience needs validation rows to tell better from worse; give a "
                "validation share, or leave patience out."
            )
        if self.class_weight is not None:
            factors = class_factors(self.class_weight, training.y)
            training = training.weighted_by(factors)
        if training.weight is not None and not self.objective.weighs:
            raise UsageError(
                "Trainer: this loss cannot weigh rows; give it an argument `weights` or "
                "`reduction`, or leave the weights out."
            )
        return training.without_zero_weights(), held

    def _runs_eagerly(self, training: Examples) -> bool:
        if self.eager is not None:
            return self.eager
        rows = min(self.plan.batch_size, len(training))
        steps = self.plan.epochs * -(-len(training) // rows)
        return not is_worth_compiling(self.model, rows, steps)

    def _steps(self, training: Examples, *, eager: bool) -> Steps:
        held = [p for group in self.optimizer.param_groups for p in group["params"]]
        one_by_one = EagerSteps(self._step, training, held)
        if eager:
            return one_by_one
        return NativeSteps(
            self._step,
            training,
            single=any(map(watches_steps, self.callbacks)),
            otherwise=one_by_one if self.eager is None else None,
        )

    def _open(self, resume: bool) -> RunFolder | None:
        if self._folder is None:
            if resume:
                raise UsageError("Trainer: expected a folder to resume from, got none; give one.")
            return None
        if isinstance(self._folder, RunFolder):
            return self._folder
        if resume:
            return RunFolder(self._folder)
        config = {"kind": "trainer", "schuss": __version__, "seed": self.seed}
        first = {"epoch": 0, "finished": False}
        return RunFolder.create(
            config,
            checkpoint.copy_of(self.model),
            first,
            path=self._folder,
            overwrite=self._overwrite,
        )


def _numbers(count: int) -> Any:
    import numpy as np

    return np.zeros(count, dtype=np.int64)


def _dtype(model: Module) -> Any:
    """Return the dtype of a model's first float parameter."""
    floats = (p.dtype for p in model.parameters() if p.dtype.kind == "f")
    return next(floats, float32)


def _optimizer(
    given: OptimizerLike, model: Module, lr: float | str | None, weight_decay: float | None
) -> Optimizer:
    if isinstance(given, Optimizer):
        if lr not in (None, "auto") or weight_decay is not None:
            raise UsageError(
                "Trainer: expected lr and weight_decay inside the optimizer given; leave them out."
            )
        return given
    if isinstance(given, str):
        if given.lower() not in OPTIMIZERS:
            hint = did_you_mean(given, OPTIMIZERS).replace("the columns are", "there are")
            raise UsageError(f"Trainer: there is no optimizer {given!r}; {hint}")
        given = OPTIMIZERS[given.lower()]
    if not callable(given):
        raise UsageError(
            f"Trainer: expected optimizer to be a name, an optimizer or a function that makes "
            f"one, got {type(given).__name__}."
        )
    if isinstance(lr, str) and lr != "auto":
        raise UsageError(f"Trainer: expected lr to be a number or 'auto', got {lr!r}.")
    wanted = {"lr": None if lr == "auto" else lr, "weight_decay": weight_decay}
    options = {name: value for name, value in wanted.items() if value is not None}
    taken = inspect.signature(given).parameters
    if any(name not in taken for name in options):
        missing = next(name for name in options if name not in taken)
        raise UsageError(f"Trainer: the optimizer's function takes no {missing}; leave it out.")
    try:
        return given([p for p in model.parameters() if p.requires_grad], **options)
    except ValueError as error:
        raise UsageError(f"Trainer: {error}") from None


def _check(
    counts: Mapping[str, int | None],
    limits: Mapping[str, float | None],
    monitor: str,
    mode: str | None,
    ties: str,
    metrics: Mapping[str, Metric],
) -> None:
    """Refuse options out of range, all of them at once."""
    problems = [
        f"{name} a whole number of at least 1, got {count!r}"
        for name, count in counts.items()
        if count is not None and not (isinstance(count, Integral) and count >= 1)
    ]
    problems += [
        f"{name} above 0, got {limit!r}"
        for name, limit in limits.items()
        if limit is not None and not limit > 0
    ]
    if monitor != "loss" and monitor not in metrics:
        problems.append(
            f"monitor 'loss' or one of the metrics ({', '.join(metrics)}), got {monitor!r}"
        )
    if mode not in (None, "min", "max"):
        problems.append(f"mode 'min' or 'max', got {mode!r}")
    if ties not in ("first", "last", "loss", *metrics):
        problems.append(f"ties 'first', 'last', 'loss' or one of its metrics, got {ties!r}")
    if problems:
        raise UsageError(f"Trainer: expected {'; '.join(problems)}.")


def _summary(fit: Fit, plan: Plan) -> str:
    """Return the line that ends the progress."""
    text = f"trained {fit.epochs} epoch{'' if fit.epochs == 1 else 's'} in {clock(fit.seconds)}"
    if fit.stopped == "patience":
        text += f" (no better epoch in the last {plan.patience})"
    if fit.best_epoch and fit.best_epoch != fit.epochs:
        text += f"; the best was epoch {fit.best_epoch}"
    return text
