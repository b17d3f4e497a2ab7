"""What the updates of several rules have in common."""

from __future__ import annotations

from collections.abc import Mapping

from schuss import functions as ops
from schuss.core import Tensor
from schuss.optim.param_groups import Group

__all__ = ["along", "decayed", "follow", "norm", "second_moment", "shrunk"]


def decayed(parameter: Tensor, gradient: Tensor, group: Group) -> tuple[Tensor, Tensor]:
    """Return parameter and gradient with weight decay, where the group has any.

    It is added to the gradient, or, with `decoupled_weight_decay`, taken off the parameter.
    """
    decay = group["weight_decay"]
    if not decay:
        return parameter, gradient
    if group.get("decoupled_weight_decay"):
        return shrunk(parameter, group), gradient
    return parameter, gradient + parameter * decay


def shrunk(parameter: Tensor, group: Group) -> Tensor:
    """Return the parameter with lr times the weight decay taken off, where there is any."""
    decay = group["weight_decay"]
    return parameter * (1.0 - group["lr"] * decay) if decay else parameter


def follow(mean: Tensor, value: Tensor, kept: float) -> Tensor:
    """Return a running mean that has taken in a value, with a share of the old mean kept."""
    return mean + (value - mean) * (1.0 - kept)


def norm(x: Tensor) -> Tensor:
    """Return the square root of the sum of squares."""
    return ops.sqrt((x * x).sum())


def along(x: Tensor, matrices: Mapping[int, Tensor]) -> Tensor:
    """Return a tensor whose vectors along axes are multiplied by matrices, from the right.

    Args:
        x: any shape.
        matrices: by axis, of shape (n, n) where the axis has the length n.
    """
    for axis, matrix in matrices.items():
        x = ops.moveaxis(ops.tensordot(x, matrix, axes=((axis,), (0,))), -1, axis)
    return x


def second_moment(x: Tensor, axis: int) -> Tensor:
    """Return the products of all pairs of slices across an axis, shape (n, n)."""
    others = tuple(i for i in range(x.ndim) if i != axis)
    return ops.tensordot(x, x, axes=(others, others))
