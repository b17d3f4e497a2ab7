"""Adam: momentum over a running root mean square of the gradients."""

from __future__ import annotations

from schuss import functions as ops
from schuss.core import Tensor
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import Group, Params, hyperparameters
from schuss.optim.updates import decayed, follow

__all__ = ["Adam", "corrected", "first_moments", "step_of"]


class Adam(Optimizer):
    """Adam: momentum, divided by a running root mean square of the gradients.

    g = gradient + weight_decay * p               (Adam; AdamW: p = p - lr * weight_decay * p)
    m = m + (1 - beta1) * (g - m)
    v = beta2 * v + (1 - beta2) * g^2
    w = max(w, v) if amsgrad else v
    p = p - lr * m / (1 - beta1^step) / (sqrt(w / (1 - beta2^step)) + eps)

    Kingma and Ba, 2014, arXiv 1412.6980, algorithm 1 (eps beside the corrected root); amsgrad:
    Reddi, Kale and Kumar, 2018, arXiv 1904.09237.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        betas: shares of the old mean and of the old mean square that are kept, in [0, 1).
        eps: added to the root, >= 0.
        weight_decay: factor of the parameters added to the gradient, >= 0.
        amsgrad: divide by the largest mean square so far.
        maximize: go uphill.
        decoupled_weight_decay: shrink the parameters themselves instead, as `AdamW` does.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = Adam([p], lr=0.5)
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
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the running mean and mean square, zero."""
        return first_moments(parameter, amsgrad=group["amsgrad"])

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return step size and eps, both times the root of the second correction."""
        return corrected(step, group, group["eps"])

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter and the averages after one step."""
        parameter, gradient = decayed(parameter, gradient, group)
        step, changed = step_of(gradient, state, group["betas"], coefficients, group["amsgrad"])
        return parameter - step, changed


def first_moments(parameter: Tensor, *, amsgrad: bool = False) -> State:
    """Return a parameter's running mean and mean square, zero."""
    state = {"exp_avg": zeros(parameter), "exp_avg_sq": zeros(parameter)}
    if amsgrad:
        state["max_exp_avg_sq"] = zeros(parameter)
    return state


def corrected(step: Tensor, group: Group, eps: float) -> Factors:
    """Return step size and eps, both times the root of the second correction.

    lr * m / c1 / (sqrt(v / c2) + eps) = (lr * sqrt(c2) / c1) * m / (sqrt(v) + eps * sqrt(c2))
    saves a division of the whole mean square.
    """
    beta1, beta2 = group["betas"]
    root = ops.sqrt(1.0 - beta2**step)
    return root / (1.0 - beta1**step) * group["lr"], root * eps


def step_of(
    gradient: Tensor,
    state: State,
    betas: tuple[float, float],
    coefficients: Factors,
    amsgrad: bool = False,
) -> tuple[Tensor, State]:
    """Return what is taken off the parameter, and the averages."""
    beta1, beta2 = betas
    step_size, eps = coefficients
    mean = follow(state["exp_avg"], gradient, beta1)
    square = state["exp_avg_sq"] * beta2 + gradient * gradient * (1.0 - beta2)
    changed = {"exp_avg": mean, "exp_avg_sq": square}
    if amsgrad:
        square = changed["max_exp_avg_sq"] = ops.maximum(state["max_exp_avg_sq"], square)
    return mean / (ops.sqrt(square) + eps) * step_size, changed
