"""Wrapper, the base of optimizers that let another one take the steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schuss.core import Tensor
from schuss.optim.optimizer import Optimizer, State
from schuss.optim.param_groups import Group

__all__ = ["Wrapper"]


class Wrapper(Optimizer):
    """Base of optimizers around another one, whose groups and state are theirs as well.

    Args:
        optimizer: the one that takes the steps.

    Raises:
        TypeError: if it is none.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(
                f"{self._owner}: expected an optimizer, got {type(optimizer).__name__}."
            )
        self.optimizer = optimizer

    @property
    def param_groups(self) -> list[Group]:  # type: ignore[override]  # another's
        """The groups of the optimizer inside."""
        return self.optimizer.param_groups

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:  # type: ignore[override]  # another's
        """The state of the optimizer inside, with what is added to it."""
        return self.optimizer.state

    @property
    def common(self) -> list[State]:  # type: ignore[override]  # another's
        """The numbers that groups of the optimizer inside have in common."""
        return self.optimizer.common

    @property
    def defaults(self) -> Group:  # type: ignore[override]  # another's
        """The defaults of the optimizer inside."""
        return self.optimizer.defaults

    @property
    def is_own_rule(self) -> bool:
        """Whether the optimizer inside has a `step` of its own."""
        return self.optimizer.is_own_rule

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return a parameter's first state in the optimizer inside."""
        return self.optimizer.init(parameter, group)

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with hyperparameters of their own; see the optimizer inside."""
        self.optimizer.add_param_group(param_group)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the optimizer inside, with what is added to it."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.optimizer.load_state_dict(state_dict)
