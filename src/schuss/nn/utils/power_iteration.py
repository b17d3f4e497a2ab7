"""The largest singular value of a weight, by power iteration."""

from __future__ import annotations

from schuss import functions as ops
from schuss import random
from schuss.core import Tensor, no_grad
from schuss.nn.functional import normalize
from schuss.nn.module import Module

__all__ = ["as_matrix", "first_vectors", "iterate", "largest_singular_value", "rows_axis"]


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """Return a weight as a matrix whose rows go along `dim`."""
    order = (dim, *(axis for axis in range(weight.ndim) if axis != dim))
    turned = ops.permute_dims(weight, order)
    return ops.reshape(turned, (turned.shape[0], -1))


def rows_axis(module: Module) -> int:
    """Return along which axis the outputs of a module's weight lie."""
    return 1 if type(module).__name__.startswith("ConvTranspose") else 0


def first_vectors(matrix: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return two random vectors of length 1, one for each side of a matrix."""
    u, v = (
        normalize(random.randn((length,), dtype=matrix.array.dtype), dim=0, eps=eps)
        for length in matrix.shape
    )
    return u, v


def iterate(matrix: Tensor, u: Tensor, v: Tensor, times: int, eps: float) -> None:
    """Bring both vectors nearer to the first singular ones, in place."""
    with no_grad():
        left, right = u, v
        for _ in range(times):
            left = normalize(matrix @ right, dim=0, eps=eps)
            right = normalize(ops.matrix_transpose(matrix) @ left, dim=0, eps=eps)
        u.assign(left)
        v.assign(right)


def largest_singular_value(matrix: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Return u @ matrix @ v, for vectors that are not changed by later iterations."""
    return ops.sum(u.clone() * (matrix @ v.clone()))
