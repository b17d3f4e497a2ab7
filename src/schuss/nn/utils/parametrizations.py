"""Parametrizations that are ready: weight norm, spectral norm, and orthogonal weights."""

from __future__ import annotations

from schuss.core import Tensor, no_grad
from schuss.functions import norm
from schuss.nn.functional import normalize
from schuss.nn.module import Module
from schuss.nn.utils.orthogonal import orthogonal
from schuss.nn.utils.parametrize import register_parametrization
from schuss.nn.utils.power_iteration import (
    as_matrix,
    first_vectors,
    iterate,
    largest_singular_value,
    rows_axis,
)

__all__ = ["SpectralNorm", "WeightNorm", "norm_except", "orthogonal", "spectral_norm"]
__all__ += ["weight_norm"]


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


class SpectralNorm(Module):
    """A weight over its largest singular value (Miyato et al., 2018, arXiv 1802.05957).

    The value is estimated by power iteration, which goes on at each call while training; of a
    vector it is the length.
    """

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        if n_power_iterations < 1:
            raise ValueError(
                f"spectral_norm: expected n_power_iterations >= 1, got {n_power_iterations}."
            )
        if not -weight.ndim <= dim < weight.ndim:
            raise IndexError(f"spectral_norm: expected dim below {weight.ndim}, got {dim}.")
        self.dim = dim % weight.ndim
        self.eps = eps
        self.n_power_iterations = n_power_iterations
        if weight.ndim > 1:
            with no_grad():
                matrix = as_matrix(weight, self.dim)
                for name, vector in zip(("_u", "_v"), first_vectors(matrix, eps), strict=True):
                    self.register_buffer(name, vector)
            iterate(matrix, self._u, self._v, 15, eps)

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight over its largest singular value."""
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            iterate(matrix, self._u, self._v, self.n_power_iterations, self.eps)
        return weight / largest_singular_value(matrix, self._u, self._v)

    def right_inverse(self, value: Tensor) -> Tensor:
        """Return a value to start from: itself."""
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Have a weight divided by its largest singular value; return `module`.

    Args:
        module: has the weight.
        name: of the weight.
        n_power_iterations: how often the value is brought nearer, at each call while training.
        eps: smallest length to divide by.
        dim: the axis that is the rows of a matrix; 0 by default, 1 for transposed convolutions.

    Raises:
        ValueError: if there is no such parameter, or no iteration is asked for.

    >>> from schuss import nn
    >>> sorted(spectral_norm(nn.Linear(3, 2)).state_dict())[1:]
    ['parametrizations.weight.0._u', 'parametrizations.weight.0._v', \
'parametrizations.weight.original']
    """
    weight = module.__dict__.get(name)
    if not isinstance(weight, Tensor):
        raise ValueError(
            f"spectral_norm: expected the name of a parameter of {type(module).__name__}, got "
            f"{name!r}."
        )
    made = SpectralNorm(weight, n_power_iterations, rows_axis(module) if dim is None else dim, eps)
    return register_parametrization(module, name, made)
