"""Prodigy: Adam with a step size found on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

from schuss import functions as ops
from schuss.core import Tensor, leaf
from schuss.optim.adapted import DistanceAdapted, with_coupled_decay, with_decoupled_decay
from schuss.optim.optimizer import Factors, State, zeros
from schuss.optim.param_groups import Group, Params, Range, hyperparameters

__all__ = ["Prodigy"]


class Prodigy(DistanceAdapted):
    """Prodigy: Adam whose step size is an estimate d of the distance to the solution.

    g = gradient (+ weight_decay * p, not decoupled);  l = d * lr;  beta3 = sqrt(beta2)
    m = beta1 * m + (1 - beta1) * d * g;  v = beta2 * v + (1 - beta2) * d^2 * g^2
    s = beta3 * s + d / d0 * l * g
    n = beta3 * n + d / d0 * l * (g . (p0 - p));  h = d_coef * n / |s|_1   (all parameters' sums)
    d = max(d, h) while it is d0;  d_max = max(d_max, h);  d = min(d_max, d * growth_rate)
    p = p - l * (weight_decay * p, decoupled) - l * m / (sqrt(v) + d * eps)

    Mishchenko and Defazio, 2023, arXiv 2306.06101, as its authors' package computes it. `lr`
    stays 1, or follows a schedule that starts there.

    Args:
        params: parameters, or groups of them, which share one d.
        lr: factor of the step size found, >= 0; the same in all groups, or 0.
        betas: shares of the old mean and of the old mean square that are kept, in [0, 1).
        beta3: share of the old sums that is kept; the root of the second beta by default.
        eps: added to the root, times d, >= 0.
        weight_decay: factor of the parameters taken off, >= 0.
        decouple: take it off the parameters, as `AdamW` does; otherwise add it to the gradient.
        use_bias_correction: correct the means for having started at zero.
        safeguard_warmup: leave lr out of s, so that a warm-up does not raise the estimate.
        d0: the first estimate, > 0.
        d_coef: factor of the estimates, what to tune if anything, >= 0.
        growth_rate: by how much d may grow in a step, > 0.
        slice_p: p0 and s are of every so-manieth element of a parameter alone, which saves memory.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range, or that differ between groups.

    >>> import schuss as ss
    >>> p = ss.tensor([100.0], requires_grad=True)
    >>> optimizer = Prodigy([p])
    >>> for _ in range(200):
    ...     optimizer.zero_grad()
    ...     (p * p).sum().backward()
    ...     optimizer.step()
    >>> abs(p.item()) < 1.0
    True
    """

    sums = 2
    ranges: ClassVar[Mapping[str, Range]] = {
        **DistanceAdapted.ranges,
        "slice_p": (1, math.inf, False),
    }

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        beta3: float | None = None,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decouple: bool = True,
        use_bias_correction: bool = False,
        safeguard_warmup: bool = False,
        d0: float = 1e-6,
        d_coef: float = 1.0,
        growth_rate: float = math.inf,
        slice_p: int = 1,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def begin(self, group: Group) -> dict[str, float]:
        """Return the first estimate, also as the highest, and no numerator."""
        return {**super().begin(group), "d_max": group["d0"], "d_numerator": 0.0}

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the start, and the averages and the weighted sum of gradients, zero."""
        names = ["exp_avg", "exp_avg_sq"] if group["betas"][0] else ["exp_avg_sq"]
        start = leaf(_sliced(parameter.detach(), group).array.copy())
        return {"p0": start, "s": zeros(start), **{n: zeros(parameter) for n in names}}

    def prepare(self, common: State, group: Group) -> Factors:
        """Return for the mean, the square and the sum what is kept and what is added."""
        if not group["lr"]:
            return 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0
        beta1, beta2 = group["betas"]
        d, rate = common["d"], self.rate(common, group)
        scale = d / group["d0"]
        gain = scale * (d if group["safeguard_warmup"] else rate)
        square = d * d * (1.0 - beta2)
        return beta1, d * (1.0 - beta1), beta2, square, _beta3(group), gain, scale * rate

    def observe(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, factors: Factors
    ) -> tuple[State, tuple[Tensor, ...]]:
        """Return the averages, and the parts of numerator and denominator."""
        beta1, of_mean, beta2, of_square, beta3, of_sum, scale = factors
        gradient = with_coupled_decay(parameter, gradient, group)
        part = _sliced(gradient, group)
        total = state["s"] * beta3 + part * of_sum
        square = state["exp_avg_sq"] * beta2 + gradient * gradient * of_square
        changed = {"s": total, "exp_avg_sq": square}
        if "exp_avg" in state:
            changed["exp_avg"] = state["exp_avg"] * beta1 + gradient * of_mean
        way = (part * (state["p0"] - _sliced(parameter, group))).sum() * scale
        return changed, (way, ops.abs(total).sum())

    def settle(self, common: State, group: Group, sums: Sequence[Tensor]) -> tuple[State, Factors]:
        """Return the new estimates; the step size, the new d and what is added to the root."""
        d, (way, length) = common["d"], sums
        progress = length > 0.0
        numerator = common["d_numerator"] * _beta3(group) + way
        found = numerator / ops.where(progress, length, 1.0) * group["d_coef"]
        begun = ops.where(d == group["d0"], ops.maximum(d, found), d)
        largest = ops.maximum(common["d_max"], found)
        now = ops.minimum(largest, begun * group["growth_rate"])
        fresh = {"d": now, "d_max": largest, "d_numerator": numerator}
        kept, moving = self.settled(common, group, progress, fresh)
        return kept, (self.rate(common, group) * moving, kept["d"], kept["d"] * group["eps"])

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter after one step."""
        rate, d, eps = coefficients
        if "exp_avg" in state:
            direction = state["exp_avg"]
        else:
            direction = with_coupled_decay(parameter, gradient, group) * d
        place = with_decoupled_decay(parameter, group, rate)
        return place - direction / (ops.sqrt(state["exp_avg_sq"]) + eps) * rate, {}


def _sliced(x: Tensor, group: Group) -> Tensor:
    """Return the elements that the estimate is made by."""
    every = group["slice_p"]
    return x if every == 1 else x.reshape((-1,))[::every]


def _beta3(group: Group) -> float:
    beta3: float | None = group["beta3"]
    if beta3 is not None:
        return beta3
    root: float = group["betas"][1] ** 0.5
    return root
