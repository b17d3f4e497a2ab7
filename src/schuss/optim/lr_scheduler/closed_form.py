"""Schedulers whose learning rate is a formula of the step's number.

The formulas are those of `schuss.optim.schedules`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from schuss.optim import schedules
from schuss.optim.lr_scheduler.base import FormulaLR
from schuss.optim.optimizer import Optimizer

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LinearLR",
    "MultiStepLR",
    "PolynomialLR",
    "StepLR",
    "WarmupStableDecayLR",
]


def _at_least(owner: str, name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ValueError(f"{owner}: expected {name} >= {least:g}, got {value}.")


class StepLR(FormulaLR):
    """lr = base * gamma^floor(step / step_size).

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = StepLR(optimizer, step_size=1, gamma=0.5)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1, last_epoch: int = -1
    ) -> None:
        _at_least("StepLR", "step_size", step_size, 1)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return base * gamma^floor(step / step_size)."""
        return schedules.step_decay(step, base, step_size=self.step_size, gamma=self.gamma)


class MultiStepLR(FormulaLR):
    """lr = base * gamma^(number of milestones reached).

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = MultiStepLR(optimizer, milestones=[1, 2], gamma=0.5)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        milestones: Iterable[int],
        gamma: float = 0.1,
        last_epoch: int = -1,
    ) -> None:
        self.milestones = sorted(milestones)
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return numbers and texts, and how often each milestone counts, as PyTorch has it."""
        return {**super().state_dict(), "milestones": Counter(self.milestones)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, here or in PyTorch."""
        milestones = state_dict["milestones"]
        if isinstance(milestones, Mapping):  # whose keys JSON makes texts of
            counts = Counter({int(step): count for step, count in milestones.items()})
            milestones = sorted(counts.elements())
        super().load_state_dict({**state_dict, "milestones": milestones})

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return base * gamma^(number of milestones reached)."""
        return schedules.multi_step(step, base, milestones=self.milestones, gamma=self.gamma)


class ConstantLR(FormulaLR):
    """lr = base * factor before step `total_iters`, base from there on.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> ConstantLR(optimizer, factor=0.5).get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        factor: float = 1.0 / 3.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not 0.0 <= factor <= 1.0:
            raise ValueError(f"ConstantLR: expected factor from 0 to 1, got {factor}.")
        self.factor = factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return base, or factor * base at first."""
        return schedules.constant(step, base, factor=self.factor, total=self.total_iters)


class LinearLR(FormulaLR):
    """lr = base times a factor that goes straight from start_factor to end_factor: a warm-up.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = LinearLR(optimizer, start_factor=0.5, total_iters=2)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.75]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        start_factor: float = 1.0 / 3.0,
        end_factor: float = 1.0,
        total_iters: int = 5,
        last_epoch: int = -1,
    ) -> None:
        if not (0.0 < start_factor <= 1.0 and 0.0 <= end_factor <= 1.0):
            raise ValueError(
                "LinearLR: expected start_factor in (0, 1] and end_factor in [0, 1], got "
                f"{start_factor} and {end_factor}."
            )
        _at_least("LinearLR", "total_iters", total_iters, 1)
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = total_iters
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return base times the factor."""
        return schedules.linear(
            step, base, start=self.start_factor, end=self.end_factor, total=self.total_iters
        )


class ExponentialLR(FormulaLR):
    """lr = base * gamma^step.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = ExponentialLR(optimizer, gamma=0.5)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(self, optimizer: Optimizer, gamma: float, last_epoch: int = -1) -> None:
        self.gamma = gamma
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return base * gamma^step."""
        return schedules.exponential(step, base, gamma=self.gamma)


class PolynomialLR(FormulaLR):
    """lr = base * (1 - step / total_iters)^power, and 0 from step `total_iters` on.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = PolynomialLR(optimizer, total_iters=2)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self, optimizer: Optimizer, total_iters: int = 5, power: float = 1.0, last_epoch: int = -1
    ) -> None:
        _at_least("PolynomialLR", "total_iters", total_iters, 1)
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return base * (1 - step / total_iters)^power."""
        return schedules.polynomial(step, base, total=self.total_iters, power=self.power)


class CosineAnnealingLR(FormulaLR):
    """lr = eta_min + (base - eta_min) * (1 + cos(pi * step / T_max)) / 2.

    Loshchilov and Hutter, 2016, arXiv 1608.03983.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = CosineAnnealingLR(optimizer, T_max=2)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,  # PyTorch's name
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        _at_least("CosineAnnealingLR", "T_max", T_max, 1)
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    @property
    def _floor(self) -> float:
        return self.eta_min

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return the cosine's value."""
        return schedules.cosine(step, base, total=self.T_max, minimum=self.eta_min)


