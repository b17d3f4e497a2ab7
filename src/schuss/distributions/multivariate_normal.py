"""The normal distribution of vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from schuss import random
from schuss.core import Tensor, TensorLike
from schuss.distributions.constraints import Constraint, lower_cholesky, real_vector
from schuss.distributions.distribution import Distribution
from schuss.functions import broadcast_to, diagonal, eye, flip, log, matmul, matrix_transpose, sum
from schuss.functions.matrices import cholesky, solve_triangular
from schuss.functions.reductions import as_float
from schuss.primitives.base import as_tensor, astype, result_dtype

__all__ = ["MultivariateNormal"]


class MultivariateNormal(Distribution):
    """The normal distribution of vectors of n numbers.

    One of the three matrices is given.

    Args:
        loc: the mean, shape (..., n).
        covariance_matrix: shape (..., n, n), positive-definite.
        precision_matrix: its inverse.
        scale_tril: the lower triangle L of covariance = L @ L.T.

    Raises:
        ValueError: for other shapes, or not one of the three.
        LinAlgError: for a matrix that is not positive-definite.
    """

    has_rsample = True
    arg_constraints: ClassVar[Mapping[str, Constraint]] = {
        "loc": real_vector,
        "scale_tril": lower_cholesky,
    }

    def __init__(
        self,
        loc: TensorLike,
        covariance_matrix: TensorLike | None = None,
        precision_matrix: TensorLike | None = None,
        scale_tril: TensorLike | None = None,
        validate_args: bool | None = None,
    ) -> None:
        given = [m for m in (covariance_matrix, precision_matrix, scale_tril) if m is not None]
        if len(given) != 1:
            raise ValueError(
                "MultivariateNormal: expected one of covariance_matrix, precision_matrix and "
                f"scale_tril, got {len(given)}."
            )
        place, matrix = as_float(as_tensor(loc)), as_float(as_tensor(given[0]))
        if place.ndim < 1 or matrix.ndim < 2 or matrix.shape[-2:] != (place.shape[-1],) * 2:
            raise ValueError(
                f"MultivariateNormal: expected loc of shape (..., n) and a matrix of shape "
                f"(..., n, n), got {place.shape} and {matrix.shape}."
            )
        dtype = result_dtype(place.array.dtype, matrix.array.dtype)
        place, matrix = astype(place, dtype), astype(matrix, dtype)
        if covariance_matrix is not None:
            lower = cholesky(matrix)
        elif precision_matrix is not None:
            lower = _inverted(matrix)
        else:
            lower = matrix
        n = place.shape[-1]
        batch = np.broadcast_shapes(place.shape[:-1], lower.shape[:-2])
        self.loc = broadcast_to(place, (*batch, n))
        self.scale_tril = broadcast_to(lower, (*batch, n, n))
        super().__init__(batch, (n,), validate_args)

    @property
    def covariance_matrix(self) -> Tensor:
        """The covariance, shape (..., n, n)."""
        return matmul(self.scale_tril, matrix_transpose(self.scale_tril))

    @property
    def precision_matrix(self) -> Tensor:
        """Its inverse."""
        inverse = self.solved(eye(self.event_shape[0], dtype=self.loc.array.dtype))
        return matmul(matrix_transpose(inverse), inverse)

    def solved(self, columns: Tensor) -> Tensor:
        """Return L^-1 @ columns."""
        batch = np.broadcast_shapes(self.batch_shape, columns.shape[:-2])
        lower = broadcast_to(self.scale_tril, (*batch, *self.event_shape * 2))
        return solve_triangular(
            lower, broadcast_to(columns, (*batch, *columns.shape[-2:])), upper=False
        )

    def rsample(self, sample_shape: Sequence[int] = ()) -> Tensor:
        drawn = random.randn(self._extended_shape(sample_shape), dtype=self.loc.array.dtype)
        return self.loc + matmul(self.scale_tril, drawn[..., None])[..., 0]

    def log_prob(self, value: TensorLike) -> Tensor:
        z = self.solved((self._value(value) - self.loc)[..., None])[..., 0]
        size = self.event_shape[0] * math.log(2 * math.pi)
        return -0.5 * (size + sum(z * z, axis=-1)) - self.half_log_determinant()

    def half_log_determinant(self) -> Tensor:
        """Return half of the logarithm of the covariance's determinant."""
        return sum(log(diagonal(self.scale_tril)), axis=-1)

    def entropy(self) -> Tensor:
        return 0.5 * self.event_shape[0] * (1 + math.log(2 * math.pi)) + self.half_log_determinant()

    def expand(self, batch_shape: Sequence[int]) -> MultivariateNormal:
        shape = (*batch_shape, *self.event_shape)
        lower = broadcast_to(self.scale_tril, (*shape, *self.event_shape))
        return MultivariateNormal(
            broadcast_to(self.loc, shape), scale_tril=lower, validate_args=False
        )

    @property
    def mean(self) -> Tensor:
        return self.loc

    mode = mean

    @property
    def variance(self) -> Tensor:
        return sum(self.scale_tril * self.scale_tril, axis=-1)


def _inverted(precision: Tensor) -> Tensor:
    """Return the lower triangle L of the inverse, L @ L.T, of a positive-definite matrix.

    With the matrix turned by 180 degrees its lower triangle is an upper one, U @ U.T, and L is the
    transposed inverse of that.
    """
    turned = flip(cholesky(flip(precision, axis=(-2, -1))), axis=(-2, -1))
    identity = broadcast_to(eye(precision.shape[-1], dtype=precision.array.dtype), precision.shape)
    return solve_triangular(matrix_transpose(turned), identity, upper=False)
