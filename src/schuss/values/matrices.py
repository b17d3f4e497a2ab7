"""Decompositions of matrices in NumPy, with their parts in one array, and what NumPy has not.

A primitive has one result. So the parts of a decomposition, such as (Q, R), lie one after the other
along one last axis: `packed` puts them there, `part_sizes` says how long each is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["cofactor_value", "explained", "packed", "part_sizes", "pinv_value", "solve_value"]
__all__ += ["triangular_value"]

Array = npt.NDArray[Any]
# Systems of no more equations are solved row by row.
_FEW_ROWS = 32


@contextmanager
def explained(owner: str, expected: str) -> Iterator[None]:
    """Say what was expected where NumPy finds that a matrix has it not."""
    try:
        yield
    except np.linalg.LinAlgError as error:
        raise np.linalg.LinAlgError(
            f"{owner}: expected {expected}, got another ({str(error).rstrip('.')})."
        ) from None


def part_sizes(shapes: Sequence[tuple[int, ...]]) -> list[int]:
    """Return how many elements parts of these shapes have."""
    return [math.prod(shape) for shape in shapes]


def packed(parts: Sequence[Array], shapes: Sequence[tuple[int, ...]]) -> Array:
    """Return parts that have these shapes after their batch axes in one array.

    >>> packed([np.ones((3, 2)), np.ones((3, 2, 2))], [(2,), (2, 2)]).shape
    (3, 6)
    """
    flat = [
        part.reshape(*part.shape[: part.ndim - len(shape)], math.prod(shape))
        for part, shape in zip(parts, shapes, strict=True)
    ]
    return np.concatenate(flat, -1)


def solve_value(a: Array, b: Array) -> Array:
    """Return x of a @ x = b; both are matrices."""
    with explained("solve", "an invertible matrix"):
        return np.linalg.solve(a, b)


def triangular_value(a: Array, b: Array, *, upper: bool, unit: bool) -> Array:
    """Return x of a @ x = b by substitution; of `a` only one triangle is read.

    Args:
        a: square matrices.
        b: matrices with as many rows.
        upper: which triangle.
        unit: whether ones stand on the diagonal, which is not read then.
    """
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    x = np.empty((*batch, *b.shape[-2:]), b.dtype)
    if upper:
        _substitute(a[..., ::-1, ::-1], b[..., ::-1, :], x[..., ::-1, :], unit=unit)
    else:
        _substitute(a, b, x, unit=unit)
    return x


def _substitute(a: Array, b: Array, x: Array, *, unit: bool) -> None:
    """Solve a lower triangle: the upper half of the rows first, then the rest of the others."""
    n = a.shape[-1]
    if n > _FEW_ROWS:
        half = n // 2
        _substitute(a[..., :half, :half], b[..., :half, :], x[..., :half, :], unit=unit)
        rest = b[..., half:, :] - a[..., half:, :half] @ x[..., :half, :]
        _substitute(a[..., half:, half:], rest, x[..., half:, :], unit=unit)
        return
    for i in range(n):
        row = b[..., i : i + 1, :] - a[..., i : i + 1, :i] @ x[..., :i, :]
        x[..., i : i + 1, :] = row if unit else row / a[..., i : i + 1, i : i + 1]


def cofactor_value(x: Array) -> Array:
    """Return the cofactors of square matrices: the derivative of their determinants.

    For an invertible x they are det(x) times the inverse's transpose; from singular values they
    come out for a singular one as well.
    """
    with explained("det", "finite numbers"):
        u, s, vh = np.linalg.svd(x)
    n = x.shape[-1]
    others = np.where(np.eye(n, dtype=bool), x.dtype.type(1), s[..., None, :])
    sign = np.linalg.det(u) * np.linalg.det(vh)
    found: Array = (u * others.prod(-1)[..., None, :]) @ vh * np.round(sign)[..., None, None]
    return found


def pinv_value(x: Array, atol: Array, rtol: Array) -> Array:
    """Return the pseudo-inverse; singular values up to the larger tolerance count as 0."""
    with explained("pinv", "finite numbers"):
        u, s, vh = np.linalg.svd(x, full_matrices=False)
    if not s.shape[-1]:
        return np.zeros((*x.shape[:-2], x.shape[-1], x.shape[-2]), x.dtype)
    cutoff = np.maximum(atol, rtol * s.max(-1))[..., None]
    inverse = np.where(s > cutoff, 1 / np.where(s > cutoff, s, 1), 0).astype(x.dtype)
    found: Array = (vh.swapaxes(-1, -2) * inverse[..., None, :]) @ u.swapaxes(-1, -2)
    return found
