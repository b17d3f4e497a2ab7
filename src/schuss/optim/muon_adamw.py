"""MuonAdamW: Muon for the matrices of a network, AdamW for all other parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from schuss.core import Tensor
from schuss.optim.adam import corrected, first_moments, step_of
from schuss.optim.muon import Muon
from schuss.optim.optimizer import Factors, State
from schuss.optim.param_groups import NOT_NEGATIVE, RANGES, Group, Params, Range, hyperparameters
from schuss.optim.updates import shrunk

__all__ = ["MuonAdamW"]


class MuonAdamW(Muon):
    """Muon for what has two axes or more, AdamW for vectors and numbers, by one learning rate.

    Both rules are those of `Muon` and `AdamW`. With the adjustment "match_rms_adamw" a learning
    rate and a weight decay that suit AdamW suit both (Liu et al., 2025, arXiv 2502.16982). The
    weights of convolutions are taken as matrices of (channels out, all else). Embeddings and the
    last layer are better left to AdamW: put them into a group with `"use_muon": False`.

    Args:
        params: parameters, or groups of them.
        lr: learning rate, >= 0.
        weight_decay: factor by which lr times as much is taken off the parameters, >= 0.
        momentum: share of the old direction that Muon keeps, in [0, 1].
        nesterov: look ahead.
        ns_coefficients: see `Muon`.
        eps: see `Muon`.
        ns_steps: see `Muon`.
        adjust_lr_fn: see `Muon`.
        betas: shares of the old mean and mean square that AdamW keeps, in [0, 1).
        adamw_eps: AdamW's `eps`, >= 0.
        use_muon: whether matrices have Muon's rule.
        maximize: go uphill.

    Raises:
        ValueError: on hyperparameters out of range.

    >>> from schuss import nn
    >>> model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2))
    >>> optimizer = MuonAdamW([
    ...     {"params": [*model[0].parameters(), *model[3].parameters()], "use_muon": False},
    ...     {"params": model[1].parameters()},
    ... ])
    """

    ranges: ClassVar[Mapping[str, Range]] = {
        **Muon.ranges,
        "betas": RANGES["betas"],
        "adamw_eps": NOT_NEGATIVE,
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
        adjust_lr_fn: str | None = "match_rms_adamw",
        *,
        betas: tuple[float, float] = (0.9, 0.95),
        adamw_eps: float = 1e-8,
        use_muon: bool = True,
        maximize: bool = False,
    ) -> None:
        super(Muon, self).__init__(params, hyperparameters(locals()))

    def check(self, group: Group) -> None:
        """Raise ValueError on another adjustment, and not three coefficients."""
        self._check_iteration(group)

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return Muon's momentum, or AdamW's averages."""
        if _is_matrix(parameter, group):
            return super().init(parameter, group)
        return first_moments(parameter)

    def coefficients(self, step: Tensor, group: Group) -> Factors:
        """Return AdamW's, for those that have its rule."""
        return corrected(step, group, group["adamw_eps"])

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group, coefficients: Factors
    ) -> tuple[Tensor, State]:
        """Return the parameter and its state after one step."""
        if _is_matrix(parameter, group):
            return super().update(parameter, gradient, state, group, ())
        step, changed = step_of(gradient, state, group["betas"], coefficients)
        return shrunk(parameter, group) - step, changed


def _is_matrix(parameter: Tensor, group: Group) -> bool:
    return bool(group["use_muon"]) and parameter.ndim > 1
