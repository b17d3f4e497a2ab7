"""Adadelta: steps as large as those of late, for gradients as large as those of late."""

from __future__ import annotations

from schuss import functions as ops
from schuss.core import Tensor
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import Group, Params, hyperparameters
from schuss.optim.updates import decayed

__all__ = ["Adadelta"]


class Adadelta(Optimizer):
    """Adadelta: the gradient times the root mean square of steps over that of gradients.

    g = gradient + weight_decay * p
    s = rho * s + (1 - rho) * g^2
    d = sqrt(a + eps) / sqrt(s + eps) * g
    a = rho * a + (1 - rho) * d^2
    p = p - lr * d

    Zeiler, 2012, arXiv 1212.5701, algorithm 1, with a learning rate.

    Args:
        params: parameters, or groups of them.
        lr: factor of the steps, >= 0.
        rho: share of the old mean squares that is kept, in [0, 1].
        eps: added to the mean squares, >= 0.
        weight_decay: factor of the parameters added to the gradient, >= 0.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = Adadelta([p], rho=0.0, eps=1.0)
    >>> (0.5 * p * p).sum().backward()
    >>> optimizer.step()
    >>> round(p.item(), 4)
    0.2929
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the mean squares of gradients and of steps, zero."""
        return {"square_avg": zeros(parameter), "acc_delta": zeros(parameter)}

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return the learning rate."""
        return (group["lr"],)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter and both mean squares after one step."""
        (lr,) = coefficients
        rho, eps = group["rho"], group["eps"]
        parameter, gradient = decayed(parameter, gradient, group)
        square = state["square_avg"] * rho + gradient * gradient * (1.0 - rho)
        step = ops.sqrt(state["acc_delta"] + eps) / ops.sqrt(square + eps) * gradient
        steps = state["acc_delta"] * rho + step * step * (1.0 - rho)
        return parameter - step * lr, {"square_avg": square, "acc_delta": steps}
