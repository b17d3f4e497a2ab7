"""The recipe for pictures: a residual network sized to the data and the time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from schuss.training.items.job import TRAIN, ItemJob
from schuss.training.items.preparation import Recipe
from schuss.training.pictures.preparation import PicturePreparation

__all__ = ["Hardness", "operations", "picture_recipe"]

# Operations in a second on two cores; and for how many seconds of these pictures are trained on,
# such that a quick network gets nearly all right, and others.
_RATE = 1.3e11
_EASY_SECONDS, _HARD_SECONDS = 190.0, 760.0
_EASY_ERROR = 0.06
# The widest network that leaves time for so many epochs; more than the most gain nothing.
_WIDTHS = (16, 24, 32, 48, 64)
_EPOCHS, _MOST_EPOCHS, _LEAST_EPOCHS = 45, 160, 4
_BATCH = 64
# With a budget the clock ends the training, and not the epochs.
_SPARE = 1.6


@dataclass(frozen=True)
class Hardness:
    """What a quick training says of pictures.

    Args:
        error: share that a small network gets wrong.
        rate: operations of its steps in a second, or 0 where that is not known.
    """

    error: float
    rate: float


def operations(preparation: PicturePreparation, widths: Sequence[int]) -> float:
    """Return the operations of one picture's share of a training step, about."""
    side = 2 if preparation.photos else 1
    area = preparation.height * preparation.width / side**2
    total = 9.0 * area * preparation.channels * widths[0]
    before = widths[0]
    for stage, width in enumerate(widths):
        area = area if stage == 0 else area / 4
        total += 9.0 * area * (before * width + width * width) + area * before * width
        before = width
    # A multiplication and an addition each; forward, and twice backward.
    return 6.0 * total


def _widths(first: int, preparation: PicturePreparation) -> list[int]:
    """Return the widths of all stages: the last one has 3 to 5 pixels to a side."""
    side = min(preparation.height, preparation.width) / (2 if preparation.photos else 1)
    stages = 1
    while side > 5 and stages < 5:
        side, stages = side / 2, stages + 1
    return [first * 2**k for k in range(stages)]


def picture_recipe(job: ItemJob) -> Recipe:
    """Choose the network by the pictures' size and number, and by the time."""
    options, preparation = job.options, cast(PicturePreparation, job.preparation)
    rows = len(job.numbers(TRAIN))
    hardness = cast(Hardness, job.hardness)
    budget, rate = options.time_budget, _RATE
    seconds = _EASY_SECONDS if hardness.error < _EASY_ERROR else _HARD_SECONDS
    if budget is not None:
        seconds, rate = budget, hardness.rate or _RATE
    epochs_by_width = {
        first: seconds * rate / (rows * operations(preparation, _widths(first, preparation)))
        for first in _WIDTHS
    }
    wide = [first for first, epochs in epochs_by_width.items() if epochs >= _EPOCHS]
    first = max(wide, default=_WIDTHS[0])
    epochs = epochs_by_width[first] * (1.0 if budget is None else _SPARE)
    network = {
        "channels": preparation.channels,
        "classes": len(job.classes),
        "widths": _widths(first, preparation),
        "stride": 2 if preparation.photos else 1,
        "mean": list(preparation.mean),
        "std": list(preparation.std),
        "mirror": preparation.mirror,
    }
    changes = {
        name: getattr(options, name)
        for name in ("epochs", "batch_size", "lr", "weight_decay", "optimizer")
        if getattr(options, name) is not None
    }
    if "optimizer" in changes and changes["optimizer"] != "sgd":
        changes.setdefault("lr", 1e-3)
    chosen = {
        "network": network,
        "epochs": min(max(round(epochs), _LEAST_EPOCHS), _MOST_EPOCHS),
        "batch_size": min(_BATCH, rows),
        "lr": 0.06,
    }
    return Recipe(**{**chosen, **changes})
