"""Hyperparameters that change while training: by functions of the progress, or by a scheduler."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from schuss.errors import UsageError
from schuss.nn.dropout import Dropout
from schuss.nn.module import Module
from schuss.optim import Optimizer
from schuss.optim.schedules import BY_PROGRESS, Schedule
from schuss.training.arguments import look_up

__all__ = ["HyperparameterSchedule"]


def _function(given: Any) -> Schedule:
    if isinstance(given, str):
        return look_up("Trainer", "schedule", given, BY_PROGRESS)
    if not callable(given):
        raise UsageError(
            f"Trainer: expected a schedule's name, a function of the progress from 0 to 1, or a "
            f"scheduler of schuss.optim, got {type(given).__name__}."
        )
    function: Schedule = given
    return function


class HyperparameterSchedule:
    """Sets the optimizer's hyperparameters and the dropout before each step.

    Before a step at the progress t in [0, 1), group[name] = group["initial_" + name] * f(t) for
    each function f, and p of each dropout layer is its p at the start times f(t) of "dropout".

    Args:
        schedule: None; a name or function of the progress for the learning rate; such by
            hyperparameter's name ("lr", "weight_decay", "dropout", ...); or a scheduler of
            `schuss.optim.lr_scheduler`.
        every: "epoch" or "step": when a scheduler of `schuss.optim` steps.
        optimizer: whose groups to set.
        model: whose dropout layers to set.

    Raises:
        UsageError: if the schedule is none of these, or names what the optimizer does not have.
    """

    def __init__(
        self, schedule: Any, optimizer: Optimizer, model: Module, *, every: str = "epoch"
    ) -> None:
        if every not in ("epoch", "step"):
            raise UsageError(f"Trainer: expected schedule_every 'epoch' or 'step', got {every!r}.")
        self.optimizer = optimizer
        self.every = every
        self.scheduler: Any = None
        self.functions: dict[str, Schedule] = {}
        if hasattr(schedule, "step") and hasattr(schedule, "state_dict"):
            if getattr(schedule, "optimizer", optimizer) is not optimizer:
                raise UsageError(
                    "Trainer: expected the scheduler to belong to the optimizer given, got one "
                    "of another; give the same optimizer to both."
                )
            self.scheduler = schedule
        elif isinstance(schedule, Mapping):
            self.functions = {name: _function(given) for name, given in schedule.items()}
        elif schedule is not None:
            self.functions = {"lr": _function(schedule)}
        self._dropout = self.functions.pop("dropout", None)
        self._layers = [
            (m, m.p) for m in model.modules() if self._dropout and isinstance(m, Dropout)
        ]
        for name in self.functions:
            for group in optimizer.param_groups:
                if not isinstance(group.get(name), (int, float)):
                    known = [k for k, v in group.items() if isinstance(v, float)]
                    raise UsageError(
                        f"Trainer: the schedule names {name!r}, which "
                        f"{type(optimizer).__name__} does not have; there are {', '.join(known)}."
                    )
                group.setdefault(f"initial_{name}", group[name])

    @property
    def lr(self) -> float:
        """The learning rate of the first group."""
        return float(self.optimizer.param_groups[0]["lr"])

    @property
    def changes(self) -> bool:
        """Whether anything changes from step to step, not just between epochs."""
        steps = self.scheduler is not None and self.every == "step"
        return bool(self.functions or self._dropout or steps)

    def before_step(self, progress: float) -> None:
        """Set everything for a step at this progress, in [0, 1)."""
        for name, function in self.functions.items():
            factor = function(progress)
            for group in self.optimizer.param_groups:
                group[name] = group[f"initial_{name}"] * factor
        if self._dropout:
            factor = self._dropout(progress)
            for layer, p in self._layers:
                layer.p = p * factor

    def after_step(self) -> None:
        """Let a scheduler that counts steps go on."""
        if self.scheduler is not None and self.every == "step":
            self.scheduler.step()

    def after_epoch(self, monitored: float | None) -> None:
        """Let a scheduler that counts epochs go on; a plateau is told by the figure."""
        if self.scheduler is None or self.every != "epoch":
            return
        if hasattr(self.scheduler, "num_bad_epochs"):
            if monitored is not None:
                self.scheduler.step(monitored)
        else:
            self.scheduler.step()

    def finish(self) -> None:
        """Put dropout back to what it was before."""
        for layer, p in self._layers:
            layer.p = p

    def state_dict(self) -> dict[str, Any]:
        """Return a scheduler's state, as JSON can hold it; functions of the progress have none."""
        return {} if self.scheduler is None else copy.deepcopy(dict(self.scheduler.state_dict()))

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        if self.scheduler is not None:
            self.scheduler.load_state_dict(state)
