"""ReduceLROnPlateau: a smaller learning rate where a metric no longer gets better."""

from __future__ import annotations

from collections.abc import Sequence
from typing import SupportsFloat

from schuss.modes import changes_python
from schuss.optim.lr_scheduler.base import Scheduler, per_group
from schuss.optim.optimizer import Optimizer

__all__ = ["ReduceLROnPlateau"]


class ReduceLROnPlateau(Scheduler):
    """Multiply the learning rate by `factor` after `patience` steps without a better metric.

    Args:
        optimizer: whose groups to set.
        mode: "min" or "max", whether smaller or larger metrics are better.
        factor: what to multiply with, below 1.
        patience: number of steps without a better metric that are let pass.
        threshold: by how much a metric must be better to count.
        threshold_mode: "rel" (best * (1 -+ threshold)) or "abs" (best -+ threshold).
        cooldown: number of steps after a reduction that count nothing.
        min_lr: smallest learning rate, or one a group.
        eps: smaller changes of the learning rate are left out.

    Raises:
        ValueError: on options out of range.

    >>> import schuss as ss
    >>> optimizer = ss.optim.SGD([ss.tensor([1.0])], lr=1.0)
    >>> scheduler = ReduceLROnPlateau(optimizer, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     scheduler.step(loss)
    >>> scheduler.get_last_lr()
    [0.5]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        owner = "ReduceLROnPlateau"
        if not 0.0 <= factor < 1.0:
            raise ValueError(f"{owner}: expected factor in [0, 1), got {factor}.")
        if mode not in ("min", "max"):
            raise ValueError(f"{owner}: expected mode 'min' or 'max', got {mode!r}.")
        if threshold_mode not in ("rel", "abs"):
            raise ValueError(
                f"{owner}: expected threshold_mode 'rel' or 'abs', got {threshold_mode!r}."
            )
        lowest = per_group(owner, min_lr, optimizer.param_groups, "values of min_lr")
        self.optimizer = optimizer
        self.mode = mode
        self.factor = factor
        self.patience = patience
        self.threshold = threshold
        self.threshold_mode = threshold_mode
        self.cooldown = cooldown
        self.min_lrs = lowest
        self.eps = eps
        self.best = float("inf") if mode == "min" else float("-inf")
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0
        self._note_rates()

    def step(self, metrics: SupportsFloat) -> None:
        """Take in the newest metric, and set the learning rates."""
        changes_python("the learning rate, by a schedule")
        metric = float(metrics)
        self.last_epoch += 1
        if self._better(metric):
            self.best = metric
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0
        self._note_rates()

    def _better(self, metric: float) -> bool:
        sign = 1.0 if self.mode == "max" else -1.0
        if self.threshold_mode == "rel":
            wanted = self.best * (1.0 + sign * self.threshold)
        else:
            wanted = self.best + sign * self.threshold
        return metric > wanted if self.mode == "max" else metric < wanted

    def _reduce(self) -> None:
        for group, lowest in zip(self.optimizer.param_groups, self.min_lrs, strict=True):
            lr = max(group["lr"] * self.factor, lowest)
            if group["lr"] - lr > self.eps:
                group["lr"] = lr
