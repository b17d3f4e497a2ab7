"""Scheduler and LRScheduler, the bases: state, and the learning rates last set."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from schuss.modes import changes_python
from schuss.optim.optimizer import Optimizer
from schuss.optim.param_groups import Group, as_numbers

__all__ = ["LRScheduler", "Scheduler", "per_group"]


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
        self.__dict__.update(state_dict)
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


def _holds_functions(value: object) -> bool:
    return callable(value) or (isinstance(value, list) and any(map(callable, value)))


class LRScheduler(Scheduler):
    """Base of the schedulers: counts steps and sets the learning rate of each group.

    A subclass defines `lr_at`. Unlike PyTorch's, the learning rate depends on the number of the
    step alone, so that it can be asked for in advance: of two schedulers over one optimizer, the
    one that steps last wins.

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
        self.step()

    def _begin(self, number: int, group: Group) -> None:
        group.setdefault("initial_lr", group["lr"])

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return the learning rate of a group at a step, counted from 0."""
        raise NotImplementedError

    def step(self) -> None:
        """Go to the next step and set the learning rates."""
        changes_python("the learning rate, by a schedule")
        self.last_epoch += 1
        self._apply()

    def _apply(self) -> None:
        for number, (group, base) in enumerate(
            zip(self.optimizer.param_groups, self.base_lrs, strict=True)
        ):
            group["lr"] = self.lr_at(self.last_epoch, base, number)
        self._note_rates()
