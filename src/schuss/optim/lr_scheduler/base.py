"""Scheduler and LRScheduler, the bases: state, and the learning rates last set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import FunctionType
from typing import Any, ClassVar

from schuss.modes import changes_python
from schuss.optim.optimizer import Optimizer
from schuss.optim.param_groups import Group, as_numbers

__all__ = ["FormulaLR", "LRScheduler", "Scheduler", "function_state", "per_group"]
__all__ += ["load_function_state", "require_momentum", "set_momentum"]


class Scheduler:
    """Holds the optimizer and the learning rates last set; everything it is goes into its state."""

    optimizer: Optimizer
    last_epoch: int
    _last_lr: list[float]

    def _note_rates(self) -> None:
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """Return the learning rates of the groups as last set."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer and functions: numbers, texts and lists."""
        return {
            name: value
            for name, value in self.__dict__.items()
            if name != "optimizer" and not _holds_functions(value)
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, and set the learning rates as they were."""
        mine = vars(self)
        mine.update({k: v for k, v in state_dict.items() if not _holds_functions(mine.get(k))})
        for group, lr in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = lr

    def __repr__(self) -> str:
        hidden = ("base_lrs", "last_epoch")
        options = ", ".join(
            f"{name}={value!r}"
            for name, value in self.state_dict().items()
            if not name.startswith("_") and name not in hidden
        )
        rates = ", ".join(f"{lr:.4g}" for lr in dict.fromkeys(self._last_lr))
        return f"{type(self).__name__}({options}): lr {rates} at step {self.last_epoch}"


def per_group(owner: str, value: Any, groups: Sequence[Group], what: str) -> list[Any]:
    """Return a value for each group, of one for all of them or one for each.

    Raises:
        ValueError: if there are not as many as groups.
    """
    value = as_numbers(value)
    values = list(value) if isinstance(value, Iterable) else [value] * len(groups)
    if len(values) != len(groups):
        raise ValueError(f"{owner}: expected {len(groups)} {what}, got {len(values)}.")
    return values


def require_momentum(owner: str, optimizer: Optimizer) -> None:
    """Raise ValueError unless every group has a momentum, or betas whose first one it is."""
    if not all("momentum" in g or "betas" in g for g in optimizer.param_groups):
        raise ValueError(
            f"{owner}: expected an optimizer with momentum or betas, got "
            f"{type(optimizer).__name__}; pass cycle_momentum=False."
        )


def set_momentum(group: Group, momentum: float) -> None:
    """Set a group's momentum, the first of its betas if it has some."""
    if "betas" in group:
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum


def function_state(function: object) -> dict[str, Any] | None:
    """Return what a callable object of a class of one's own holds; plain functions hold nothing."""
    held = None if isinstance(function, FunctionType) else getattr(function, "__dict__", None)
    return None if held is None else dict(held)


def load_function_state(function: object, state: Mapping[str, Any] | None) -> None:
    """Give a callable object back what it held."""
    if state:
        vars(function).update(state)


def _holds_functions(value: object) -> bool:
    return callable(value) or (isinstance(value, list) and any(map(callable, value)))


class LRScheduler(Scheduler):
    """Base of the schedulers: counts steps and sets the learning rate of each group.

    A subclass defines `get_lr`, or is a `FormulaLR`.

    Args:
        optimizer: whose groups to set; the learning rates it has now are the base ones.
        last_epoch: number of the last step done, to go on from; -1 to start.

    Raises:
        TypeError: if `optimizer` is none.
        ValueError: on going on where the optimizer was never scheduled.
    """

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{type(self).__name__}: expected an optimizer, got {type(optimizer).__name__}."
            )
        self.optimizer = optimizer
        for number, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                self._begin(number, group)
            elif "initial_lr" not in group:
                raise ValueError(
                    f"{type(self).__name__}: expected 'initial_lr' in group {number} to go on "
                    f"after step {last_epoch}, got none; load the optimizer's state first."
                )
        self.base_lrs: list[float] = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._initial_step()

    def _begin(self, number: int, group: Group) -> None:
        group.setdefault("initial_lr", group["lr"])

    def _initial_step(self) -> None:
        self._step_count = 0
        self.step()

    @property
    def _resumes(self) -> bool:
        """Whether this is the first step of a schedule that goes on after one: rates are there."""
        return self._step_count == 1 and self.last_epoch > 0

    def get_lr(self) -> list[float]:
        """Return the learning rates of the groups at step `last_epoch`, which has just begun."""
        raise NotImplementedError

    def _get_closed_form_lr(self) -> list[float]:
        return self.get_lr()

    def step(self, epoch: int | None = None) -> None:
        """Go to the next step, or to the one of a number, and set the learning rates."""
        changes_python("the learning rate, by a schedule")
        self._step_count += 1
        if epoch is None:
            self.last_epoch += 1
            rates = self.get_lr()
        else:
            self.last_epoch = epoch
            rates = self._get_closed_form_lr()
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = lr
        self._note_rates()


class FormulaLR(LRScheduler):
    """Base of schedules that are formulas of the step's number: a subclass defines `lr_at`.

    Those that chain go on from the learning rate that they find: where that is not what they set
    the step before, they change it, or its distance from `_floor`, by the formula's factor. So
    several over one optimizer multiply, and a rate that was set by hand is kept to.
    """

    chains: ClassVar[bool] = True

    @property
    def _floor(self) -> float:
        return 0.0

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return the learning rate of a group at a step, counted from 0."""
        raise NotImplementedError

    def get_lr(self) -> list[float]:
        """Return the learning rates by the formula, from those that there are."""
        if not self.chains:
            return self._get_closed_form_lr()
        return [
            self._following(group["lr"], base, number)
            for number, (group, base) in enumerate(
                zip(self.optimizer.param_groups, self.base_lrs, strict=True)
            )
        ]

    def _get_closed_form_lr(self) -> list[float]:
        return [self.lr_at(self.last_epoch, base, n) for n, base in enumerate(self.base_lrs)]

    def _following(self, lr: float, base: float, number: int) -> float:
        step = self.last_epoch
        if self._resumes:
            return lr
        before = self.lr_at(step - 1, base, number) if step > 0 else base
        now = self.lr_at(step, base, number)
        if lr == before:
            return now
        floor = self._floor
        if before == floor:
            return lr + (now - before)
        return floor + (lr - floor) * ((now - floor) / (before - floor))