class CosineAnnealingWarmRestarts(FormulaLR):
    """A cosine that starts anew after T_0 steps, then after T_0 * T_mult, and so on.

    Loshchilov and Hutter, 2016, arXiv 1608.03983.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    chains: ClassVar[bool] = False

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,  # PyTorch's name
        T_mult: int = 1,  # PyTorch's name
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        _at_least("CosineAnnealingWarmRestarts", "T_0", T_0, 1)
        _at_least("CosineAnnealingWarmRestarts", "T_mult", T_mult, 1)
        self.T_0 = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch  # steps since the cycle began
        self.T_i = T_0  # and how long the cycle is
        super().__init__(optimizer, last_epoch)

    def step(self, epoch: float | None = None) -> None:
        """Go to the next step, or to a place such as epoch + batch / batches."""
        if epoch is not None and epoch < 0:
            raise ValueError(f"CosineAnnealingWarmRestarts: expected epoch >= 0, got {epoch}.")
        # Between whole steps where the last one was given so.
        place = self.last_epoch + self.T_cur % 1 + 1 if epoch is None else epoch
        self.T_cur, self.T_i = schedules.since_restart(
            max(place, 0), first=self.T_0, growth=self.T_mult
        )
        super().step(math.floor(place))

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return the cosine's value."""
        return schedules.cosine(self.T_cur, base, total=self.T_i, minimum=self.eta_min)


class WarmupStableDecayLR(FormulaLR):
    """A straight rise to the base learning rate, which stays for long, and a fall at the end.

    In contrast to a cosine the number of steps need not be known until the fall begins. The
    formula is that of `schedules.warmup_stable_decay`. Hu et al., 2024, arXiv 2404.06395.

    Args:
        optimizer: whose groups to set.
        total_iters: number of steps, at least 1.
        warmup_iters: number of steps of the rise, at least 0.
        decay_iters: number of steps of the fall, at least 0; with the rise at most all.
        decay: "sqrt", "linear" or "cosine": the fall's shape.
        eta_min: the last learning rate.
        last_epoch: number of the last step done; -1 to start.

    Raises:
        ValueError: on another shape, and on numbers of steps out of range.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = WarmupStableDecayLR(optimizer, 10, warmup_iters=1, decay_iters=2)
    >>> scheduler.get_last_lr()
    [0.5]
    >>> scheduler.step(); scheduler.get_last_lr()
    [1.0]
    """

    chains: ClassVar[bool] = False

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int,
        warmup_iters: int = 0,
        decay_iters: int = 0,
        decay: str = "sqrt",
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        owner = "WarmupStableDecayLR"
        _at_least(owner, "total_iters", total_iters, 1)
        _at_least(owner, "warmup_iters", warmup_iters, 0)
        _at_least(owner, "decay_iters", decay_iters, 0)
        if warmup_iters + decay_iters > total_iters:
            raise ValueError(
                f"{owner}: expected a rise and a fall of at most {total_iters} steps, got "
                f"{warmup_iters} and {decay_iters}."
            )
        if decay not in schedules.FALLS:
            raise ValueError(
                f"{owner}: expected decay to be one of {', '.join(schedules.FALLS)}, got {decay!r}."
            )
        self.total_iters = total_iters
        self.warmup_iters = warmup_iters
        self.decay_iters = decay_iters
        self.decay = decay
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return the rise's, the plateau's or the fall's value."""
        return schedules.warmup_stable_decay(
            step,
            base,
            total=self.total_iters,
            rising=self.warmup_iters,
            falling=self.decay_iters,
            minimum=self.eta_min,
            shape=self.decay,
        )
