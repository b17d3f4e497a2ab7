"""D-Adaptation: SGD and Adam with a step size found on the way."""

from __future__ import annotations

import math
from collections.abc import Sequence

from schuss import functions as ops
from schuss.core import Tensor, leaf
from schuss.optim.adapted import DistanceAdapted, with_coupled_decay, with_decoupled_decay
from schuss.optim.optimizer import Factors, State, zeros
from schuss.optim.param_groups import Group, Params, hyperparameters

__all__ = ["DAdaptAdam", "DAdaptSGD"]


class DAdaptAdam(DistanceAdapted):
    """Adam whose step size is an estimate d of the distance to the solution.

    g = gradient (+ weight_decay * p, not decoupled);  l = d * lr;  b = sqrt(beta2)
    n = b * n + (1 - b) * l * (g . s / (sqrt(v) + eps))           (all parameters' sums)
    m = beta1 * m + (1 - beta1) * l * g;  v = beta2 * v + (1 - beta2) * g^2
    s = b * s + (1 - b) * l * g;  h = n / ((1 - b) * |s|_1)
    d = max(d, min(h, d * growth_rate))
    p = p - l * (weight_decay * p, decoupled) - m / (sqrt(v) + eps)

    Defazio and Mishchenko, 2023, arXiv 2301.07733, as its authors' package computes it. `lr`
    stays 1, or follows a schedule that starts there.

    Args:
        params: parameters, or groups of them, which share one d. A group's `layer_scale` is a
            factor of its steps.
        lr: factor of the step size found, >= 0; the same in all groups, or 0.
        betas: shares of the old mean and of the old mean square that are kept, in [0, 1).
        eps: added to the root, >= 0.
        weight_decay: factor of the parameters taken off, >= 0.
        decouple: take it off the parameters, as `AdamW` does; otherwise add it to the gradient.
        use_bias_correction: correct the means for having started at zero.
        d0: the first estimate, > 0.
        growth_rate: by how much d may grow in a step, > 0.
        layer_scale: factor of the steps, >= 0.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range, or that differ between groups.

    >>> import schuss as ss
    >>> p = ss.tensor([10.0], requires_grad=True)
    >>> optimizer = DAdaptAdam([p])
    >>> for _ in range(300):
    ...     optimizer.zero_grad()
    ...     (p * p).sum().backward()
    ...     optimizer.step()
    >>> abs(p.item()) < 1.0
    True
    """

    sums = 2

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decouple: bool = False,
        use_bias_correction: bool = False,
        d0: float = 1e-6,
        growth_rate: float = math.inf,
        layer_scale: float = 1.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def begin(self, group: Group) -> dict[str, float]:
        """Return the first estimate, and no numerator."""
        return {**super().begin(group), "numerator_weighted": 0.0}

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the averages and the weighted sum of gradients, zero."""
        return {name: zeros(parameter) for name in ("s", "exp_avg", "exp_avg_sq")}

    def prepare(self, common: State, group: Group) -> Factors:
        """Return for the mean, the square and the sum what is kept and what is added."""
        if not group["lr"]:
            return 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0
        beta1, beta2 = group["betas"]
        rate, kept = self.rate(common, group), beta2**0.5
        scaled = rate * group["layer_scale"]
        return beta1, scaled * (1.0 - beta1), beta2, 1.0 - beta2, kept, rate * (1.0 - kept), scaled

    def observe(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, factors: Factors
    ) -> tuple[State, tuple[Tensor, ...]]:
        """Return the averages, and the parts of numerator and denominator."""
        beta1, of_mean, beta2, of_square, kept, of_sum, scaled = factors
        gradient = with_coupled_decay(parameter, gradient, group)
        root = ops.sqrt(state["exp_avg_sq"]) + group["eps"]
        way = (gradient * (state["s"] / root)).sum() * scaled
        total = state["s"] * kept + gradient * of_sum
        changed = {
            "s": total,
            "exp_avg": state["exp_avg"] * beta1 + gradient * of_mean,
            "exp_avg_sq": state["exp_avg_sq"] * beta2 + gradient * gradient * of_square,
        }
        return changed, (way, ops.abs(total).sum() * (group["layer_scale"] if group["lr"] else 0.0))

    def settle(self, common: State, group: Group, sums: Sequence[Tensor]) -> tuple[State, Factors]:
        """Return the new estimate; whether there is a step, and the step size for the decay."""
        d, (way, length) = common["d"], sums
        progress = length > 0.0
        kept = group["betas"][1] ** 0.5
        numerator = common["numerator_weighted"] * kept + way * (1.0 - kept)
        found = numerator / (ops.where(progress, length, 1.0) * (1.0 - kept))
        now = ops.maximum(d, ops.minimum(found, d * group["growth_rate"]))
        fresh = {"d": now, "numerator_weighted": numerator}
        fresh, moving = self.settled(common, group, progress, fresh)
        return fresh, (moving, self.rate(common, group) * moving)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter after one step."""
        moving, rate = coefficients
        direction = state["exp_avg"] / (ops.sqrt(state["exp_avg_sq"]) + group["eps"])
        return with_decoupled_decay(parameter, group, rate) - direction * moving, {}


