"""MultiplicativeLR: the learning rate times a factor, at each step."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schuss.optim.lr_scheduler.base import LRScheduler, per_group
from schuss.optim.optimizer import Optimizer

__all__ = ["MultiplicativeLR"]


class MultiplicativeLR(LRScheduler):
    """lr = lr * f(step), with a function of your own, or one a group.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = MultiplicativeLR(optimizer, lambda step: 0.5)
    >>> scheduler.step(); scheduler.step(); scheduler.get_last_lr()
    [0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
        last_epoch: int = -1,
    ) -> None:
        self.lr_lambdas: list[Callable[[int], float]] = per_group(
            "MultiplicativeLR", lr_lambda, optimizer.param_groups, "functions"
        )
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[float]:
        """Return the learning rates times f(step); at first, as they are."""
        rates = [group["lr"] for group in self.optimizer.param_groups]
        if self._step_count == 1:
            return rates
        return [lr * f(self.last_epoch) for lr, f in zip(rates, self.lr_lambdas, strict=True)]
