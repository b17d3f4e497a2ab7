"""Schedule-Free SGD and AdamW: averaging in the place of a learning rate that falls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from schuss import functions as ops
from schuss.core import Tensor, leaf, no_grad
from schuss.modes import changes_python
from schuss.optim.joint import JointOptimizer
from schuss.optim.optimizer import Factors, State, zeros
from schuss.optim.param_groups import NOT_NEGATIVE, RANGES, Group, Params, Range, hyperparameters

__all__ = ["AdamWScheduleFree", "SGDScheduleFree", "ScheduleFree"]

_RANGES: Mapping[str, Range] = {
    **RANGES,
    "warmup_steps": NOT_NEGATIVE,
    "weight_lr_power": NOT_NEGATIVE,
}


class ScheduleFree(JointOptimizer):
    """Base of both rules: where the parameters are, and the weights of the average.

    While training, the parameters are y, where the gradients are taken; while evaluating, the
    average x. z is the plain descent's place. With the group's numbers k, the steps done, lr_max
    and weight_sum, a step has

    l = lr * min(1, (k + 1) / warmup_steps);  lr_max = max(lr_max, l)
    w = (k + 1)^r * lr_max^weight_lr_power;  weight_sum = weight_sum + w;  c = w / weight_sum
    y = (1 - c) * y + c * z - l * (1 - beta * (1 - c)) * d
    z = z - l * d
    """

    has_own_pace = True
    ranges: ClassVar[Mapping[str, Range]] = _RANGES

    def begin(self, group: Group) -> dict[str, float]:
        """Return no steps, no weights, and a highest rate below all others."""
        group["train_mode"] = False
        return {"k": 0.0, "weight_sum": 0.0, "lr_max": -1.0}

    def _beta(self, group: Group) -> float:
        """Return the share of the average in y."""
        raise NotImplementedError

    def check(self, group: Group) -> None:
        """Raise ValueError where y would be z, from which there is no way back to x."""
        beta = self._beta(group)
        if not 0.0 < beta < 1.0:
            raise ValueError(
                f"{self._owner}: expected the momentum, or first beta, between 0 and 1, got {beta}."
            )

    def train(self) -> None:
        """Put the parameters where gradients are taken; to be called before the first step."""
        self._move(training=True)

    def eval(self) -> None:
        """Put the parameters at their average; to be called before they are used or saved."""
        self._move(training=False)

    def _move(self, *, training: bool) -> None:
        changes_python("where Schedule-Free's parameters are")
        with no_grad():
            for group in self.param_groups:
                if group["train_mode"] == training:
                    continue
                beta = self._beta(group)
                weight = 1.0 - beta if training else 1.0 - 1.0 / beta
                for parameter in group["params"]:
                    if "z" in self.state.get(parameter, ()):
                        z = self.state[parameter]["z"]
                        parameter.assign(parameter + (z - parameter) * weight)
                group["train_mode"] = training

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take one step downhill; see `Optimizer.step`.

        Raises:
            RuntimeError: outside of training mode, see `train`.
        """
        if not all(group["train_mode"] for group in self.param_groups):
            raise RuntimeError(
                f"{self._owner}: expected training mode, got a step in evaluation mode; call "
                "optimizer.train() before the steps, and optimizer.eval() before the network is "
                "evaluated or saved."
            )
        return super().step(closure)

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return where the plain descent is: where the parameter is."""
        return {"z": leaf(parameter.array.copy())}

    def settle(self, common: State, group: Group, sums: Sequence[Tensor]) -> tuple[State, Factors]:
        """Return the new weights; the share of z, and the steps of y and of z."""
        count = common["k"] + 1.0
        lr = group["lr"]
        if group["warmup_steps"]:
            lr = ops.minimum(count / group["warmup_steps"], 1.0) * lr
        largest = ops.maximum(common["lr_max"], lr)
        weight = count ** group["r"] * largest ** group["weight_lr_power"]
        total = common["weight_sum"] + weight
        share = ops.where(total > 0.0, weight / total, 0.0)
        step = (1.0 - (1.0 - share) * self._beta(group)) * lr
        return {"k": count, "lr_max": largest, "weight_sum": total}, (share, step, lr)

    def moved(
        self, parameter: Tensor, direction: Tensor, z: Tensor, factors: Factors
    ) -> tuple[Tensor, Tensor]:
        """Return y and z after a step along a direction."""
        share, step, lr = factors
        y = parameter + (z - parameter) * share - direction * step
        return y, z - direction * lr


class SGDScheduleFree(ScheduleFree):
    """Schedule-Free SGD: the gradient's direction, at a mean of the descent and its average.

    As `ScheduleFree` says, with beta the momentum and d = gradient + weight_decay * y.

    Defazio et al., 2024, arXiv 2405.15682, as its authors' package computes it. Call
    `optimizer.train()` before the steps and `optimizer.eval()` before the network is evaluated or
    saved. There is no schedule to give, but a warm-up.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        momentum: share of the average in the place where gradients are taken, between 0 and 1.
        weight_decay: factor of the parameters added to the gradient, >= 0.
        warmup_steps: number of steps in which lr rises from almost nothing, >= 0.
        r: power of the step's number that weighs it in the average.
        weight_lr_power: power of the highest lr so far that weighs a step in the average, >= 0.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.
        RuntimeError: from `step`, outside of training mode.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = SGDScheduleFree([p], lr=0.25)
    >>> optimizer.train()
    >>> for _ in range(50):
    ...     optimizer.zero_grad()
    ...     (p * p).sum().backward()
    ...     optimizer.step()
    >>> optimizer.eval()
    >>> abs(p.item()) < 0.05
    True
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def _beta(self, group: Group) -> float:
        return float(group["momentum"])

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return y and z after one step."""
        if group["weight_decay"]:
            gradient = gradient + parameter * group["weight_decay"]
        y, z = self.moved(parameter, gradient, state["z"], coefficients)
        return y, {"z": z}


class AdamWScheduleFree(ScheduleFree):
    """Schedule-Free AdamW: Adam's scaling of the gradient, at a mean of descent and average.

    v = beta2 * v + (1 - beta2) * gradient^2
    d = gradient / (sqrt(v / (1 - beta2^(k + 1))) + eps) + weight_decay * y

    and the rest as `ScheduleFree` says, with beta the first of `betas`. Defazio et al., 2024,
    arXiv 2405.15682, as its authors' package computes it. Call `optimizer.train()` before the
    steps and `optimizer.eval()` before the network is evaluated or saved.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        betas: share of the average in the place where gradients are taken, between 0 and 1; share
            of the old mean square that is kept, in [0, 1).
        eps: added to the root, >= 0.
        weight_decay: factor of the parameters added to the direction, >= 0.
        warmup_steps: number of steps in which lr rises from almost nothing, >= 0.
        r: power of the step's number that weighs it in the average.
        weight_lr_power: power of the highest lr so far that weighs a step in the average, >= 0.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.
        RuntimeError: from `step`, outside of training mode.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = AdamWScheduleFree([p], lr=0.5)
    >>> optimizer.train()
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> optimizer.eval()
    >>> round(p.item(), 4)
    0.5
    """

    def __init__(
        self,
        params: Params,
        lr: float = 2.5e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        warmup_steps: int = 0,
        r: float = 0.0,
        weight_lr_power: float = 2.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def _beta(self, group: Group) -> float:
        beta: float = group["betas"][0]
        return beta

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the plain descent's place, and the mean square, zero."""
        return {**super().init(parameter, group), "exp_avg_sq": zeros(parameter)}

    def settle(self, common: State, group: Group, sums: Sequence[Tensor]) -> tuple[State, Factors]:
        """Return the new weights; the factors of y and z, and the mean square's correction."""
        fresh, factors = super().settle(common, group, sums)
        return fresh, (*factors, 1.0 - group["betas"][1] ** fresh["k"])

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return y, z and the mean square after one step."""
        *factors, correction = coefficients
        beta2 = group["betas"][1]
        square = state["exp_avg_sq"] * beta2 + gradient * gradient * (1.0 - beta2)
        direction = gradient / (ops.sqrt(square / correction) + group["eps"])
        if group["weight_decay"]:
            direction = direction + parameter * group["weight_decay"]
        y, z = self.moved(parameter, direction, state["z"], tuple(factors))
        return y, {"z": z, "exp_avg_sq": square}
