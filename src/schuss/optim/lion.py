"""Lion: steps of one size, along the sign of a momentum."""

from __future__ import annotations

from schuss import functions as ops
from schuss.core import Tensor
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import Group, Params, hyperparameters
from schuss.optim.updates import shrunk

__all__ = ["Lion"]


class Lion(Optimizer):
    """Lion: a step along the sign of the momentum, which is the only state.

    p = p - lr * weight_decay * p
    p = p - lr * sign(beta1 * m + (1 - beta1) * gradient)
    m = beta2 * m + (1 - beta2) * gradient

    Chen et al., 2023, arXiv 2302.06675, algorithm 2. All steps have the size lr: it wants a rate
    3 to 10 times smaller than Adam's, and a weight decay as many times larger.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, the size of each step, >= 0.
        betas: shares of the momentum that the step and that the next momentum keep, in [0, 1).
        weight_decay: factor by which lr times as much is taken off the parameters, >= 0.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = Lion([p], lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.tolist()
    [0.75]
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the momentum, zero."""
        return {"exp_avg": zeros(parameter)}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter and the momentum after one step."""
        beta1, beta2 = group["betas"]
        mean = state["exp_avg"]
        direction = ops.sign(mean * beta1 + gradient * (1.0 - beta1))
        kept = mean * beta2 + gradient * (1.0 - beta2)
        return shrunk(parameter, group) - direction * group["lr"], {"exp_avg": kept}
