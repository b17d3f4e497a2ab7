"""Schedulers of schedulers: one after the other, or all at once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any

from schuss.optim.lr_scheduler.base import LRScheduler, Scheduler
from schuss.optim.optimizer import Optimizer

__all__ = ["ChainedScheduler", "SequentialLR"]


class _Schedulers(Scheduler):
    """Schedulers over one optimizer that are stepped by another one."""

    _schedulers: list[LRScheduler]

    def _hold(self, optimizer: Optimizer, schedulers: Sequence[LRScheduler]) -> None:
        owner = type(self).__name__
        for scheduler in schedulers:
            single = isinstance(scheduler, (LRScheduler, _Schedulers))
            if not single or scheduler.optimizer is not optimizer:
                raise ValueError(
                    f"{owner}: expected schedulers of the same optimizer that need no metric, "
                    f"got {type(scheduler).__name__}."
                )
        self.optimizer = optimizer
        self._schedulers = list(schedulers)

    def _initial_step(self) -> None:
        self.step()

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
        own = ", ".join([f"[{parts}]", *self._shown()])
        return f"{type(self).__name__}({own}): lr {rates} at step {self.last_epoch}"

    def step(self, epoch: int | None = None) -> None:
        """Go to the next step."""
        raise NotImplementedError

    def _shown(self) -> list[str]:
        return []


class SequentialLR(_Schedulers):
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
        self._hold(optimizer, schedulers)
        if any(isinstance(scheduler, _Schedulers) for scheduler in schedulers[1:]):
            raise ValueError(
                "SequentialLR: expected single schedulers after the first one, which can begin "
                "at a milestone; got one of schedulers."
            )
        self._milestones = list(milestones)
        self.last_epoch = last_epoch + 1
        for group in optimizer.param_groups:
            group["lr"] = group["initial_lr"]
        # What they did when they were made is taken back; the first one begins anew.
        _take_back(self)
        first = self._schedulers[bisect_right(self._milestones, 0)]
        first._initial_step()
        self._note_rates()

    def step(self, epoch: int | None = None) -> None:
        """Go to the next step and set the learning rates."""
        self.last_epoch += 1
        number = bisect_right(self._milestones, self.last_epoch)
        begins = number > 0 and self._milestones[number - 1] == self.last_epoch
        self._schedulers[number].step(0 if begins else None)
        self._note_rates()

    def _shown(self) -> list[str]:
        return [f"milestones={self._milestones}"]


class ChainedScheduler(_Schedulers):
    """Several schedulers at once, each of which changes what those before it have set.

    Args:
        schedulers: schedulers over the same optimizer.
        optimizer: theirs, by default the first one's.

    Raises:
        ValueError: on no schedulers, one over another optimizer, or one that needs a metric.

    >>> import schuss as ss
    >>> from schuss.optim.lr_scheduler import ConstantLR, ExponentialLR
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> parts = [ConstantLR(optimizer, factor=0.5, total_iters=2), ExponentialLR(optimizer, 0.5)]
    >>> scheduler, rates = ChainedScheduler(parts), []
    >>> for _ in range(4):
    ...     rates += scheduler.get_last_lr()
    ...     scheduler.step()
    >>> rates
    [0.5, 0.25, 0.25, 0.125]
    """

    def __init__(
        self, schedulers: Sequence[LRScheduler], optimizer: Optimizer | None = None
    ) -> None:
        if not schedulers:
            raise ValueError("ChainedScheduler: expected at least one scheduler, got none.")
        self._hold(optimizer or schedulers[0].optimizer, schedulers)
        self._note_rates()

    @property
    def last_epoch(self) -> int:  # type: ignore[override]  # it has none of its own
        """Number of the last step of the first scheduler."""
        return self._schedulers[0].last_epoch

    def step(self, epoch: int | None = None) -> None:
        """Go to the next step of each."""
        for scheduler in self._schedulers:
            scheduler.step()
        self._note_rates()


def _take_back(scheduler: Any) -> None:
    if isinstance(scheduler, _Schedulers):
        for part in scheduler._schedulers:
            _take_back(part)
    else:
        scheduler.last_epoch -= 1
