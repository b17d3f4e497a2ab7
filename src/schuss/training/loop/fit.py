"""Fit, the result of a training: history, best epoch, time, and why it stopped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from schuss.errors import SchussError
from schuss.training.escape.stage import EscapeReport
from schuss.training.loop.progress import clock

__all__ = ["DivergenceError", "Fit"]


class DivergenceError(SchussError):
    """The loss became infinite or not a number before anything was learned."""


@dataclass(repr=False)
class Fit:
    """What came of a training.

    Args:
        epochs: epochs done.
        best_epoch: number of the epoch whose weights were kept, from 1; 0 for none.
        history: an epoch's figures each: epoch, step, seconds, lr, train_loss, validation_...,
            and those of `schuss.training.descent.health`, from the epoch's first step and every
            sixteenth after it, None where they are not finite: gradient_norm and dead_units
            (means), largest_gradient_norm, largest_update, nonfinite_gradients (a count).
        seconds: time spent, over all parts of a resumed run.
        stopped: why it ended: "epochs", "time", "patience", "diverged", "callback", or
            "escaped": its weights are those of a race from many starts.
        notes: what the user should know.
        escape: what a race from many starts found, or None where there was none.

    >>> Fit(2, 1, [{"epoch": 1, "train_loss": 0.5}, {"epoch": 2, "train_loss": 0.7}], 3.2, "epochs")
    Fit(2 epochs in 3.2 s, stopped by 'epochs'; best epoch 1: train_loss 0.5)
    """

    epochs: int
    best_epoch: int
    history: list[dict[str, Any]]
    seconds: float
    stopped: str
    notes: list[str] = field(default_factory=list)
    escape: EscapeReport | None = None

    @property
    def best(self) -> dict[str, Any]:
        """The figures of the best epoch."""
        # A history that was damaged on disk lacks epochs.
        found = (record for record in self.history if record["epoch"] == self.best_epoch)
        return dict(next(found, {}))

    def result(self) -> dict[str, Any]:
        """Return what a run keeps of it, but for its notes."""
        return {
            "epoch": self.best_epoch,
            "epochs": self.epochs,
            "seconds": self.seconds,
            "stopped": self.stopped,
            "finished": True,
        }

    def __repr__(self) -> str:
        count = f"{self.epochs} epoch{'' if self.epochs == 1 else 's'} in {clock(self.seconds)}"
        figures = ", ".join(
            f"{name} {'undefined' if value is None else f'{value:.4g}'}"
            for name, value in self.best.items()
            if name == "train_loss" or name.startswith("validation_")
        )
        best = f"; best epoch {self.best_epoch}: {figures}" if self.best_epoch else ""
        return f"Fit({count}, stopped by {self.stopped!r}{best})"

    def summary(self, patience: int | None) -> str:
        """Return the line that ends the progress."""
        count = f"{self.epochs} epoch{'' if self.epochs == 1 else 's'}"
        text = f"trained {count} in {clock(self.seconds)}"
        if self.stopped == "patience":
            text += f" (no better epoch in the last {patience})"
        if self.stopped == "time":
            text += " (as long as the time budget allows)"
        if self.best_epoch and self.best_epoch != self.epochs:
            text += f"; the best was epoch {self.best_epoch}"
        return text
