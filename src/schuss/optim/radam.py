"""RAdam: Adam that divides by the root mean square only once enough gradients have been seen."""

from __future__ import annotations

from schuss import functions as ops
from schuss.core import Tensor
from schuss.optim.adam import first_moments
from schuss.optim.optimizer import Factors, Optimizer, State
from schuss.optim.param_groups import Group, Params, hyperparameters
from schuss.optim.updates import decayed, follow

__all__ = ["RAdam"]


class RAdam(Optimizer):
    """RAdam: Adam whose steps are rectified while the mean square rests on few gradients.

    g = gradient + weight_decay * p               (decoupled: p = p - lr * weight_decay * p)
    m = m + (1 - beta1) * (g - m)
    v = beta2 * v + (1 - beta2) * g^2
    rho = R - 2 * step * beta2^step / (1 - beta2^step),  R = 2 / (1 - beta2) - 1
    r = sqrt((rho - 4) * (rho - 2) * R / ((R - 4) * (R - 2) * rho))
    d = r * sqrt(1 - beta2^step) / (sqrt(v) + eps) if rho > 5 else 1
    p = p - lr * m / (1 - beta1^step) * d

    Liu et al., 2019, arXiv 1908.03265, algorithm 2, rectified from rho > 5 on.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        betas: shares of the old mean and of the old mean square that are kept, in [0, 1).
        eps: added to the root, >= 0.
        weight_decay: factor of the parameters added to the gradient, >= 0.
        decoupled_weight_decay: shrink the parameters themselves instead, as `AdamW` does.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = RAdam([p], lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.5
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the running mean and mean square, zero."""
        return first_moments(parameter)

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return the step size of the mean, and that of the mean over the root (zero at first)."""
        beta1, beta2 = group["betas"]
        plain = group["lr"] / (1.0 - beta1**step)
        kept = beta2**step
        longest = 2.0 / (1.0 - beta2) - 1.0
        if longest <= 5.0:
            return plain, plain * 0.0
        length = longest - step * kept * 2.0 / (1.0 - kept)
        steady = ops.maximum(length, 5.0)  # what the root is taken of where it counts
        rectified = (steady - 4.0) * (steady - 2.0) / steady
        largest = (longest - 4.0) * (longest - 2.0) / longest
        size = plain * ops.sqrt(rectified / largest * (1.0 - kept))
        return plain, ops.where(length > 5.0, size, 0.0)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter and the averages after one step."""
        beta1, beta2 = group["betas"]
        plain, rectified = coefficients
        parameter, gradient = decayed(parameter, gradient, group)
        mean = follow(state["exp_avg"], gradient, beta1)
        square = state["exp_avg_sq"] * beta2 + gradient * gradient * (1.0 - beta2)
        size = ops.where(rectified > 0.0, rectified / (ops.sqrt(square) + group["eps"]), plain)
        return parameter - mean * size, {"exp_avg": mean, "exp_avg_sq": square}
