"""LambdaLR and MultiplicativeLR: factors of the learning rate by functions of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from schuss.optim.lr_scheduler.base import (
    FormulaLR,
    LRScheduler,
    function_state,
    load_function_state,
    per_group,
)
from schuss.optim.optimizer import Optimizer

__all__ = ["LambdaLR", "MultiplicativeLR"]


class _ByFunctions(LRScheduler):
    """Base of both: functions, one a group, and what is saved of them."""

    lr_lambdas: list[Callable[[int], float]]

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas = per_group(
            type(self).__name__, lr_lambda, optimizer.param_groups, "functions"
        )
        super().__init__(optimizer, last_epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return numbers, texts and lists, and what callable objects hold; no functions."""
        return {**super().state_dict(), "lr_lambdas": list(map(function_state, self.lr_lambdas))}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, here or in PyTorch."""
        super().load_state_dict(state_dict)
        held = state_dict.get("lr_lambdas", [None] * len(self.lr_lambdas))
        for function, state in zip(self.lr_lambdas, held, strict=True):
            load_function_state(function, state)


class LambdaLR(_ByFunctions, FormulaLR):
    """lr = base * f(step), with a function of your own, or one a group.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = LambdaLR(optimizer, lambda step: 1 / (step + 1))
    >>> scheduler.step(); scheduler.get_last_lr()
    [0.5]
    """

    chains: ClassVar[bool] = False

    def lr_at(self, step: int, base: float, group: int) -> float:
        """Return base * f(step)."""
        return base * self.lr_lambdas[group](step)


class MultiplicativeLR(_ByFunctions):
    """lr = lr * f(step), with a function of your own, or one a group.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = MultiplicativeLR(optimizer, lambda step: 0.5)
    >>> scheduler.step(); scheduler.step(); scheduler.get_last_lr()
    [0.25]
    """

    def get_lr(self) -> list[float]:
        """Return the learning rates times f(step); at first, as they are."""
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self._step_count == 1:
            return rates
        return [lr * f(self.last_epoch) for lr, f in zip(rates, self.lr_lambdas, strict=True)]
