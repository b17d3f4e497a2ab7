"""Parametrizations that are ready: weight norm."""

from __future__ import annotations

from schuss.core import Tensor
from schuss.functions import norm
from schuss.nn.module import Module
from schuss.nn.utils.parametrize import register_parametrization

__all__ = ["WeightNorm", "norm_except", "weight_norm"]


def norm_except(v: Tensor, dim: int | None) -> Tensor:
    """Return the Euclidean norm over all axes but `dim` (all of them for None), kept as 1."""
    if dim is None:
        return norm(v)
    place = dim % v.ndim
    return norm(v, axis=tuple(a for a in range(v.ndim) if a != place), keepdims=True)


class WeightNorm(Module):
    """A weight as its length g and its direction v: g v / |v| (Salimans and Kingma, 2016)."""

    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, g: Tensor, v: Tensor) -> Tensor:
        """Return the weight."""
        return v * (g / norm_except(v, self.dim))

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return length and direction of a weight."""
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Have a weight learned as its length and its direction; return `module`.

    Args:
        module: has the weight.
        name: of the weight.
        dim: the axis along which each has a length of its own; None for a single one.

    >>> from schuss import nn
    >>> sorted(weight_norm(nn.Linear(3, 2)).state_dict())
    ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1']
    """
    return register_parametrization(module, name, WeightNorm(dim), unsafe=True)
