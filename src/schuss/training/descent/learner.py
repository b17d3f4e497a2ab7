"""Learner: a network with its loss, optimizer, schedule and training step."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from schuss import optim
from schuss.core import Tensor
from schuss.errors import UsageError
from schuss.nn.module import Module
from schuss.optim import Optimizer
from schuss.training.arguments import LIMIT, look_up, problems
from schuss.training.descent.defaults import SCHEDULE, default_optimizer
from schuss.training.descent.schedule import HyperparameterSchedule
from schuss.training.descent.train_step import Step, make_step
from schuss.training.evaluation.objective import Objective

__all__ = ["OPTIMIZERS", "DescentOptions", "Learner", "OptimizerLike"]

OptimizerLike: TypeAlias = "str | Optimizer | Callable[..., Optimizer]"


def _sam(params: Any, lr: float = 0.1, weight_decay: float = 0.0) -> Optimizer:
    """Return SAM around the rule of its paper, SGD with momentum."""
    return optim.SAM(params, optim.SGD, lr=lr, momentum=0.9, weight_decay=weight_decay)


# "muon" has AdamW's rule for what are no matrices, as networks have such parameters.
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    **{
        rule.__name__.lower(): rule
        for rule in (
            optim.ASGD,
            optim.SGD,
            optim.Adadelta,
            optim.Adafactor,
            optim.Adagrad,
            optim.Adam,
            optim.AdamWScheduleFree,
            optim.AdamW,
            optim.Adamax,
            optim.DAdaptAdam,
            optim.DAdaptSGD,
            optim.LAMB,
            optim.Lion,
            optim.NAdam,
            optim.Prodigy,
            optim.RAdam,
            optim.RMSprop,
            optim.Rprop,
            optim.SGDScheduleFree,
            optim.SOAP,
            optim.Shampoo,
        )
    },
    "muon": optim.MuonAdamW,
    "sam": _sam,
}


@dataclass(frozen=True)
class DescentOptions:
    """How a network descends, as `Trainer` takes it; see there."""

    optimizer: OptimizerLike
    lr: float | str | None
    schedule: Any
    schedule_every: str
    weight_decay: float | None
    clip_norm: float | None
    clip_value: float | None

    def problems(self) -> list[str]:
        """Say what is out of range."""
        return problems(vars(self), {"clip_norm": LIMIT, "clip_value": LIMIT})

    @property
    def finds_rate(self) -> bool:
        """Whether the learning rate is found: where it is "auto", or nobody has given one.

        Rules that have a pace of their own keep the rate that they are made with.
        """
        if self.lr is not None and self.lr != "auto":
            return False
        given = self.optimizer
        rule = OPTIMIZERS.get(given.lower()) if isinstance(given, str) else given
        if getattr(rule, "has_own_pace", False):
            return False
        if self.lr is not None:
            return True
        return isinstance(given, str) or (
            not isinstance(given, Optimizer)
            and callable(given)
            and "lr" in inspect.signature(given).parameters
        )

    @property
    def is_untouched(self) -> bool:
        """Whether nothing of it is given."""
        given = (self.optimizer, self.schedule, self.lr or "auto")
        rest = (self.weight_decay, self.clip_norm, self.clip_value)
        return all(isinstance(x, str) and x == "auto" for x in given) and rest == (None,) * 3

    def make_schedule(self, optimizer: Optimizer, model: Module) -> HyperparameterSchedule:
        """Make what changes the hyperparameters while training.

        Raises:
            UsageError: if it cannot be made of these options.
        """
        given = self.schedule
        if isinstance(given, str) and given == "auto":
            given = SCHEDULE if self.finds_rate else None
        schedule = HyperparameterSchedule(given, optimizer, model, every=self.schedule_every)
        if self.finds_rate and schedule.scheduler is not None:
            raise UsageError(
                "Trainer: expected a number for lr beside a scheduler, which has learning rates "
                "of its own; give one, or a function of the progress as the schedule."
            )
        return schedule

    def make_optimizer(self, model: Module) -> Optimizer:
        """Make the optimizer of a model's parameters, or return the one given.

        Raises:
            UsageError: if it cannot be made of these options.
        """
        given = self.optimizer
        if isinstance(given, str) and given == "auto":
            given = partial(default_optimizer, model)
            return self._called(given, "lr", "weight_decay")
        if isinstance(given, Optimizer):
            if self.lr not in (None, "auto") or self.weight_decay is not None:
                raise UsageError(
                    "Trainer: expected lr and weight_decay inside the optimizer given; leave them "
                    "out."
                )
            return given
        if isinstance(given, str):
            given = look_up("Trainer", "optimizer", given.lower(), OPTIMIZERS)
        if not callable(given):
            raise UsageError(
                f"Trainer: expected optimizer to be a name, an optimizer or a function that makes "
                f"one, got {type(given).__name__}."
            )
        parameters = [p for p in model.parameters() if p.requires_grad]
        return self._called(partial(given, parameters), *inspect.signature(given).parameters)

    def _called(self, make: Callable[..., Optimizer], *taken: str) -> Optimizer:
        """Return what a function makes of the options, which takes those of these names."""
        if isinstance(self.lr, str) and self.lr != "auto":
            raise UsageError(f"Trainer: expected lr to be a number or 'auto', got {self.lr!r}.")
        wanted = {"lr": None if self.lr == "auto" else self.lr, "weight_decay": self.weight_decay}
        options = {name: value for name, value in wanted.items() if value is not None}
        for name in options:
            if name not in taken:
                raise UsageError(
                    f"Trainer: the optimizer's function takes no {name}; leave it out."
                )
        try:
            return make(**options)
        except ValueError as error:
            raise UsageError(f"Trainer: {error}") from None


@dataclass(frozen=True)
class Learner:
    """A network with all that it learns by.

    Args:
        model: what is trained.
        objective: the loss.
        optimizer: over the model's parameters.
        schedule: changes the optimizer's hyperparameters.
        step: takes one training step.
        finds_rate: whether the learning rate is found before the first step.
        usual_rate: whether the one that the search begins with is usual for such a network.
        sets_decay: whether the weight decay is set before the first step, too.
    """

    model: Module
    objective: Objective
    optimizer: Optimizer
    schedule: HyperparameterSchedule
    step: Step
    finds_rate: bool = False
    usual_rate: bool = False
    sets_decay: bool = False

    @classmethod
    def make(cls, model: Module, objective: Objective, options: DescentOptions) -> Learner:
        """Make the optimizer, the schedule and the step that the options ask for."""
        optimizer = options.make_optimizer(model)
        schedule = options.make_schedule(optimizer, model)
        step = make_step(
            model, objective, optimizer, clip_norm=options.clip_norm, clip_value=options.clip_value
        )
        usual = isinstance(options.optimizer, str) and options.optimizer == "auto"
        return cls(
            model,
            objective,
            optimizer,
            schedule,
            step,
            finds_rate=options.finds_rate,
            usual_rate=usual,
            sets_decay=usual and options.weight_decay is None,
        )

    def put_weights(self, *, training: bool) -> None:
        """Put the weights where gradients are taken, or where the network is to be used.

        They differ for rules that say so by `train()` and `eval()`, as the Schedule-Free ones.
        """
        move = getattr(self.optimizer, "train" if training else "eval", None)
        if move is not None:
            move()

    @property
    def parameters(self) -> list[Tensor]:
        """What the optimizer changes."""
        return [p for group in self.optimizer.param_groups for p in group["params"]]
