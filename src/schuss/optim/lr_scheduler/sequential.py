"""SequentialLR: one scheduler after the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from schuss.modes import changes_python
from schuss.optim.lr_scheduler.base import LRScheduler, Scheduler
from schuss.optim.optimizer import Optimizer

__all__ = ["SequentialLR"]


class SequentialLR(Scheduler):
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
        changes_python("the learning rate, by a schedule")
        self.last_epoch += 1
        begun = 0
        active = self._schedulers[0]
        for milestone, scheduler in zip(self._milestones, self._schedulers[1:], strict=True):
            if self.last_epoch >= milestone:
                begun, active = milestone, scheduler
        active.last_epoch = self.last_epoch - begun
        active._apply()
        self._note_rates()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of this and of the schedulers inside."""
        inside = [scheduler.state_dict() for scheduler in self._schedulers]
        return super().state_dict() | {"_schedulers": inside}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, and set the learning rates as they were."""
        own = dict(state_dict)
        for scheduler, state in zip(self._schedulers, own.pop("_schedulers"), strict=True):
            scheduler.load_state_dict(state)
        super().load_state_dict(own)

    def __repr__(self) -> str:
        parts = ", ".join(type(scheduler).__name__ for scheduler in self._schedulers)
        rates = ", ".join(f"{lr:.4g}" for lr in dict.fromkeys(self._last_lr))
        own = f"[{parts}], milestones={self._milestones}"
        return f"SequentialLR({own}): lr {rates} at step {self.last_epoch}"
