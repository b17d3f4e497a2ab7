"""TrainingPlan: epochs, batches, metrics, early stopping and the choice of the best epoch."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from schuss.training.arguments import BUDGET, COUNT, COUNT_OR_AUTO, one_of, problems
from schuss.training.descent.defaults import default_batch_size
from schuss.training.evaluation.metrics import HIGHER_IS_BETTER, Metric

__all__ = ["TrainingPlan", "seed_for"]

# Over such a share of the epochs weights are averaged where nothing is said.
_AVERAGED_SHARE = 1.0 / 6.0


def seed_for(seed: int, purpose: str) -> int:
    """Return a seed of its own for a purpose, so that its draws are not those of another.

    >>> seed_for(0, "weights") != seed_for(0, "steps")
    True
    """
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


@dataclass(frozen=True)
class TrainingPlan:
    """What a training does, as `Trainer` takes it; see there.

    `eager` and `batch_size` may be None until the number of rows decides them.
    """

    epochs: int
    time_budget: float | None
    batch_size: int | None
    drop_last: bool
    seed: int
    metrics: Mapping[str, Metric]
    monitor: str
    mode: str | None
    ties: str
    patience: int | None
    average_epochs: int | str | None
    checkpoint_seconds: float
    eager: bool | None

    @property
    def higher(self) -> bool:
        """Whether more of the monitored figure is better."""
        return self.mode == "max" if self.mode else self.monitor in HIGHER_IS_BETTER

    def batch(self, rows: int) -> int:
        """Return how many of so many rows a step takes."""
        return self.batch_size or default_batch_size(rows)

    def averaged(self, *, finds_rate: bool, validated: bool) -> int | None:
        """Return over how many epochs the weights are averaged, or None.

        Args:
            finds_rate: whether the learning rate is found.
            validated: whether there are validation rows, by which the average competes.
        """
        if not isinstance(self.average_epochs, str):
            return self.average_epochs
        epochs = int(_AVERAGED_SHARE * self.epochs)
        competes = finds_rate and validated and self.time_budget is None
        return epochs if competes and epochs > 1 else None

    @property
    def average_competes(self) -> bool:
        """Whether the average is kept only where it is better than the weights themselves."""
        return self.average_epochs == "auto"

    @property
    def step_seed(self) -> int:
        """The seed of the rows' order and the dropout."""
        return seed_for(self.seed, "steps")

    def problems(self) -> list[str]:
        """Say what is out of range."""
        names = ", ".join(self.metrics)
        monitor = f"'loss' or one of the metrics ({names})"
        ties = "'first', 'last', 'loss' or one of its metrics"
        counts = dict.fromkeys(("batch_size", "epochs", "patience"), COUNT)
        return problems(
            vars(self),
            counts
            | {
                "average_epochs": COUNT_OR_AUTO,
                "time_budget": BUDGET,
                "monitor": one_of(("loss", *self.metrics), monitor),
                "mode": one_of(("min", "max"), "'min' or 'max'"),
                "ties": one_of(("first", "last", "loss", *self.metrics), ties),
            },
        )
