"""DistanceAdapted, the base of rules that estimate how far the solution is, and step by it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from schuss import functions as ops
from schuss.core import Tensor, float64
from schuss.optim.joint import JointOptimizer
from schuss.optim.optimizer import State
from schuss.optim.param_groups import NOT_NEGATIVE, RANGES, Group, Range

__all__ = ["DistanceAdapted", "with_coupled_decay", "with_decoupled_decay"]


class DistanceAdapted(JointOptimizer):
    """Base of Prodigy and D-Adaptation: `d`, an estimate of the distance to the solution.

    The numbers are those of all groups together, so what they are made by has to be the same in
    all of them; a group with lr 0 stays where it is.
    """

    has_own_pace = True
    ranges: ClassVar[Mapping[str, Range]] = {
        **RANGES,
        "d0": NOT_NEGATIVE,
        "d_coef": NOT_NEGATIVE,
        "layer_scale": NOT_NEGATIVE,
    }
    # What may differ between groups.
    _own: ClassVar[frozenset[str]] = frozenset(
        {"lr", "weight_decay", "eps", "layer_scale", "slice_p"}
    )

    def check(self, group: Group) -> None:
        """Raise ValueError where d would not grow, and where groups differ in what makes d."""
        for name in ("d0", "growth_rate"):
            if not group[name] > 0.0:
                raise ValueError(f"{self._owner}: expected {name} > 0, got {group[name]}.")
        first = self.param_groups[0] if self.param_groups else group
        for name in self.defaults.keys() - self._own:
            if group[name] != first[name]:
                raise ValueError(
                    f"{self._owner}: expected one {name} for all groups, got {first[name]} and "
                    f"{group[name]}."
                )

    def _require_fit(self, group: Group) -> None:
        super()._require_fit(group)
        rates = {g["lr"] for g in self.param_groups} - {0.0}
        if len(rates) > 1:
            raise ValueError(
                f"{self._owner}: expected one lr for all groups, or 0, got {sorted(rates)}; "
                "they share one estimate."
            )

    def begin(self, group: Group) -> dict[str, float]:
        """Return the first estimate."""
        return {"k": 0.0, "d": group["d0"]}

    def rate(self, common: State, group: Group) -> Tensor:
        """Return d times the learning rate, times Adam's correction where it is asked for."""
        rate: Tensor = common["d"] * group["lr"]
        if group.get("use_bias_correction"):
            beta1, beta2 = group["betas"]
            count = common["k"] + 1.0
            rate = rate * ops.sqrt(1.0 - beta2**count) / (1.0 - beta1**count)
        return rate

    def settled(
        self, common: State, group: Group, progress: Tensor, fresh: State
    ) -> tuple[State, Tensor]:
        """Return the new numbers in common where there was a gradient, and the old ones elsewhere.

        With them, whether the parameters move: 1 or 0.
        """
        fresh = {**fresh, "k": common["k"] + 1.0}
        kept = {name: ops.where(progress, value, common[name]) for name, value in fresh.items()}
        moving = ops.where(progress, 1.0 if group["lr"] else 0.0, 0.0).astype(float64)
        return kept, moving


def with_coupled_decay(parameter: Tensor, gradient: Tensor, group: Group) -> Tensor:
    """Return the gradient with the weight decay, where that is not decoupled."""
    decay = group["weight_decay"]
    return gradient + parameter * decay if decay and not group.get("decouple") else gradient


def with_decoupled_decay(parameter: Tensor, group: Group, rate: Tensor) -> Tensor:
    """Return the parameter without `rate` times the weight decay, where that is decoupled."""
    decay = group["weight_decay"]
    return parameter * (1.0 - rate * decay) if decay and group["decouple"] else parameter
