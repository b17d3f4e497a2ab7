"""The base of the schedulers, and one after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schuss.optim.optimizer import Group, Optimizer

__all__ = ["LRScheduler", "SequentialLR"]


class LRScheduler:
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
        self.last_epoch += 1
        self._apply()

    def _apply(self) -> None:
        for number, (group, base) in enumerate(
            zip(self.optimizer.param_groups, self.base_lrs, strict=True)
        ):
            group["lr"] = self.lr_at(self.last_epoch, base, number)
        self._last_lr = [group["lr"] for group in self.optimizer.param_groups]

    def get_last_lr(self) -> list[float]:
        """Return the learning rates of the groups as last set."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Return everything but the optimizer and functions: numbers, texts and lists."""
        return {
            name: value
            for name, value in self.__dict__.items()
            if name != "optimizer" and not callable(value)
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, and set the learning rates as they were."""
        self.__dict__.update(state_dict)
        for group, lr in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = lr


class SequentialLR:
    """One scheduler after the other: scheduler i + 1 takes over at milestone i, from its step 0.

    Args:
        optimizer: whose groups to set.
        schedulers: schedulers over the same optimizer.
        milestones: numbers of the steps at which the next one takes over.

    Raises:
        ValueError: if the numbers of schedulers and milestones do not fit, a scheduler is over
            another optimizer, or one needs a metric.

    >>> import schuss as ss
    >>> from schuss.optim.lr_scheduler import ExponentialLR, LinearLR
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> warm = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> scheduler = SequentialLR(optimizer, [warm, ExponentialLR(optimizer, 0.5)], [2])
    >>> rates = []
    >>> for _ in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.75, 1.0, 0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedulers: Sequence[LRScheduler],
        milestones: Sequence[int],
        last_epoch: int = -1,
    ) -> None:
        if len(milestones) != len(schedulers) - 1 or list(milestones) != sorted(milestones):
            raise ValueError(
                f"SequentialLR: expected {len(schedulers) - 1} milestones in ascending order for "
                f"{len(schedulers)} schedulers, got {list(milestones)}."
            )
        for scheduler in schedulers:
            if not isinstance(scheduler, LRScheduler) or scheduler.optimizer is not optimizer:
                raise ValueError(
                    "SequentialLR: expected schedulers of the same optimizer that need no metric, "
                    f"got {type(scheduler).__name__}."
                )
        self.optimizer = optimizer
        self._schedulers = list(schedulers)
        self._milestones = list(milestones)
        self.last_epoch = last_epoch
        self.step()

    def step(self) -> None:
        """Go to the next step and set the learning rates."""
        self.last_epoch += 1
        begun = 0
        active = self._schedulers[0]
        for milestone, scheduler in zip(self._milestones, self._schedulers[1:], strict=True):
            if self.last_epoch >= milestone:
                begun, active = milestone, scheduler
        active.last_epoch = self.last_epoch - begun
        active._apply()
        self._last_lr = active.get_last_lr()

    def get_last_lr(self) -> list[float]:
        """Return the learning rates of the groups as last set."""
        return list(self._last_lr)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of this and of the schedulers inside."""
        return {
            "last_epoch": self.last_epoch,
            "_milestones": self._milestones,
            "_last_lr": self._last_lr,
            "_schedulers": [scheduler.state_dict() for scheduler in self._schedulers],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, and set the learning rates as they were."""
        for scheduler, state in zip(self._schedulers, state_dict["_schedulers"], strict=True):
            scheduler.load_state_dict(state)
        self.last_epoch = state_dict["last_epoch"]
        self._milestones = list(state_dict["_milestones"])
        self._last_lr = list(state_dict["_last_lr"])
        for group, lr in zip(self.optimizer.param_groups, self._last_lr, strict=True):
            group["lr"] = lr
