"""CyclicLR: a learning rate that goes up and down between two bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from schuss.optim.lr_scheduler.base import (
    FormulaLR,
    function_state,
    load_function_state,
    per_group,
    require_momentum,
    set_momentum,
)
from schuss.optim.optimizer import Optimizer
from schuss.optim.param_groups import Group

__all__ = ["CyclicLR"]

_MODES = ("triangular", "triangular2", "exp_range")


class CyclicLR(FormulaLR):
    """lr = base_lr + (max_lr - base_lr) * rise * scale, the momentum the other way round.

    The rise goes straight from 0 to 1 and back in each cycle. The scale is 1 ("triangular"),
    halved with each cycle ("triangular2"), gamma^step ("exp_range"), or a function of your own.

    Smith, 2015, arXiv 1506.01186. To be stepped after every batch.

    Args:
        optimizer: whose groups to set.
        base_lr: lower bound, or one a group.
        max_lr: upper bound, or one a group.
        step_size_up: steps of the way up.
        step_size_down: steps of the way down; as many as up by default.
        mode: "triangular", "triangular2" or "exp_range".
        gamma: base of the scale of "exp_range".
        scale_fn: the scale, in the place of the mode's.
        scale_mode: what `scale_fn` is a function of: the "cycle", from 1, or the "iterations".
        cycle_momentum: whether to set the momentum (or beta1), too.
        base_momentum: momentum at the top, or one a group.
        max_momentum: momentum at the bottom, or one a group.
        last_epoch: number of the last step done; -1 to start.

    Raises:
        ValueError: on an unknown mode, or without a momentum to cycle.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], momentum=0.9)
    >>> scheduler = CyclicLR(optimizer, base_lr=0.0, max_lr=1.0, step_size_up=2)
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    chains: ClassVar[bool] = False

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | Sequence[float],
        max_lr: float | Sequence[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | Sequence[float] = 0.8,
        max_momentum: float | Sequence[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if scale_fn is None and mode not in _MODES:
            raise ValueError(f"CyclicLR: expected mode to be one of {_MODES}, got {mode!r}.")
        if cycle_momentum:
            require_momentum("CyclicLR", optimizer)
        groups = optimizer.param_groups

        def values(given: float | Sequence[float], name: str) -> list[float]:
            return per_group("CyclicLR", given, groups, f"values of {name}")

        lowest = values(base_lr, "base_lr")
        self._lowest = lowest
        self.max_lrs = values(max_lr, "max_lr")
        self.base_momentums = values(base_momentum, "base_momentum")
        self.max_momentums = values(max_momentum, "max_momentum")
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        if scale_fn is None:
            scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.scale_mode = scale_mode
        self.cycle_momentum = cycle_momentum
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lowest

    def _begin(self, number: int, group: Group) -> None:
        group["lr"] = self._lowest[number]
        super()._begin(number, group)
        if self.cycle_momentum:
            group["max_momentum"] = self.max_momentums[number]
            group["base_momentum"] = self.base_momentums[number]

    def _scale(self, cycle: int, step: int) -> float:
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(cycle if self.scale_mode == "cycle" else step)
        if self.mode == "triangular":
            return 1.0
        return 0.5 ** (cycle - 1) if self.mode == "triangular2" else self.gamma**step

    def _height(self, step: int) -> float:
        """Return the rise times the scale."""
        cycle = math.floor(1 + step / self.total_size)
        place = 1.0 + step / self.total_size - cycle
        if place <= self.step_ratio:
            rise = place / self.step_ratio
        else:
            rise = (place - 1) / (self.step_ratio - 1)
        return rise * self._scale(cycle, step)

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return the cycle's value."""
        lowest = self._lowest[group]
        return lowest + (self.max_lrs[group] - lowest) * self._height(step)

    def _get_closed_form_lr(self) -> list[float]:
        if self.cycle_momentum:
            height = self._height(self.last_epoch)
            for number, group in enumerate(self.optimizer.param_groups):
                most, least = self.max_momentums[number], self.base_momentums[number]
                set_momentum(group, most - (most - least) * height)
        return super()._get_closed_form_lr()

    def state_dict(self) -> dict[str, Any]:
        """Return numbers, texts and lists, and what a callable object holds; no functions."""
        return {
            **super().state_dict(),
            "_scale_fn_custom": self._scale_fn_custom and function_state(self._scale_fn_custom),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, here or in PyTorch."""
        rest = dict(state_dict)
        load_function_state(self._scale_fn_custom, rest.pop("_scale_fn_custom", None))
        super().load_state_dict(rest)
