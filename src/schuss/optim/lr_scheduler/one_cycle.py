"""OneCycleLR: a warm-up to the highest learning rate, then annealing far below the start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from schuss.optim import schedules
from schuss.optim.lr_scheduler.base import FormulaLR, per_group, require_momentum, set_momentum
from schuss.optim.optimizer import Optimizer
from schuss.optim.param_groups import Group

__all__ = ["OneCycleLR"]


class OneCycleLR(FormulaLR):
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

    chains: ClassVar[bool] = False

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

        def floats(value: float | Sequence[float], name: str) -> list[float]:
            return [float(v) for v in per_group("OneCycleLR", value, groups, f"values of {name}")]

        self.max_lrs = floats(max_lr, "max_lr")
        self.base_momenta = per_group(
            "OneCycleLR", base_momentum, groups, "values of base_momentum"
        )
        self.max_momenta = floats(max_momentum, "max_momentum")
        if cycle_momentum:
            require_momentum("OneCycleLR", optimizer)
        super().__init__(optimizer, last_epoch)

    def _begin(self, number: int, group: Group) -> None:
        group["initial_lr"] = self.max_lrs[number] / self.div_factor
        group["max_lr"] = self.max_lrs[number]
        group["min_lr"] = group["initial_lr"] / self.final_div_factor

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return the cycle's value."""
        if step > self.total_steps:
            raise ValueError(
                f"OneCycleLR: expected at most {self.total_steps} steps, got step {step}; "
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

    def _get_closed_form_lr(self) -> list[float]:
        if self.cycle_momentum:
            for number, group in enumerate(self.optimizer.param_groups):
                rest = self.max_momenta[number]
                momentum = self._cycle(self.last_epoch, self.base_momenta[number], rest, rest)
                set_momentum(group, momentum)
        return super()._get_closed_form_lr()
