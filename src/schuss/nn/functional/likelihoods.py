"""Losses that are negative log-likelihoods: of numbers with a variance, of counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

from schuss import functions as ops
from schuss.core import Array, Tensor
from schuss.nn.functional._checks import check_broadcast, reduced
from schuss.primitives.checks import ValueCheck, require


@dataclass(frozen=True)
class _Variances(ValueCheck):
    """Numbers have to be at least 0."""

    def require(self, *arrays: Array) -> None:
        """Raise ValueError with the smallest one if any is not."""
        (array,) = arrays
        if (array < 0).any():
            raise ValueError(
                f"gaussian_nll_loss: expected var to be at least 0, got {array.min()}; pass the "
                "variance through softplus or exp."
            )

    def refused(self, *tensors: Tensor) -> Tensor:
        """Return which are not."""
        return tensors[0] < 0


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Return (log(v) + (x - y)^2 / v) / 2, with v = max(var, eps).

    As in PyTorch, the gradient of `var` is taken as if v were `var`.

    Args:
        input: means, a float tensor of any shape.
        target: numbers that were seen, broadcastable to the input.
        var: variances: of the input's shape, of one without its last axis or with 1 there, or
            one number.
        full: whether to add the constant log(2 * pi) / 2.
        eps: smallest variance, above 0.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on shapes that do not go together, a variance below 0, an eps that is not
            above 0, or an unknown reduction.

    >>> import schuss as ss
    >>> gaussian_nll_loss(ss.tensor([1.0]), ss.tensor([3.0]), ss.tensor([1.0])).item()
    2.0
    """
    owner = "gaussian_nll_loss"
    if not isinstance(var, Tensor):
        var = ops.full((), float(var), input.array.dtype)
    if var.ndim and var.shape != input.shape:
        if var.shape == input.shape[:-1]:
            var = ops.expand_dims(var, -1)
        elif var.ndim != input.ndim or not _differ_in_one(var.shape, input.shape):
            raise ValueError(
                f"{owner}: expected var of the input's shape {input.shape}, without its last axis, "
                f"or with a length of 1 along one axis, got {var.shape}."
            )
    target, var = check_broadcast(owner, input, target=target, var=var)
    if not eps > 0:
        raise ValueError(f"{owner}: expected eps above 0, got {eps}.")
    require(_Variances(), var)
    held = var.detach()
    var = ops.clip(held, eps, None) + (var - held)
    error = input - target
    loss = (ops.log(var) + error * error / var) * 0.5
    if full:
        loss = loss + 0.5 * math.log(2 * math.pi)
    return reduced(owner, loss, reduction)


def _differ_in_one(shape: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Return whether one length is 1 where the other is not, and all others are equal."""
    return [n for n, m in zip(shape, other, strict=True) if n != m] == [1]


def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    *,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Tensor:
    """Return exp(x) - y * x, or x - y * log(x + eps) for rates that are no logarithms.

    Args:
        input: rates, or their logarithms: a float tensor of any shape.
        target: counts, broadcastable to the input.
        log_input: whether the input holds logarithms.
        full: whether to add what does not depend on the input, by Stirling's formula where the
            count is above 1: y * log(y) - y + log(2 * pi * y) / 2.
        eps: added to rates before the logarithm.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on shapes that do not go together, or an unknown reduction.

    >>> import schuss as ss
    >>> poisson_nll_loss(ss.tensor([0.0]), ss.tensor([2])).item()
    1.0
    """
    owner = "poisson_nll_loss"
    (target,) = check_broadcast(owner, input, floats=False, target=target)
    rate, logarithm = (ops.exp(input), input) if log_input else (input, ops.log(input + eps))
    loss = rate - target * logarithm
    if full:
        many = ops.where(target > 1.0, target, 1.0)
        rest = many * ops.log(many) - many + ops.log(many * (2 * math.pi)) * 0.5
        loss = loss + ops.where(target > 1.0, rest, 0.0)
    return reduced(owner, loss, reduction)
