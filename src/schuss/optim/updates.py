"""What the updates of several rules have in common."""

from __future__ import annotations

from schuss.core import Tensor
from schuss.optim.param_groups import Group

__all__ = ["decayed", "follow"]


def decayed(parameter: Tensor, gradient: Tensor, group: Group) -> tuple[Tensor, Tensor]:
    """Return parameter and gradient with weight decay, where the group has any.

    It is added to the gradient, or, with `decoupled_weight_decay`, taken off the parameter.
    """
    decay = group["weight_decay"]
    if not decay:
        return parameter, gradient
    if group.get("decoupled_weight_decay"):
        return parameter * (1.0 - group["lr"] * decay), gradient
    return parameter, gradient + parameter * decay


def follow(mean: Tensor, value: Tensor, kept: float) -> Tensor:
    """Return a running mean that has taken in a value, with a share of the old mean kept."""
    return mean + (value - mean) * (1.0 - kept)
