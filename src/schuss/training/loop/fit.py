"""What a training is to do, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from schuss.errors import SchussError
from schuss.training.evaluation.metrics import Metric

__all__ = ["DivergenceError", "Fit", "Plan"]


class DivergenceError(SchussError):
    """The loss became infinite or not a number before anything was learned."""


@dataclass(frozen=True)
class Plan:
    """What a loop does, decided before it starts.

    Args:
        epochs: passes over the training rows, at most.
        batch_size: rows in a step.
        drop_last: whether a last, smaller batch of an epoch is left out.
        seed: decides the order of the rows and the dropout.
        metrics: functions by name, measured on the validation rows.
        monitor: figure on the validation rows that chooses the best epoch.
        higher: whether more of it is better.
        ties: which of equal epochs is best: "first", "last", or the one that another figure on the
            validation rows prefers.
        patience: epochs without a better one after which training stops, or None.
        checkpoint_seconds: least time between checkpoints.
        average_epochs: length of the average of the weights that is validated and kept, or None.
        eager: whether steps run one by one with NumPy, and not as a native program.
    """

    epochs: int
    batch_size: int
    drop_last: bool
    seed: int
    metrics: Mapping[str, Metric]
    monitor: str
    higher: bool
    ties: str
    patience: int | None
    checkpoint_seconds: float
    average_epochs: int | None = None
    eager: bool = False


@dataclass
class Fit:
    """What came of a training.

    Args:
        epochs: epochs done.
        best_epoch: number of the epoch whose weights were kept, from 1; 0 for none.
        history: an epoch's figures each: epoch, step, seconds, lr, train_loss, validation_...,
            and those of `Health`, from the epoch's first step and every sixteenth
            after it, None where they are not finite: gradient_norm and dead_units (means),
            largest_gradient_norm, largest_update, nonfinite_gradients (a count).
        seconds: time spent, over all parts of a resumed run.
        stopped: why it ended: "epochs", "patience", "diverged" or "callback".
        notes: what the user should know.
    """

    epochs: int
    best_epoch: int
    history: list[dict[str, Any]]
    seconds: float
    stopped: str
    notes: list[str] = field(default_factory=list)

    @property
    def best(self) -> dict[str, Any]:
        """The figures of the best epoch."""
        return dict(self.history[self.best_epoch - 1]) if self.best_epoch else {}
