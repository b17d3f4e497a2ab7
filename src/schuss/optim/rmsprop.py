"""RMSprop: steps divided by a running root mean square of the gradients."""

from __future__ import annotations

from schuss import functions as ops
from schuss.core import Tensor
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import Group, Params, hyperparameters
from schuss.optim.updates import decayed, follow

__all__ = ["RMSprop"]


class RMSprop(Optimizer):
    """RMSprop: steps are divided by a running root mean square of the gradients.

    g = gradient + weight_decay * p
    v = alpha * v + (1 - alpha) * g^2
    a = a + (1 - alpha) * (g - a);  w = v - a^2   (if centered; otherwise w = v)
    b = momentum * b + g / (sqrt(w) + eps)
    p = p - lr * b

    Tieleman and Hinton, 2012, lecture 6.5; centered: Graves, 2013, arXiv 1308.0850; with eps
    outside of the root.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        alpha: share of the old mean square that is kept, >= 0.
        eps: added to the root, >= 0.
        weight_decay: factor of the parameters added to the gradient, >= 0.
        momentum: share of the old direction that is kept, >= 0.
        centered: divide by the standard deviation instead.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = RMSprop([p], lr=0.05)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.5
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum: float = 0.0,
        centered: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the averages that the options need, zero."""
        state = {"square_avg": zeros(parameter)}
        if group["momentum"]:
            state["momentum_buffer"] = zeros(parameter)
        if group["centered"]:
            state["grad_avg"] = zeros(parameter)
        return state

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter and the averages after one step."""
        alpha = group["alpha"]
        parameter, gradient = decayed(parameter, gradient, group)
        square = state["square_avg"] * alpha + gradient * gradient * (1.0 - alpha)
        changed = {"square_avg": square}
        if group["centered"]:
            mean = follow(state["grad_avg"], gradient, alpha)
            changed["grad_avg"] = mean
            square = square - mean * mean
        direction = gradient / (ops.sqrt(square) + group["eps"])
        if group["momentum"]:
            if "momentum_buffer" not in state:  # the momentum was raised from 0 on the way
                state["momentum_buffer"] = zeros(parameter)
            direction = state["momentum_buffer"] * group["momentum"] + direction
            changed["momentum_buffer"] = direction
        return parameter - direction * group["lr"], changed