class DAdaptSGD(DistanceAdapted):
    """SGD, with momentum, whose step size is an estimate d of the distance to the solution.

    g = gradient + weight_decay * p;  l = d * lr / |first gradient|
    n = n + l * (g . s)                                           (all parameters' sums)
    s = s + l * g;  h = 2 * n / |s|
    d = max(d, min(h, d * growth_rate))
    p = momentum * p + (1 - momentum) * (p0 - s)

    Defazio and Mishchenko, 2023, arXiv 2301.07733, as its authors' package computes it (its s is
    kept here times the norm of the first gradient). `lr` stays 1, or follows a schedule that
    starts there.

    Args:
        params: parameters, or groups of them, which share one d.
        lr: factor of the step size found, >= 0; the same in all groups, or 0.
        momentum: share of the parameters that is kept, in [0, 1).
        weight_decay: factor of the parameters added to the gradient, >= 0.
        d0: the first estimate, > 0.
        growth_rate: by how much d may grow in a step, > 0.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range, or that differ between groups.

    >>> import schuss as ss
    >>> p = ss.tensor([10.0], requires_grad=True)
    >>> optimizer = DAdaptSGD([p], d0=0.1)
    >>> for _ in range(100):
    ...     optimizer.zero_grad()
    ...     p.abs().sum().backward()
    ...     optimizer.step()
    >>> abs(p.item()) < 5.0
    True
    """

    sums = 3

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        d0: float = 1e-6,
        growth_rate: float = math.inf,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def check(self, group: Group) -> None:
        """Raise ValueError where nothing would move, and as the base does."""
        super().check(group)
        if group["momentum"] >= 1.0:
            raise ValueError(f"DAdaptSGD: expected momentum in [0, 1), got {group['momentum']}.")

    def begin(self, group: Group) -> dict[str, float]:
        """Return the first estimate, no numerator, and no norm of the first gradient yet."""
        return {**super().begin(group), "numerator_weighted": 0.0, "g0_norm": 0.0}

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the start, and the weighted sum of gradients, zero."""
        return {"x0": leaf(parameter.array.copy()), "s": zeros(parameter)}

    def prepare(self, common: State, group: Group) -> Factors:
        """Return what of a gradient is added to the sum, and whether it counts."""
        return self.rate(common, group), 1.0 if group["lr"] else 0.0

    def observe(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, factors: Factors
    ) -> tuple[State, tuple[Tensor, ...]]:
        """Return the sum; the parts of the gradient's square, the numerator, the sum's square."""
        rate, counts = factors
        square = (gradient * gradient).sum() * counts
        gradient = with_coupled_decay(parameter, gradient, group)
        way = (gradient * state["s"]).sum() * rate
        total = state["s"] + gradient * rate
        return {"s": total}, (square, way, (total * total).sum() * counts)

    def settle(self, common: State, group: Group, sums: Sequence[Tensor]) -> tuple[State, Factors]:
        """Return the new estimate; the norm of the first gradient, and what of p is replaced."""
        d, (square, way, length) = common["d"], sums
        first = ops.where(common["k"] == 0.0, ops.sqrt(square), common["g0_norm"])
        progress = ops.logical_and(length > 0.0, first > 0.0)
        unit = ops.where(progress, first, 1.0)
        numerator = common["numerator_weighted"] + way / (unit * unit)
        found = numerator * 2.0 / (ops.sqrt(ops.where(progress, length, 1.0)) / unit)
        now = ops.maximum(d, ops.minimum(found, d * group["growth_rate"]))
        fresh = {"d": now, "numerator_weighted": numerator, "g0_norm": first}
        fresh, moving = self.settled(common, group, progress, fresh)
        return fresh, (unit, moving * (1.0 - group["momentum"]))

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter after one step."""
        unit, share = coefficients
        place = state["x0"] - state["s"] / unit
        return parameter * (1.0 - share) + place * share, {}
