"""NAdam: Adam with Nesterov's momentum."""

from __future__ import annotations

import numpy as np

from schuss import functions as ops
from schuss.core import Tensor, leaf
from schuss.dtypes import DEFAULTS
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import Group, Params, hyperparameters
from schuss.optim.updates import decayed, follow

__all__ = ["NAdam"]


class NAdam(Optimizer):
    """NAdam: Adam whose momentum looks a step ahead, and grows with the steps.

    g = gradient + weight_decay * p               (decoupled: p = p - lr * weight_decay * p)
    mu(t) = beta1 * (1 - 0.96^(t * momentum_decay) / 2);  c = mu(1) * ... * mu(step)
    m = m + (1 - beta1) * (g - m)
    v = beta2 * v + (1 - beta2) * g^2
    d = (1 - mu(step)) / (1 - c) * g + mu(step + 1) / (1 - c * mu(step + 1)) * m
    p = p - lr * d / (sqrt(v / (1 - beta2^step)) + eps)

    Dozat, 2016, "Incorporating Nesterov momentum into Adam", with eps beside the corrected root.
    As in PyTorch, c is kept in the default dtype, whatever the parameters' is.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        betas: shares of the old mean and of the old mean square that are kept, in [0, 1).
        eps: added to the root, >= 0.
        weight_decay: factor of the parameters added to the gradient, >= 0.
        momentum_decay: how fast the momentum nears beta1, >= 0.
        decoupled_weight_decay: shrink the parameters themselves instead, as `AdamW` does.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = NAdam([p], lr=0.5, betas=(0.0, 0.0))
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.5
    """

    def __init__(
        self,
        params: Params,
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the product of the momenta, one, the running mean and mean square, zero."""
        return {
            "mu_product": leaf(np.ones((), DEFAULTS.floating)),
            "exp_avg": zeros(parameter),
            "exp_avg_sq": zeros(parameter),
        }

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return this step's momentum, the next one's, and the root of the second correction."""
        beta1, beta2 = group["betas"]
        decay = group["momentum_decay"]
        now, coming = (
            (1.0 - 0.96 ** (count * decay) * 0.5) * beta1 for count in (step, step + 1.0)
        )
        return now, coming, ops.sqrt(1.0 - beta2**step)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter, the product and the averages after one step."""
        beta1, beta2 = group["betas"]
        now, coming, root = coefficients
        parameter, gradient = decayed(parameter, gradient, group)
        product = state["mu_product"] * now.astype(state["mu_product"].array.dtype)
        mean = follow(state["exp_avg"], gradient, beta1)
        square = state["exp_avg_sq"] * beta2 + gradient * gradient * (1.0 - beta2)
        past = product.astype(parameter.array.dtype)
        rates = [(1.0 - now) / (1.0 - past), coming / (1.0 - past * coming)]
        direction = gradient * (rates[0] * group["lr"]) + mean * (rates[1] * group["lr"])
        changed = {"mu_product": product, "exp_avg": mean, "exp_avg_sq": square}
        return parameter - direction / (ops.sqrt(square) / root + group["eps"]), changed
