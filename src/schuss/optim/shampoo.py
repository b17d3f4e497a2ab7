"""Shampoo: gradients preconditioned along each axis by roots of their second moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from schuss import functions as ops
from schuss.core import Tensor, leaf
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import NOT_NEGATIVE, RANGES, Group, Params, Range, hyperparameters
from schuss.optim.updates import along, decayed, second_moment
from schuss.primitives.preconditioners import inverse_root

__all__ = ["Shampoo"]


class Shampoo(Optimizer):
    """Shampoo: steps preconditioned along each of a tensor's k axes.

    g = gradient + momentum * (b - gradient)      (g = gradient at the first step)
    g = g + weight_decay * p                      (decoupled: p = p - lr * weight_decay * p)
    L_a = L_a + G_a G_a^T                         (G_a is g with axis a first; L_a starts at
                                                  matrix_eps * identity)
    b = g times L_a^(-1 / (2 k)) along each axis a
    p = p - lr * b

    Gupta, Koren and Singer, 2018, arXiv 1802.09568, algorithm 2, with the momentum of the
    preconditioned steps that its implementations for PyTorch have. The roots are computed by
    LAPACK, also in compiled functions, and only in the steps that need them.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        momentum: share of the last step in the gradient, >= 0.
        weight_decay: factor of the parameters added to the gradient, >= 0.
        decoupled_weight_decay: shrink the parameters themselves instead, as `AdamW` does.
        preconditioning_compute_steps: number of steps between two roots, >= 1; before the first
            ones are there, nothing moves.
        matrix_eps: what the second moments start with, > 0.
        max_precondition_dim: longest axis that has a root; along longer ones, nothing is done.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> import schuss as ss
    >>> p = ss.tensor([[3.0, 0.0], [0.0, 0.5]], requires_grad=True)
    >>> optimizer = Shampoo([p], lr=0.25)
    >>> (0.5 * p * p).sum().backward()
    >>> optimizer.step()  # at first a step of the same length along both directions
    >>> [[round(x, 3) for x in row] for row in p.tolist()]
    [[2.75, 0.0], [0.0, 0.25]]
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        **RANGES,
        "matrix_eps": NOT_NEGATIVE,
        "preconditioning_compute_steps": (1, np.inf, False),
        "max_precondition_dim": (1, np.inf, False),
    }

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        momentum: float = 0.0,
        weight_decay: float = 0.0,
        decoupled_weight_decay: bool = False,
        preconditioning_compute_steps: int = 1,
        matrix_eps: float = 1e-6,
        max_precondition_dim: int = 10000,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return for each axis the second moments and their root, and the momentum, zero."""
        state = {"momentum_buffer": zeros(parameter)} if group["momentum"] else {}
        for axis in _axes(parameter, group):
            n, dtype = parameter.shape[axis], parameter.array.dtype
            begun = np.eye(n, dtype=dtype) * dtype.type(group["matrix_eps"])
            state |= {f"pre_cond_{axis}": leaf(begun)}
            state |= {f"inv_pre_cond_{axis}": leaf(np.zeros((n, n), dtype))}
        return state

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return the share of the last step, none at the first; whether there are new roots."""
        share = ops.where(step == 1.0, 0.0, ops.ones_like(step)) * group["momentum"]
        every = float(group["preconditioning_compute_steps"])
        return share, ops.where(step % every == 0.0, 1.0, 0.0)

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter, the second moments, their roots and the momentum."""
        share, wanted = coefficients
        if group["momentum"]:
            if "momentum_buffer" not in state:  # the momentum was raised from 0 on the way
                state["momentum_buffer"] = zeros(parameter)
            gradient = gradient + (state["momentum_buffer"] - gradient) * share
        parameter, gradient = decayed(parameter, gradient, group)
        changed: State = {}
        roots: dict[int, Tensor] = {}
        for axis in _axes(parameter, group):
            moments = state[f"pre_cond_{axis}"] + second_moment(gradient, axis)
            before = state[f"inv_pre_cond_{axis}"]
            roots[axis] = inverse_root(wanted, moments, before, root=2 * parameter.ndim)
            changed |= {f"pre_cond_{axis}": moments, f"inv_pre_cond_{axis}": roots[axis]}
        direction = along(gradient, roots)
        if group["momentum"]:
            changed["momentum_buffer"] = direction
        return parameter - direction * group["lr"], changed


def _axes(parameter: Tensor, group: Group) -> list[int]:
    """Return the axes that are preconditioned."""
    return [i for i, n in enumerate(parameter.shape) if n <= group["max_precondition_dim"]]
