"""Adafactor: a mean square of the gradients from its rows' and columns' means alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from schuss import functions as ops
from schuss.core import Tensor, leaf
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import RANGES, Group, Params, Range, hyperparameters
from schuss.optim.updates import norm, shrunk

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adafactor: steps relative to the weights' size, by a factored mean square.

    w = step^beta2_decay
    a = max(eps2, rms(p)) * min(lr, 1 / sqrt(step))
    p = p - lr * weight_decay * p
    R = R + w * (mean of gradient^2 along a row - R);  C likewise along a column
    V = R * C / max(mean of R, eps1)              (of vectors and numbers, V itself is kept)
    u = gradient / sqrt(max(V, eps1^2))
    p = p - a * u / max(1, rms(u) / d)

    Shazeer and Stern, 2018, arXiv 1804.04235, in PyTorch's variant: lr is the highest relative
    step and the factor of the weight decay, and eps1 guards the divisions. Its state is two
    vectors for a matrix; the last two axes of a tensor are those factored.

    Args:
        params: parameters, or groups of them.
        lr: highest step relative to the weights, >= 0.
        beta2_decay: power of the step's number by which new squares count, <= 0.
        eps: (eps1, eps2): what divisions are guarded with, None for the dtype's own epsilon; the
            smallest size of the weights that counts.
        d: root mean square above which an update is scaled down, >= 1.
        weight_decay: factor by which lr times as much is taken off the parameters, >= 0.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([[2.0, 2.0]], requires_grad=True)
    >>> optimizer = Adafactor([p], lr=0.25)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.tolist()
    [[1.5, 1.5]]
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "lr": RANGES["lr"],
        "weight_decay": RANGES["weight_decay"],
        "beta2_decay": (-math.inf, 0.0, True),
        "d": (1.0, math.inf, False),
    }

    def __init__(
        self,
        params: Params,
        lr: float = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def check(self, group: Group) -> None:
        """Raise ValueError where the epsilons are not two numbers of at least 0."""
        eps = group["eps"]
        if len(eps) != 2 or not all(e is None or e >= 0.0 for e in eps) or eps[1] is None:
            raise ValueError(f"Adafactor: expected eps of two numbers >= 0, got {eps}.")

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the mean squares, zero: of rows and columns, or of the elements."""
        if parameter.ndim < 2:
            return {"variance": zeros(parameter)}
        shape = parameter.shape
        return {
            "row_var": leaf(np.zeros((*shape[:-1], 1), parameter.array.dtype)),
            "col_var": leaf(np.zeros((*shape[:-2], 1, shape[-1]), parameter.array.dtype)),
        }

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return the weight of new squares, and the relative step."""
        return step ** group["beta2_decay"], ops.minimum(1.0 / ops.sqrt(step), group["lr"])

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter and the mean squares after one step."""
        weight, relative = coefficients
        eps1, eps2 = group["eps"]
        if eps1 is None:
            eps1 = float(np.finfo(parameter.array.dtype).eps)
        root = math.sqrt(max(parameter.size, 1))
        rate = ops.maximum(norm(parameter) / root, eps2) * relative
        changed, squares = self._squares(gradient, state, weight, eps1)
        direction = gradient / ops.sqrt(ops.maximum(squares, eps1 * eps1))
        too_long = ops.maximum(norm(direction) / (root * group["d"]), 1.0)
        return shrunk(parameter, group) - direction * (rate / too_long), changed

    def _squares(
        self, gradient: Tensor, state: State, weight: Tensor, eps: float
    ) -> tuple[State, Tensor]:
        """Return the new state, and the mean squares of the elements that it stands for."""
        square = gradient * gradient
        if gradient.ndim < 2:
            mean = state["variance"] + (square - state["variance"]) * weight
            return {"variance": mean}, mean
        rows, columns = (
            state[name] + (ops.mean(square, axis=axis, keepdims=True) - state[name]) * weight
            for name, axis in (("row_var", -1), ("col_var", -2))
        )
        level = ops.maximum(ops.mean(rows, axis=-2, keepdims=True), eps)
        return {"row_var": rows, "col_var": columns}, rows * columns / level
