"""Extreme curvature of a Hessian that is only known by its products with vectors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from schuss import random
from schuss.core import Array

__all__ = ["Curvature", "extreme_curvature"]


@dataclass(frozen=True)
class Curvature:
    """The extreme eigenvalues of a symmetric matrix.

    Args:
        least: the least one.
        largest: the largest one.
        direction: the least one's eigenvector, of length 1 and shape (size,).
    """

    least: float
    largest: float
    direction: Array


def extreme_curvature(
    product: Callable[[Array], Array], size: int, *, steps: int = 24, seed: int = 0
) -> Curvature:
    """Return the extreme eigenvalues of a symmetric matrix, by Lanczos's method.

    All vectors are kept orthogonal (Golub and Van Loan, Matrix Computations, 10.3), so that the
    values are exact where `steps` reaches `size`.

    Args:
        product: the matrix times a vector of shape (size,).
        size: of the matrix.
        steps: products at most.
        seed: decides the first vector.

    >>> diagonal = np.array([-1.0, 2.0, 5.0])
    >>> found = extreme_curvature(lambda v: diagonal * v, 3)
    >>> round(found.least, 6), round(found.largest, 6), abs(found.direction).round(6).tolist()
    (-1.0, 5.0, [1.0, 0.0, 0.0])
    """
    with random.drawing_from(random.new_key(seed)):
        vector = random.randn(size).array.astype(np.float64)
    basis = [vector / np.linalg.norm(vector)]
    diagonal: list[float] = []
    beside: list[float] = []
    for _ in range(min(steps, size)):
        image = product(basis[-1]).astype(np.float64)
        diagonal.append(float(image @ basis[-1]))
        rest = image
        for _ in range(2):  # twice is enough (Kahan)
            rest = rest - np.stack(basis).T @ (np.stack(basis) @ rest)
        length = float(np.linalg.norm(rest))
        if length <= 1e-10 * max(float(np.linalg.norm(image)), 1e-30):
            break
        beside.append(length)
        basis.append(rest / length)
    inner = beside[: len(diagonal) - 1]
    values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(inner, 1) + np.diag(inner, -1))
    direction = np.stack(basis[: len(diagonal)]).T @ vectors[:, 0]
    return Curvature(float(values[0]), float(values[-1]), direction)
