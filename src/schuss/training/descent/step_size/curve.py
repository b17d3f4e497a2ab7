"""RateCurve: the loss that short trainings end with, by learning rate, and its three zones."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schuss.errors import UsageError
from schuss.training.descent.step_size import drawing

__all__ = ["RateCurve"]


@dataclass(frozen=True)
class RateCurve:
    """How a training ends, by its learning rate.

    Args:
        rates: learning rates of the first group, from small to large.
        losses: what a short training with each ends with; infinite where it fails.
        low: from here on rates are right: smaller ones take for ever.
        high: up to here they are: larger ones miss the minimum.
        best: the rate for the whole training.
        horizon: steps of the short trainings.
        steps: steps of the whole one.
        rule: name of the optimizer.

    >>> curve = RateCurve([0.01, 0.1, 1.0], [2.0, 1.0, math.inf], 0.05, 0.3, 0.08, 100, 1000, "SGD")
    >>> [curve.zone(rate) for rate in curve.rates]
    ['too small', 'right', 'too big']
    """

    rates: list[float]
    losses: list[float]
    low: float
    high: float
    best: float
    horizon: int
    steps: int
    rule: str

    def zone(self, rate: float) -> str:
        """Return "too small", "right" or "too big"."""
        return "too small" if rate < self.low else "right" if rate <= self.high else "too big"

    def __str__(self) -> str:
        return f"{drawing.text(self)}\n{self.summary()}"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the curve as a picture.

        Args:
            path: of the file, which ends in .svg.

        Raises:
            UsageError: if it ends otherwise.
        """
        if Path(path).suffix.lower() != ".svg":
            raise UsageError(f"{path}: expected a name that ends in .svg; name it so.")
        Path(path).write_text(drawing.svg(self), encoding="utf-8")

    def summary(self) -> str:
        """Return what the curve says, in a sentence."""
        return (
            f"{self.rule}: learning rates from {self.low:.2g} to {self.high:.2g} are right; for "
            f"{self.steps:,} steps take {self.best:.2g}"
        )

    def to_config(self) -> dict[str, Any]:
        """Return everything as JSON can hold it, None for losses that are not finite."""
        losses = [loss if math.isfinite(loss) else None for loss in self.losses]
        return {**vars(self), "losses": losses}
