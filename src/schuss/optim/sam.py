"""SAM: the gradient of another rule's step is taken uphill of the parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from schuss import functions as ops
from schuss.core import Tensor, eagerly, enable_grad, float64, no_grad
from schuss.optim.optimizer import Optimizer, zeros
from schuss.optim.param_groups import Group, Params
from schuss.optim.wrapper import Wrapper

__all__ = ["SAM"]


class SAM(Wrapper):
    """SAM, sharpness-aware minimization: the gradient is that at the worst place nearby.

    e = rho * gradient / (|gradient| + 1e-12)     (the norm is that of all parameters together)
    p = p - the rule's step by the gradient at p + e

    adaptive: e = rho * p^2 * gradient / (norm of |p| * gradient + 1e-12). Foret et al., 2020,
    arXiv 2010.01412; adaptive: Kwon et al., 2021, arXiv 2102.11600. A step needs two gradients,
    so either call `first_step` after the first and `second_step` after the second backward pass,
    or compute the first and give `step` a closure for the second.

    Args:
        params: parameters, or groups of them, which may have a `rho` and `adaptive` of their own.
        base_optimizer: the class of the rule that takes the steps.
        rho: how far away the gradient is taken, >= 0.
        adaptive: measure this distance relative to the weights.
        perturb_eps: added to the norm, >= 0.
        options: arguments of the rule.

    Raises:
        ValueError: on a negative rho, and as the rule does.

    >>> import schuss as ss
    >>> from schuss.optim import SGD
    >>> p = ss.tensor([1.0], requires_grad=True)
    >>> optimizer = SAM([p], SGD, rho=0.5, lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.first_step(zero_grad=True)
    >>> p.tolist()
    [1.5]
    >>> (p * p).sum().backward()
    >>> optimizer.second_step(zero_grad=True)
    >>> p.tolist()  # by a quarter of the gradient there, 3
    [0.25]
    """

    needs_closure = True

    def __init__(
        self,
        params: Params,
        base_optimizer: Callable[..., Optimizer],
        rho: float = 0.05,
        adaptive: bool = False,
        *,
        perturb_eps: float = 1e-12,
        **options: Any,
    ) -> None:
        for name, value in (("rho", rho), ("perturb_eps", perturb_eps)):
            if not value >= 0.0:
                raise ValueError(f"SAM: expected {name} >= 0, got {value}.")
        self.perturb_eps = perturb_eps
        super().__init__(base_optimizer(params, **options))
        self.defaults.update(rho=rho, adaptive=adaptive)
        for group in self.param_groups:
            self._complete(group)

    def _complete(self, group: Group) -> None:
        for name in ("rho", "adaptive"):
            group.setdefault(name, self.defaults[name])

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters with hyperparameters of their own."""
        super().add_param_group(param_group)
        self._complete(self.param_groups[-1])

    def first_step(self, zero_grad: bool = False) -> None:
        """Go uphill by rho; the parameters' places are kept in the state.

        Args:
            zero_grad: whether to forget the gradients then.
        """
        with no_grad():
            moving = [(group, list(self._moving(group))) for group in self.param_groups]
            squares = [
                (weighted * weighted).sum().astype(float64)
                for group, parameters in moving
                for weighted in (_weighted(p, group) for p in parameters)
            ]
            if squares:
                length = ops.sqrt(ops.sum(ops.stack(squares))) + self.perturb_eps
                for group, parameters in moving:
                    scale = group["rho"] / length
                    for parameter in parameters:
                        self._climb(parameter, group, scale)
        if zero_grad:
            self.zero_grad()

    def _moving(self, group: Group) -> Iterator[Tensor]:
        for parameter in group["params"]:
            if parameter.grad is not None:
                yield parameter

    def _climb(self, parameter: Tensor, group: Group, scale: Tensor) -> None:
        state = self.state[parameter]
        if "old_p" not in state:
            with eagerly():
                state["old_p"] = zeros(parameter)
        state["old_p"].assign(parameter)
        gradient: Any = parameter.grad
        way = gradient * scale.astype(parameter.array.dtype)
        if group["adaptive"]:
            way = parameter * parameter * way
        parameter.assign(parameter + way)

    def second_step(self, zero_grad: bool = False) -> None:
        """Go back, and take the rule's step by the gradients that there are now.

        Args:
            zero_grad: whether to forget the gradients then.
        """
        with no_grad():
            for group in self.param_groups:
                for parameter in self._moving(group):
                    if "old_p" in self.state.get(parameter, ()):
                        parameter.assign(self.state[parameter]["old_p"])
        self.optimizer.step()
        if zero_grad:
            self.zero_grad()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Take a step by the gradients that there are, and those of the closure uphill.

        Args:
            closure: forgets the gradients, computes the loss with its gradients, and returns it.

        Returns:
            The loss uphill.

        Raises:
            TypeError: without a closure.
        """
        if closure is None:
            raise TypeError(
                "SAM: expected a closure that computes the loss again, got none; or call "
                "first_step() and second_step()."
            )
        self.first_step(zero_grad=True)
        with enable_grad():
            loss = closure()
        self.second_step()
        return loss


def _weighted(parameter: Tensor, group: Group) -> Tensor:
    gradient: Any = parameter.grad
    found: Tensor = ops.abs(parameter) * gradient if group["adaptive"] else gradient
    return found
