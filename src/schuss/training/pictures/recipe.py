"""The recipe for pictures."""

from __future__ import annotations

from typing import cast

from schuss.training.items.job import ItemJob
from schuss.training.items.preparation import Recipe
from schuss.training.pictures.preparation import PicturePreparation

__all__ = ["picture_recipe"]


def picture_recipe(job: ItemJob) -> Recipe:
    """Choose the network by the pictures' size and number, and by the time."""
    options, preparation = job.options, cast(PicturePreparation, job.preparation)
    network = {
        "channels": preparation.channels,
        "classes": len(job.classes),
        "widths": [16, 32, 64],
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
    return Recipe(**{"network": network, "epochs": 10, "batch_size": 64, "lr": 0.05, **changes})
