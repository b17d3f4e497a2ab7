"""SideBySide: Levenberg-Marquardt from many starts at once, in one native program."""

from __future__ import annotations

import numpy as np

from schuss import functions as ops
from schuss import linalg
from schuss.compiler.compiled import Compiled
from schuss.core import Array, Tensor, leaf, no_grad
from schuss.func import vmap
from schuss.training.escape.rowwise import RowwiseProblem

__all__ = ["FIRST_DAMPING", "SideBySide"]

#: Damping at the start, relative to the largest element of the matrix's diagonal.
FIRST_DAMPING = 0.1
_MOST_DAMPING = 1e6
# By how much it changes: the step was as good as foreseen, about so, hardly, or went up.
_GOOD, _FAIR, _POOR, _WORSE = 0.2, 0.5, 1.5, 4.0


class SideBySide:
    r"""Descents from many starts, each with a damping of its own.

    .. math:: t \leftarrow t - (G + \lambda g I)^{-1} \nabla L(t)

    with the Gauss-Newton matrix G of `RowwiseProblem` and the largest element g of its diagonal; a
    step that goes up is not taken, and the damping follows how well the last one was foreseen
    (Marquardt, 1963, SIAM Journal on Applied Mathematics 11). All of them are one batch in one
    program, and many steps are one native call; systems are solved by LAPACK.

    Args:
        problem: what is descended.
        count: how many there are side by side, at least 1.
    """

    def __init__(self, problem: RowwiseProblem, count: int) -> None:
        self.count = count
        size, dtype = problem.size, problem.dtype
        self._at = leaf(np.zeros((count, size), dtype))
        self._damping = leaf(np.zeros(count, dtype))
        self._weight = leaf(np.zeros(problem.rows, dtype))
        identity = leaf(np.eye(size, dtype=dtype))
        tiny = float(np.finfo(dtype).tiny)
        # What is less is lost beside 1, and a matrix that has no full rank remains singular.
        least = 8.0 * float(np.finfo(dtype).eps)

        def step(_: Tensor) -> Tensor:
            at, weight = self._at, self._weight
            loss, slope, matrix = vmap(lambda t: problem.expansion_at(t, weight))(at)
            scale = (matrix * identity).max(axis=(1, 2)).reshape((count, 1)) + tiny
            damping = self._damping.reshape((count, 1))
            damped = matrix / scale.reshape((count, 1, 1))
            damped = damped + damping.reshape((count, 1, 1)) * identity
            towards = (slope / scale).reshape((count, size, 1))
            move = -linalg.solve(damped, towards).reshape((count, size))
            tried = at + move
            reached = (vmap(problem.losses_at)(tried) * weight).sum(axis=1)
            foreseen = 0.5 * (move * (damping * scale * move - slope)).sum(axis=1)
            is_lower = reached < loss
            share = (loss - reached) / (foreseen + tiny)
            kept = ops.where(share > 0.75, _GOOD, ops.where(share > 0.25, _FAIR, _POOR))
            factor = ops.where(is_lower, kept, _WORSE)
            self._damping.assign(ops.clip(self._damping * factor, least, _MOST_DAMPING))
            self._at.assign(ops.where(is_lower.reshape((count, 1)), tried, at))
            return ops.where(is_lower, reached, loss)

        self._step = Compiled(step)

    def begin(self, vectors: Array, weight: Array, damping: Array) -> None:
        """Start from these vectors, on rows of these weights.

        Args:
            vectors: of shape (count, size).
            weight: of each row, of sum 1.
            damping: of each start.
        """
        for state, value in ((self._at, vectors), (self._damping, damping), (self._weight, weight)):
            state.assign(value.astype(state.array.dtype))

    def take(self, steps: int) -> Array:
        """Take so many steps, and return the losses after each: (steps, count)."""
        with no_grad():
            losses = self._step.scan(leaf(np.zeros(1, np.float32)), np.zeros((steps, 1), np.int64))
        found: Array = losses.array.astype(np.float64)
        return found

    @property
    def vectors(self) -> Array:
        """Where the descents are, of shape (count, size)."""
        return self._at.array.copy()

    @property
    def damping(self) -> Array:
        """Their dampings, of shape (count,)."""
        return self._damping.array.copy()
