"""ASGD: stochastic gradient descent with an average of the places that it passed."""

from __future__ import annotations

import numpy as np

from schuss import functions as ops
from schuss.core import Tensor, leaf
from schuss.dtypes import DEFAULTS
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import Group, Params, hyperparameters
from schuss.optim.updates import decayed

__all__ = ["ASGD"]


class ASGD(Optimizer):
    """Averaged stochastic gradient descent: steps that shrink, and a running mean of the places.

    g = gradient + weight_decay * p
    p = p - eta * lambd * p - eta * g             (eta starts at lr)
    a = a + mu * (p - a)                          (mu starts at 1)
    eta = lr / (1 + lambd * lr * step)^alpha;  mu = 1 / max(1, step - t0)

    Polyak and Juditsky, 1992, SIAM Journal on Control and Optimization 30, with the steps of
    Bottou, 2010. The mean is state["ax"] of a parameter, which itself stays what the steps make
    of it. As in PyTorch, eta and mu are kept in the default dtype, and a change of `lr` has its
    effect a step later.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        lambd: decay of the parameters, and of the steps.
        alpha: power by which the steps shrink, >= 0.
        t0: number of the step from which on a mean is taken.
        weight_decay: factor of the parameters added to the gradient, >= 0.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = ASGD([p], lr=0.25, lambd=0.0)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.tolist()
    [0.5]
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the first step size and weight of the mean, and the mean, zero."""
        dtype = DEFAULTS.floating
        return {
            "eta": leaf(np.array(group["lr"], dtype)),
            "mu": leaf(np.ones((), dtype)),
            "ax": zeros(parameter),
        }

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return the step size and the weight of the mean for the next step."""
        shrinking = (step * (group["lambd"] * group["lr"]) + 1.0) ** group["alpha"]
        return group["lr"] / shrinking, 1.0 / ops.maximum(step - group["t0"], 1.0)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter, the mean, and what the next step goes by."""
        parameter, gradient = decayed(parameter, gradient, group)
        eta, mu = (state[name].astype(parameter.array.dtype) for name in ("eta", "mu"))
        place = parameter * (1.0 - eta * group["lambd"]) - gradient * eta
        mean = ops.where(mu == 1.0, place, state["ax"] + (place - state["ax"]) * mu)
        changed = {"ax": mean}
        for name, value in zip(("eta", "mu"), coefficients, strict=True):
            changed[name] = value.astype(state[name].array.dtype)
        return place, changed
