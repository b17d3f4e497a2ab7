"""Rprop: a step size for each weight, by the signs of its gradients alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from schuss import functions as ops
from schuss.core import Tensor
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import RANGES, Group, Params, Range, hyperparameters

__all__ = ["Rprop"]


class Rprop(Optimizer):
    """Resilient backpropagation: steps grow while the gradient keeps its sign, else shrink.

    s = s * (etas[1] if g * b > 0, etas[0] if g * b < 0, 1 if either is 0), within step_sizes
    g = 0 where g * b < 0
    p = p - sign(g) * s
    b = g                                         (s starts at lr, b at 0)

    Riedmiller and Braun, 1993; the step back is left out (iRprop-, Igel and Hüsken, 2000). For
    gradients of whole data sets.

    Args:
        params: parameters, or groups of them.
        lr: first step size, >= 0.
        etas: factors of the step size where the gradient's sign changes, in (0, 1), and where it
            stays, > 1.
        step_sizes: smallest and largest step size.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = Rprop([p], lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.tolist()
    [0.75]
    """

    ranges: ClassVar[Mapping[str, Range]] = {"lr": RANGES["lr"]}

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50.0),
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def check(self, group: Group) -> None:
        """Raise ValueError where the factors do not shrink and grow."""
        if not 0.0 < group["etas"][0] < 1.0 < group["etas"][1]:
            raise ValueError(
                f"Rprop: expected etas below and above 1, the first > 0, got {group['etas']}."
            )

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the gradient before, zero, and the step sizes."""
        return {"prev": zeros(parameter), "step_size": zeros(parameter) + group["lr"]}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter, the gradient that counts, and the step sizes after one step."""
        shrink, grow = group["etas"]
        agreement = gradient * state["prev"]
        size = state["step_size"]
        size = ops.where(agreement > 0.0, size * grow, size)
        size = ops.where(agreement < 0.0, size * shrink, size)
        size = ops.clip(size, *group["step_sizes"])
        gradient = ops.where(agreement < 0.0, 0.0, gradient)
        return parameter - ops.sign(gradient) * size, {"prev": gradient, "step_size": size}
