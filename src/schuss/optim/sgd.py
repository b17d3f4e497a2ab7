"""SGD: stochastic gradient descent, with momentum."""

from __future__ import annotations

from schuss import functions as ops
from schuss.core import Tensor, float64
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import Group, Params, hyperparameters
from schuss.optim.updates import decayed

__all__ = ["SGD"]


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum (Polyak's, or Nesterov's form of it).

    g = gradient + weight_decay * p
    b = momentum * b + (1 - dampening) * g        (b = g at the first step)
    d = g + momentum * b if nesterov else b       (d = g without momentum)
    p = p - lr * d

    Sutskever et al., 2013, in the form without lr inside of b.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        momentum: share of the old direction that is kept, >= 0.
        dampening: share of the gradient that is left out of the momentum.
        weight_decay: factor of the parameters added to the gradient, >= 0.
        nesterov: look ahead; needs a momentum and no dampening.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = SGD([p], lr=0.5)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.tolist()
    [0.0]
    """

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def check(self, group: Group) -> None:
        """Raise ValueError where Nesterov's form misses its momentum."""
        if group["nesterov"] and (group["momentum"] <= 0 or group["dampening"] != 0):
            raise ValueError(
                "SGD: expected momentum > 0 and dampening 0 with nesterov, got "
                f"momentum={group['momentum']}, dampening={group['dampening']}."
            )

    def goes_by_rows(self, group: Group) -> bool:
        """Return whether there is no momentum, which moves all rows; refuse weight decay."""
        self.refuse_decay(group)
        return not group["momentum"]

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the momentum, zero."""
        return {"momentum_buffer": zeros(parameter)} if group["momentum"] else {}

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return the share of the gradient in the momentum: all of it at the first step."""
        dampening = group["dampening"]
        if not dampening:
            return (1.0,)
        # In float64 whatever the parameters are: a share such as 0.7 is not a float32.
        whole = ops.ones((), dtype=float64)
        return (ops.where(step == 1.0, whole, whole - dampening),)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter and the momentum after one step."""
        momentum = group["momentum"]
        parameter, gradient = decayed(parameter, gradient, group)
        if not momentum:
            return parameter - gradient * group["lr"], {}
        if "momentum_buffer" not in state:  # the momentum was raised from 0 on the way
            state["momentum_buffer"] = zeros(parameter)
        (share,) = coefficients
        scaled = gradient if isinstance(share, float) else gradient * share
        buffer = state["momentum_buffer"] * momentum + scaled
        direction = gradient + buffer * momentum if group["nesterov"] else buffer
        return parameter - direction * group["lr"], {"momentum_buffer": buffer}
