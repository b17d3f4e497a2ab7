"""The recipe for sequences: a network sized to their number, and how long it learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from schuss.optim.schedules import BY_PROGRESS
from schuss.training.tables.options import TrainingOptions
from schuss.training.tables.recipe import TabularRecipe, tabular_recipe

__all__ = ["TAPS", "sequence_recipe"]

TAPS = 5
# Operations of a training step in a second on two cores, and for how many seconds there are.
_RATE, _SECONDS = 3e10, 180.0
_SHOWN, _LEAST_EPOCHS, _MOST_EPOCHS = 25_000, 25, 150
_AVERAGED = 5
# With a budget the clock ends the training, and not the epochs.
_ENDLESS = 4 * _MOST_EPOCHS
# The widest network that the number of sequences bears.
_WIDTHS = ((2_000, (48, 96, 128)), (0, (32, 64, 96)))


def operations(steps: int, columns: int, widths: Sequence[int]) -> float:
    """Return the operations of one sequence's share of a training step, about."""
    total = 1.0 * (TAPS + 2) * steps * columns * widths[0]
    before, length = widths[0], float(steps)
    for stage, width in enumerate(widths):
        length = length / 2.0 if stage else length
        total += TAPS * length * (before * width + width * width)
        before = width
    # A multiplication and an addition each; forward, and twice backward.
    return 6.0 * total


def sequence_recipe(
    task: str,
    options: TrainingOptions,
    *,
    sequences: int,
    steps: int,
    columns: int,
    validated: bool,
    log: bool,
) -> TabularRecipe:
    """Choose the network by the number of sequences, and how long it learns.

    Args:
        task: "classification" or "regression".
        options: what was asked for.
        sequences: how many there are to learn from.
        steps: of the longest one.
        columns: numbers of each step.
        validated: whether there are others to choose the best epoch by.
        log: whether logarithms are learned.
    """
    widths = tuple(
        options.hidden or next(widths for least, widths in _WIDTHS if sequences >= least)
    )
    cost = sequences * operations(steps, columns, widths)
    epochs = min(_SHOWN / sequences, _SECONDS * _RATE / cost, _MOST_EPOCHS)
    epochs = max(round(epochs), _LEAST_EPOCHS) if options.time_budget is None else _ENDLESS
    changes: dict[str, Any] = {
        "epochs": epochs,
        "batch_size": min(32, max(8, sequences // 8)),
        "lr": 3e-3,
        "weight_decay": 0.05,
        "betas": (0.9, 0.99),
        "dropout": 0.2,
        "hidden": widths,
        "label_smoothing": 0.1,
        "average_epochs": _AVERAGED,
        "schedules": {"lr": BY_PROGRESS["warm_cosine"]},
        "baseline": False,
    }
    if options.loss not in (None, "mse") or log:
        # Squares in the target's unit are not what is learned.
        changes["metric"] = "loss"
    if options.loss is not None:
        changes["value_loss"] = options.loss
    for name in ("epochs", "batch_size", "lr", "weight_decay", "dropout", "patience", "quantile"):
        if (value := getattr(options, name)) is not None:
            changes[name] = value
    return tabular_recipe(task, **changes)
