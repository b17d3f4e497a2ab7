"""The recipe for recordings."""

from __future__ import annotations

from typing import cast

from schuss.training.items.job import TRAIN, ItemJob
from schuss.training.items.preparation import Recipe
from schuss.training.sound.preparation import SoundPreparation

__all__ = ["sound_recipe"]

# So many recordings are shown in all, if not fewer than so many times each.
_SHOWN, _LEAST_EPOCHS, _MOST_EPOCHS = 120_000, 12, 120
# Epochs over whose weights the network's are averaged, which is steadier than the last ones.
_AVERAGED = 4


def sound_recipe(job: ItemJob) -> Recipe:
    """Choose the network by the number of recordings, and how long it learns."""
    preparation, count = cast(SoundPreparation, job.preparation), len(job.numbers(TRAIN))
    network = {"classes": len(job.classes), "format": preparation.format.to_config()}
    epochs = min(max(round(_SHOWN / count), _LEAST_EPOCHS), _MOST_EPOCHS)
    if job.options.time_budget is not None:
        # The time ends the training, and the schedule with it.
        epochs = 4 * _MOST_EPOCHS
    chosen = {
        "network": network,
        "epochs": epochs,
        "batch_size": min(64, max(8, count // 8)),
        "optimizer": "adamw",
        "lr": 4e-3,
        "weight_decay": 0.05,
        "label_smoothing": 0.1,
        "average_epochs": _AVERAGED,
    }
    given = ("epochs", "batch_size", "lr", "weight_decay", "optimizer")
    own = {name: getattr(job.options, name) for name in given}
    return Recipe(**{**chosen, **{name: value for name, value in own.items() if value is not None}})
