"""Adamax: Adam with the largest gradient of late in the place of the mean square."""

from __future__ import annotations

from schuss import functions as ops
from schuss.core import Tensor
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import Group, Params, hyperparameters
from schuss.optim.updates import decayed, follow

__all__ = ["Adamax"]


class Adamax(Optimizer):
    """Adamax: momentum, divided by a fading maximum of the gradients.

    g = gradient + weight_decay * p
    m = m + (1 - beta1) * (g - m)
    u = max(beta2 * u, |g| + eps)
    p = p - lr / (1 - beta1^step) * m / u

    Kingma and Ba, 2014, arXiv 1412.6980, algorithm 2, with eps added to the gradients.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        betas: shares of the old mean and of the old maximum that are kept, in [0, 1).
        eps: added to the gradients' sizes, >= 0.
        weight_decay: factor of the parameters added to the gradient, >= 0.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = Adamax([p], lr=0.5)
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
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the running mean and maximum, zero."""
        return {"exp_avg": zeros(parameter), "exp_inf": zeros(parameter)}

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return the step size with the mean's correction."""
        return (group["lr"] / (1.0 - group["betas"][0] ** step),)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter, the mean and the maximum after one step."""
        (size,) = coefficients
        beta1, beta2 = group["betas"]
        parameter, gradient = decayed(parameter, gradient, group)
        mean = follow(state["exp_avg"], gradient, beta1)
        largest = ops.maximum(state["exp_inf"] * beta2, ops.abs(gradient) + group["eps"])
        return parameter - mean / largest * size, {"exp_avg": mean, "exp_inf": largest}
