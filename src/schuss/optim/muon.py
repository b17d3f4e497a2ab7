"""Muon: momentum made orthogonal, for the matrices of hidden layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

from schuss import functions as ops
from schuss.core import Tensor
from schuss.optim.optimizer import Factors, Optimizer, State, zeros
from schuss.optim.param_groups import NOT_NEGATIVE, RANGES, Group, Params, Range, hyperparameters
from schuss.optim.updates import follow, norm, shrunk

__all__ = ["Muon", "orthogonalized"]

_ADJUSTMENTS = (None, "original", "match_rms_adamw")


def orthogonalized(
    matrix: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Tensor:
    """Return a matrix with nearly the same singular vectors and singular values of about 1.

    X = matrix / max(|matrix|, eps), wide;  X = a * X + (b * A + c * A^2) X with A = X X^T

    Args:
        matrix: shape (m, n).
        coefficients: a, b, c of the odd polynomial that acts on the singular values.
        steps: how often.
        eps: the smallest norm that it is divided by.
    """
    a, b, c = coefficients
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / ops.maximum(norm(x), eps)
    for _ in range(steps):
        gram = x @ x.T
        x = x * a + (gram * b + (gram @ gram) * c) @ x
    return x.T if tall else x


class Muon(Optimizer):
    """Muon: a momentum whose singular values are all made about one.

    B = B + (1 - momentum) * (gradient - B)
    U = gradient + momentum * (B - gradient) if nesterov else B
    p = p - lr * weight_decay * p
    p = p - lr * f * orthogonalized(U)

    f is sqrt(max(1, rows / columns)), "original", or 0.2 * sqrt(max(rows, columns)),
    "match_rms_adamw", with which AdamW's learning rates and decays are right (Liu et al., 2025,
    arXiv 2502.16982). Jordan et al., 2024, https://kellerjordan.github.io/posts/muon; PyTorch's
    rule, in the parameters' dtype, where PyTorch's orthogonalization computes in bfloat16.

    Args:
        params: matrices of hidden layers, or groups of them; `MuonAdamW` takes others, too.
        lr: learning rate, >= 0.
        weight_decay: factor by which lr times as much is taken off the parameters, >= 0.
        momentum: share of the old direction that is kept, in [0, 1].
        nesterov: look ahead.
        ns_coefficients: three factors of the Newton-Schulz iteration, see `orthogonalized`.
        eps: the smallest norm that it is divided by, >= 0.
        ns_steps: number of iterations, from 0 to 99.
        adjust_lr_fn: None or "original", or "match_rms_adamw".
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range, or parameters that are not matrices.

    >>> import schuss as ss
    >>> p = ss.tensor([[3.0, 0.0], [0.0, 0.5]], requires_grad=True)
    >>> optimizer = Muon([p], lr=0.1, weight_decay=0.0)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> [[round(x, 1) for x in row] for row in p.tolist()]
    [[2.9, 0.0], [0.0, 0.4]]
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        "lr": RANGES["lr"],
        "weight_decay": RANGES["weight_decay"],
        "momentum": (0.0, 1.0, True),
        "eps": NOT_NEGATIVE,
        "ns_steps": (0, 100, False),
    }

    def __init__(
        self,
        params: Params,
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, hyperparameters(locals()))

    def check(self, group: Group) -> None:
        """Raise ValueError on another adjustment, not three coefficients, and no matrices."""
        self._check_iteration(group)
        for parameter in group["params"]:
            if parameter.ndim != 2:
                raise ValueError(
                    f"{self._owner}: expected matrices, got a parameter of shape "
                    f"{parameter.shape}; give others to AdamW, or all to MuonAdamW."
                )

    def _check_iteration(self, group: Group) -> None:
        if group["adjust_lr_fn"] not in _ADJUSTMENTS:
            raise ValueError(
                f"{self._owner}: expected adjust_lr_fn 'original', 'match_rms_adamw' or None, got "
                f"{group['adjust_lr_fn']!r}."
            )
        if len(group["ns_coefficients"]) != 3:
            raise ValueError(
                f"{self._owner}: expected three ns_coefficients, got {group['ns_coefficients']}."
            )

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the momentum, zero."""
        return {"momentum_buffer": zeros(parameter)}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter and the momentum after one step."""
        momentum = group["momentum"]
        buffer = follow(state["momentum_buffer"], gradient, momentum)
        ahead = gradient + (buffer - gradient) * momentum if group["nesterov"] else buffer
        matrix = ops.reshape(ahead, (ahead.shape[0], -1))
        direction = orthogonalized(
            matrix, group["ns_coefficients"], group["ns_steps"], group["eps"]
        )
        rate = group["lr"] * _adjustment(group["adjust_lr_fn"], *matrix.shape)
        moved = shrunk(parameter, group) - ops.reshape(direction, parameter.shape) * rate
        return moved, {"momentum_buffer": buffer}


def _adjustment(name: str | None, rows: int, columns: int) -> float:
    if name == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    return math.sqrt(max(1.0, rows / columns))
