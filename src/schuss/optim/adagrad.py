"""Adagrad: steps that shrink with the sum of squared gradients."""

from __future__ import annotations

from schuss import functions as ops
from schuss.core import Tensor
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import Group, Params, hyperparameters
from schuss.optim.updates import decayed

__all__ = ["Adagrad"]


class Adagrad(Optimizer):
    """Adagrad: each parameter's step shrinks with the gradients that it has met.

    g = gradient + weight_decay * p
    s = s + g^2                                   (s starts at initial_accumulator_value)
    p = p - lr / (1 + (step - 1) * lr_decay) * g / (sqrt(s) + eps)

    Duchi, Hazan and Singer, 2011, Journal of Machine Learning Research 12, with eps outside of
    the root.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        lr_decay: how much faster the learning rate falls with the steps, >= 0.
        weight_decay: factor of the parameters added to the gradient, >= 0.
        initial_accumulator_value: the sum's start, >= 0.
        eps: added to the root, >= 0.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = Adagrad([p], lr=0.5)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.tolist()
    [0.5]
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lr_decay: float = 0.0,
        weight_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        eps: float = 1e-10,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def goes_by_rows(self, group: Group) -> bool:
        """Return True; refuse weight decay."""
        self.refuse_decay(group)
        return True

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the sum of squared gradients at its start."""
        return {"sum": zeros(parameter) + group["initial_accumulator_value"]}

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return the learning rate of this step."""
        if not group["lr_decay"]:
            return (group["lr"],)
        return (group["lr"] / ((step - 1.0) * group["lr_decay"] + 1.0),)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter and the sum after one step."""
        (lr,) = coefficients
        parameter, gradient = decayed(parameter, gradient, group)
        total = state["sum"] + gradient * gradient
        return parameter - gradient / (ops.sqrt(total) + group["eps"]) * lr, {"sum": total}
