"""SOAP: Adam in the basis of Shampoo's eigenvectors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from schuss import functions as ops
from schuss.core import Tensor, leaf
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import RANGES, Group, Params, Range, hyperparameters
from schuss.optim.updates import along, second_moment
from schuss.primitives.preconditioners import FIRST, KEEP, REFRESH, eigenbasis

__all__ = ["SOAP"]


class SOAP(Optimizer):
    """SOAP: Adam in a basis that turns with the gradients' second moments.

    for each axis a of a tensor with two axes or more, G_a the gradient with that axis first:
        L_a = shampoo_beta * L_a + (1 - shampoo_beta) * G_a G_a^T
        Q_a: the eigenvectors of L_a, by power iteration every `precondition_frequency` steps
    g' = the gradient along the Q_a;  m = beta1 * m + (1 - beta1) * gradient
    v = beta2 * v + (1 - beta2) * g'^2
    p = p - lr * c * (m along the Q_a, divided by sqrt(v) + eps, and turned back)
    p = p - lr * weight_decay * p

    c is sqrt(1 - beta2^t) / (1 - beta1^t) with `correct_bias`, else 1, and t one less than the
    count of steps: the first makes the bases alone. L_a and Q_a are those of the step before.

    Vyas et al., 2024, arXiv 2409.11321, as its authors' code computes it. The bases are computed
    by LAPACK, also in compiled functions, and only in the steps that need them.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        betas: shares of the old mean and of the old mean square that are kept, in [0, 1).
        shampoo_beta: share of the old second moments that is kept; beta2 by default.
        weight_decay: factor by which lr times as much is taken off the parameters, >= 0.
        precondition_frequency: number of steps between two bases, >= 1.
        max_precondition_dim: longest axis that has a basis; along longer ones nothing is turned.
        merge_dims: take neighbouring axes as one while that is no longer than
            max_precondition_dim, as those of a convolution's kernel.
        precondition_1d: give vectors a basis, too.
        correct_bias: correct the means for having started at zero.
        eps: added to the root, >= 0.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> optimizer = SOAP([p], lr=0.1, weight_decay=0.0)
    >>> for _ in range(200):
    ...     optimizer.zero_grad()
    ...     (p * p).sum().backward()
    ...     optimizer.step()
    >>> p.abs().max().item() < 0.1
    True
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        **RANGES,
        "precondition_frequency": (1, np.inf, False),
        "max_precondition_dim": (1, np.inf, False),
    }

    def __init__(
        self,
        params: Params,
        lr: float = 3e-3,
        betas: tuple[float, float] = (0.95, 0.95),
        shampoo_beta: float | None = None,
        weight_decay: float = 1e-2,
        precondition_frequency: int = 10,
        max_precondition_dim: int = 10000,
        merge_dims: bool = False,
        precondition_1d: bool = False,
        correct_bias: bool = True,
        eps: float = 1e-8,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def check(self, group: Group) -> None:
        """Raise ValueError on a share of the second moments that is none."""
        beta = group["shampoo_beta"]
        if beta is not None and not 0.0 <= beta < 1.0:
            raise ValueError(f"SOAP: expected shampoo_beta in [0, 1) or None, got {beta}.")

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the mean and mean square, and for each axis the second moments and the basis."""
        state = {"exp_avg": zeros(parameter), "exp_avg_sq": zeros(parameter)}
        shape, dtype = _merged(parameter.shape, group), parameter.array.dtype
        for axis in _axes(parameter, group):
            n = shape[axis]
            state |= {f"GG_{axis}": leaf(np.zeros((n, n), dtype))}
            state |= {f"Q_{axis}": leaf(np.eye(n, dtype=dtype))}
        return state

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return what the bases need, and for the means and the step 0 in the first one."""
        first = step == 1.0
        refresh = (step - 1.0) % float(group["precondition_frequency"]) == 0.0
        todo = ops.where(first, FIRST, ops.where(refresh, REFRESH, KEEP))
        beta1, beta2 = group["betas"]
        begun = ops.where(first, 0.0, ops.ones_like(step))
        size = begun * group["lr"]
        if group["correct_bias"]:
            count = ops.maximum(step - 1.0, 1.0)
            size = size * ops.sqrt(1.0 - beta2**count) / (1.0 - beta1**count)
        kept = 1.0 - begun * (group["lr"] * group["weight_decay"])
        return todo, begun * (1.0 - beta1), begun * (1.0 - beta2), size, kept, 1.0 - begun

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter, the averages, the second moments and the bases after one step."""
        todo, of_mean, of_square, size, kept, first = coefficients
        axes, shape = _axes(parameter, group), _merged(parameter.shape, group)
        bases = {axis: state[f"Q_{axis}"] for axis in axes}
        gradient, mean, square = (
            x.reshape(shape) for x in (gradient, state["exp_avg"], state["exp_avg_sq"])
        )
        mean = mean + (gradient - mean) * of_mean
        turned = along(gradient, bases)
        square = square + (turned * turned - square) * of_square
        # At the first step nothing has a square yet, and nothing moves.
        direction = along(mean, bases) / (ops.sqrt(square) + (first + group["eps"]))
        back = along(direction, {axis: basis.T for axis, basis in bases.items()})
        moved = (parameter - back.reshape(parameter.shape) * size) * kept
        changed = {"exp_avg": mean.reshape(parameter.shape)}
        beta = group["betas"][1] if group["shampoo_beta"] is None else group["shampoo_beta"]
        for axis in axes:
            old = state[f"GG_{axis}"]
            moments = old + (second_moment(gradient, axis) - old) * (1.0 - beta)
            changed[f"GG_{axis}"] = moments
            changed[f"Q_{axis}"], order = eigenbasis(todo, moments, bases[axis])
            square = ops.take(square, order, axis=axis)
        return moved, {**changed, "exp_avg_sq": square.reshape(parameter.shape)}


def _merged(shape: tuple[int, ...], group: Group) -> tuple[int, ...]:
    """Return the shape in which a parameter's axes have bases."""
    if len(shape) < 2 or not group["merge_dims"]:
        return shape
    merged = [1]
    for n in shape:
        if merged[-1] > 1 and merged[-1] * n > group["max_precondition_dim"]:
            merged.append(1)
        merged[-1] *= n
    return tuple(merged)


def _axes(parameter: Tensor, group: Group) -> list[int]:
    """Return the axes that have a basis."""
    if parameter.ndim == 1 and not group["precondition_1d"]:
        return []
    shape = _merged(parameter.shape, group)
    return [i for i, n in enumerate(shape) if n <= group["max_precondition_dim"]]
