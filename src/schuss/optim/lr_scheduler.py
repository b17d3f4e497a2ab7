"""Schedulers: objects that set an optimizer's learning rates, step by step.

The values come from the functions of `schuss.optim.schedules`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from schuss.optim import schedules
from schuss.optim.optimizer import Group, Optimizer
from schuss.optim.plateau import ReduceLROnPlateau

__all__ = [
    "ConstantLR",
    "CosineAnnealingLR",
    "CosineAnnealingWarmRestarts",
    "ExponentialLR",
    "LRScheduler",
    "LambdaLR",
    "LinearLR",
    "MultiStepLR",
    "OneCycleLR",
    "PolynomialLR",
    "ReduceLROnPlateau",
    "SequentialLR",
    "StepLR",
]


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


def _at_least(owner: str, name: str, value: float, least: float) -> None:
    if not value >= least:
        raise ValueError(f"{owner}: expected {name} >= {least:g}, got {value}.")


class LambdaLR(LRScheduler):
    """lr = base * f(step), with a function of your own, or one a group.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = LambdaLR(optimizer, lambda step: 1 / (step + 1))
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        groups = len(optimizer.param_groups)
        lambdas = [lr_lambda] * groups if callable(lr_lambda) else list(lr_lambda)
        if len(lambdas) != groups:
            raise ValueError(f"LambdaLR: expected {groups} functions, got {len(lambdas)}.")
        self.lr_lambdas = lambdas
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return base * f(step)."""
        return base * self.lr_lambdas[group](step)

    def state_dict(self) -> dict[str, Any]:
        """Return the state without the functions."""
        return {k: v for k, v in super().state_dict().items() if k != "lr_lambdas"}


class StepLR(LRScheduler):
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


class MultiStepLR(LRScheduler):
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

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return base * gamma^(number of milestones reached)."""
        return schedules.multi_step(step, base, milestones=self.milestones, gamma=self.gamma)


class ConstantLR(LRScheduler):
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


class LinearLR(LRScheduler):
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


class ExponentialLR(LRScheduler):
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


class PolynomialLR(LRScheduler):
    """lr = base * (1 - step / total_iters)^power, and 0 from step `total_iters` on.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = PolynomialLR(optimizer, total_iters=2)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        total_iters: int = 5,
        power: float = 1.0,
        last_epoch: int = -1,
    ) -> None:
        _at_least("PolynomialLR", "total_iters", total_iters, 1)
        self.total_iters = total_iters
        self.power = power
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return base * (1 - step / total_iters)^power."""
        return schedules.polynomial(step, base, total=self.total_iters, power=self.power)


class CosineAnnealingLR(LRScheduler):
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

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return the cosine's value."""
        return schedules.cosine(step, base, total=self.T_max, minimum=self.eta_min)


class CosineAnnealingWarmRestarts(LRScheduler):
    """A cosine that starts anew after T_0 steps, then after T_0 * T_mult, and so on.

    Loshchilov and Hutter, 2016, arXiv 1608.03983.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = CosineAnnealingWarmRestarts(optimizer, T_0=2)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

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
        super().__init__(optimizer, last_epoch)

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return the cosine's value."""
        return schedules.cosine_restarts(
            step, base, first=self.T_0, growth=self.T_mult, minimum=self.eta_min
        )


class OneCycleLR(LRScheduler):
    """A rise to max_lr and a fall far below the start, with the momentum the other way round.

    Smith and Topin, 2017, arXiv 1708.07120. To be stepped after every batch.

    Args:
        optimizer: whose groups to set.
        max_lr: learning rate at the top, or one a group.
        total_steps: number of steps; or give epochs and steps_per_epoch.
        epochs: number of epochs.
        steps_per_epoch: number of steps in each.
        pct_start: share of the steps in the rise, in [0, 1].
        anneal_strategy: "cos" or "linear".
        cycle_momentum: whether to set the momentum (or beta1), too.
        base_momentum: momentum at the top.
        max_momentum: momentum at start and end.
        div_factor: start at max_lr / div_factor.
        final_div_factor: end at the start over this.
        three_phase: fall to the start as fast as it rose, and then to the end.
        last_epoch: number of the last step done; -1 to start.

    Raises:
        ValueError: on numbers that do not fit, and on more steps than total_steps.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], momentum=0.9)
    >>> scheduler = OneCycleLR(optimizer, max_lr=1.0, total_steps=10)
    >>> round(scheduler.get_last_lr()[0], 4), optimizer.param_groups[0]["momentum"]
    (0.04, 0.95)
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | Sequence[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.85,
        max_momentum: float | Sequence[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None and epochs is not None and steps_per_epoch is not None:
            total_steps = epochs * steps_per_epoch
        if total_steps is None or total_steps < 1:
            raise ValueError(
                "OneCycleLR: expected total_steps, or epochs and steps_per_epoch, of at least 1, "
                f"got {total_steps}, {epochs} and {steps_per_epoch}."
            )
        if not 0.0 <= pct_start <= 1.0:
            raise ValueError(f"OneCycleLR: expected pct_start from 0 to 1, got {pct_start}.")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"OneCycleLR: expected anneal_strategy 'cos' or 'linear', got {anneal_strategy!r}."
            )
        self.total_steps = total_steps
        self.pct_start = pct_start
        self.anneal_strategy = anneal_strategy
        self.three_phase = three_phase
        self.cycle_momentum = cycle_momentum
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor
        groups = optimizer.param_groups
        self.max_lrs = _for_each(max_lr, groups, "max_lr")
        self.base_momenta = _for_each(base_momentum, groups, "base_momentum")
        self.max_momenta = _for_each(max_momentum, groups, "max_momentum")
        if cycle_momentum and not all("momentum" in g or "betas" in g for g in groups):
            raise ValueError(
                "OneCycleLR: expected an optimizer with momentum or betas, got "
                f"{type(optimizer).__name__}; pass cycle_momentum=False."
            )
        super().__init__(optimizer, last_epoch)

    def _begin(self, number: int, group: Group) -> None:
        group["initial_lr"] = self.max_lrs[number] / self.div_factor
        group["max_lr"] = self.max_lrs[number]
        group["min_lr"] = group["initial_lr"] / self.final_div_factor

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return the cycle's value."""
        if step >= self.total_steps:
            raise ValueError(
                f"OneCycleLR: expected at most {self.total_steps} steps, got step {step + 1}; "
                "give a larger total_steps."
            )
        return self._cycle(step, self.max_lrs[group], base, base / self.final_div_factor)

    def _cycle(self, step: int, top: float, start: float, end: float) -> float:
        return schedules.one_cycle(
            step,
            top,
            total=self.total_steps,
            rising=self.pct_start,
            start=start,
            end=end,
            three_phases=self.three_phase,
            straight=self.anneal_strategy == "linear",
        )

    def _apply(self) -> None:
        super()._apply()
        if not self.cycle_momentum:
            return
        for number, group in enumerate(self.optimizer.param_groups):
            rest = self.max_momenta[number]
            momentum = self._cycle(self.last_epoch, self.base_momenta[number], rest, rest)
            if "betas" in group:
                group["betas"] = (momentum, *group["betas"][1:])
            else:
                group["momentum"] = momentum


def _for_each(value: float | Sequence[float], groups: list[Group], name: str) -> list[float]:
    values = list(value) if isinstance(value, Sequence) else [value] * len(groups)
    if len(values) != len(groups):
        raise ValueError(f"OneCycleLR: expected {len(groups)} values of {name}, got {len(values)}.")
    return [float(v) for v in values]


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
