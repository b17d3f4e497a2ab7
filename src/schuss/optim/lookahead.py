"""Lookahead: another rule's steps, and every few of them a step back towards slow weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from schuss import functions as ops
from schuss.core import TRACER, Tensor, leaf, no_grad
from schuss.optim.optimizer import Optimizer
from schuss.optim.param_groups import Group
from schuss.optim.wrapper import Wrapper

__all__ = ["Lookahead"]


class Lookahead(Wrapper):
    """Lookahead: every k steps of another rule, a step from slow weights towards where they led.

    after every k-th step:  s = s + alpha * (p - s);  p = s

    Zhang et al., 2019, arXiv 1907.08610. The slow weights s start where the parameters are when
    this is made; they and the count of steps are in the state of the rule that is wrapped. Where a
    step finds no gradient for a parameter, its weights are not drawn back in that step either.

    Args:
        optimizer: the rule, an optimizer that is made already; schedules may go on changing it.
        k: number of its steps between two steps of the slow weights, at least 1.
        alpha: share of the way that the slow weights go, from 0 to 1.

    Raises:
        ValueError: on k or alpha out of range.
        TypeError: if `optimizer` is none.

    >>> import schuss as ss
    >>> from schuss.optim import SGD
    >>> p = ss.tensor([0.0], requires_grad=True)
    >>> optimizer = Lookahead(SGD([p], lr=1.0), k=2, alpha=0.5)
    >>> for _ in range(2):
    ...     optimizer.zero_grad()
    ...     p.sum().backward()
    ...     optimizer.step()
    >>> p.tolist()  # half of the way to -2
    [-1.0]
    """

    def __init__(self, optimizer: Optimizer, k: int = 5, alpha: float = 0.5) -> None:
        if not isinstance(k, int) or k < 1:
            raise ValueError(f"Lookahead: expected k of at least 1, got {k!r}.")
        if not 0.0 <= alpha <= 1.0:
            raise ValueError(f"Lookahead: expected alpha from 0 to 1, got {alpha!r}.")
        self.k = k
        self.alpha = alpha
        super().__init__(optimizer)
        for group, common in zip(self.param_groups, self.common, strict=True):
            self._begin(group, common)

    def _begin(self, group: Group, common: dict[str, Tensor]) -> None:
        common["lookahead_step"] = leaf(np.array(0.0))
        for parameter in group["params"]:
            self.state[parameter]["slow_params"] = leaf(parameter.array.copy())

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with hyperparameters of their own."""
        super().add_param_group(param_group)
        self._begin(self.param_groups[-1], self.common[-1])

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step of the rule, and at every k-th one of the slow weights; see there."""
        loss = self.optimizer.step(closure)
        with no_grad():
            for group, common in zip(self.param_groups, self.common, strict=True):
                count = (common["lookahead_step"] + 1.0) % float(self.k)
                common["lookahead_step"].assign(count)
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self._draw_back(parameter, count == 0.0)
        return loss

    def _draw_back(self, parameter: Tensor, due: Tensor) -> None:
        slow = self.state[parameter]["slow_params"]
        if TRACER.get() is None and not due.item():
            return
        place = slow + (parameter - slow) * self.alpha
        parameter.assign(ops.where(due, place, parameter))
        slow.assign(ops.where(due, place, slow))
