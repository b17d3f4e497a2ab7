"""LAMB: Adam's steps, each layer's as long as its weights allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from schuss import functions as ops
from schuss.core import Tensor
from schuss.optim.adam import first_moments
from schuss.optim.optimizer import Factors, Optimizer, State
from schuss.optim.param_groups import NOT_NEGATIVE, RANGES, Group, Params, Range, hyperparameters
from schuss.optim.updates import norm

__all__ = ["LAMB"]


class LAMB(Optimizer):
    """LAMB: Adam's direction, with a length of its own for each parameter tensor.

    m = beta1 * m + (1 - beta1) * gradient;  v = beta2 * v + (1 - beta2) * gradient^2
    u = m' / (sqrt(v') + eps) + weight_decay * p
    p = p - lr * min(|p|, clamp_value) / (|u| + eps) * u      (the ratio is 1 where a norm is 0)

    with m' = m / (1 - beta1^step) and v' = v / (1 - beta2^step), or m and v themselves without
    `bias_correction`. You et al., 2019, arXiv 1904.00962, algorithm 2; its bounded norm of the
    weights is the `clamp_value`. For large batches.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, the share of its norm by which a tensor changes, >= 0.
        betas: shares of the old mean and of the old mean square that are kept, in [0, 1).
        eps: added to the root and to the norm, >= 0.
        weight_decay: factor of the parameters added to the direction, >= 0.
        clamp_value: largest norm of the weights that counts, >= 0.
        bias_correction: correct the means for having started at zero.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([3.0, 4.0], requires_grad=True)
    >>> optimizer = LAMB([p], lr=0.5, eps=0.0)
    >>> p.sum().backward()
    >>> optimizer.step()  # by half its norm, 5, along the diagonal
    >>> [round(x, 4) for x in p.tolist()]
    [1.2322, 2.2322]
    """

    ranges: ClassVar[Mapping[str, Range]] = {**RANGES, "clamp_value": NOT_NEGATIVE}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        clamp_value: float = 10.0,
        *,
        bias_correction: bool = True,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the running mean and mean square, zero."""
        return first_moments(parameter)

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return the corrections of the mean and of the root."""
        if not group["bias_correction"]:
            return 1.0, 1.0
        beta1, beta2 = group["betas"]
        return 1.0 - beta1**step, ops.sqrt(1.0 - beta2**step)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter and the averages after one step."""
        beta1, beta2 = group["betas"]
        first, root = coefficients
        mean = state["exp_avg"] * beta1 + gradient * (1.0 - beta1)
        square = state["exp_avg_sq"] * beta2 + gradient * gradient * (1.0 - beta2)
        direction = mean / first / (ops.sqrt(square) / root + group["eps"])
        if group["weight_decay"]:
            direction = direction + parameter * group["weight_decay"]
        weights = ops.minimum(norm(parameter), group["clamp_value"])
        length = norm(direction)
        counts = ops.logical_and(weights > 0.0, length > 0.0)
        ratio = ops.where(counts, weights / (length + group["eps"]), 1.0)
        moved = parameter - direction * (ratio * group["lr"])
        return moved, {"exp_avg": mean, "exp_avg_sq": square}
