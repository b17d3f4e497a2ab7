"""Gradient clipping, by norm and by value."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from schuss import functions as ops
from schuss.core import Array, Tensor, no_grad
from schuss.primitives.checks import ValueCheck, require

__all__ = ["clip_grad_norm_", "clip_grad_value_", "get_total_norm"]


@dataclass(frozen=True)
class _FiniteNorm(ValueCheck):
    """A norm has to be finite."""

    owner: str

    def require(self, *arrays: Array) -> None:
        """Raise RuntimeError where it is not."""
        (norm,) = arrays
        if not np.isfinite(norm):
            raise RuntimeError(
                f"{self.owner}: expected a finite norm of the gradients, got {norm.item()}; "
                "lower the learning rate, or look for infinities in the data."
            )

    def refused(self, *tensors: Tensor) -> Tensor:
        """Return whether it is not."""
        return ops.logical_not(ops.isfinite(tensors[0]))


def _with_gradients(parameters: Tensor | Iterable[Tensor]) -> list[tuple[Tensor, Tensor]]:
    given = [parameters] if isinstance(parameters, Tensor) else parameters
    return [(p, p.grad) for p in given if p.grad is not None]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scale all gradients by min(1, max_norm / (norm + 1e-6)).

    The norm is that of all gradients joined into one vector. Pascanu, Mikolov and Bengio, 2013,
    arXiv 1211.5063.

    Args:
        parameters: whose gradients to scale; those without a gradient count nothing.
        max_norm: largest norm allowed, >= 0.
        norm_type: the p of the norm; infinity for the largest absolute value.
        error_if_nonfinite: whether to raise on a norm that is infinite or not a number.
        foreach: has no effect.

    Returns:
        The norm before scaling.

    Raises:
        ValueError: if max_norm is negative.
        RuntimeError: if the norm is not finite and that was asked for.

    >>> import schuss as ss
    >>> p = ss.tensor([3.0, 4.0], requires_grad=True)
    >>> (p * p).sum().backward()
    >>> clip_grad_norm_(p, 1.0).item()
    10.0
    >>> [round(v, 4) for v in p.grad.tolist()]
    [0.6, 0.8]
    """
    if not max_norm >= 0:
        raise ValueError(f"clip_grad_norm_: expected max_norm >= 0, got {max_norm}.")
    pairs = _with_gradients(parameters)
    with no_grad():
        if not pairs:
            return ops.zeros(())
        gradients = [gradient for _, gradient in pairs]
        total = _total_norm(gradients, float(norm_type))
        if error_if_nonfinite:
            require(_FiniteNorm("clip_grad_norm_"), total)
        factor = ops.minimum(max_norm / (total + 1e-6), 1.0)
        for parameter, gradient in pairs:
            # Not assigned in place: two parameters may have one and the same gradient.
            parameter.grad = gradient * ops.astype(factor, gradient.dtype)
    return total


def get_total_norm(
    tensors: Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Return the norm of all tensors joined into one vector, of shape ().

    Args:
        tensors: of any shapes; without any, the norm is 0.
        norm_type: the p of the norm; infinity for the largest absolute value.
        error_if_nonfinite: whether to raise on a norm that is infinite or not a number.
        foreach: has no effect.

    Raises:
        RuntimeError: if the norm is not finite and that was asked for.

    >>> import schuss as ss
    >>> get_total_norm([ss.tensor([3.0]), ss.tensor([[4.0]])]).item()
    5.0
    """
    total = _total_norm(list(tensors), float(norm_type))
    if error_if_nonfinite:
        require(_FiniteNorm("get_total_norm"), total)
    return total


def _total_norm(gradients: list[Tensor], p: float) -> Tensor:
    if not gradients:
        return ops.zeros(())
    if math.isinf(p):
        largest = [ops.max(ops.abs(g)) for g in gradients if g.size]
        return ops.max(ops.stack(largest)) if largest else ops.zeros(())
    if p == 2.0:
        return ops.sqrt(_sum([ops.sum(g * g) for g in gradients]))
    return _sum([ops.sum(ops.abs(g) ** p) for g in gradients]) ** (1.0 / p)


def _sum(parts: list[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total


def clip_grad_value_(
    parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None
) -> None:
    """Limit every element of the gradients to [-clip_value, clip_value].

    Args:
        parameters: whose gradients to limit.
        clip_value: largest absolute value allowed, >= 0.
        foreach: has no effect.

    Raises:
        ValueError: if clip_value is negative.

    >>> import schuss as ss
    >>> p = ss.tensor([3.0, 0.1], requires_grad=True)
    >>> (p * p).sum().backward()
    >>> clip_grad_value_(p, 1.0)
    >>> [round(v, 4) for v in p.grad.tolist()]
    [1.0, 0.2]
    """
    if not clip_value >= 0:
        raise ValueError(f"clip_grad_value_: expected clip_value >= 0, got {clip_value}.")
    with no_grad():
        for parameter, gradient in _with_gradients(parameters):
            parameter.grad = ops.clip(gradient, -clip_value, clip_value)
