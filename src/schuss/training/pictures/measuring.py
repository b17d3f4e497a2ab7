"""What is measured before the training: colours, how hard the pictures are, mirror images."""

from __future__ import annotations

from schuss.training.items.job import ItemJob

__all__ = ["decide"]


def decide(job: ItemJob) -> None:
    """Learn the pictures' mean and deviation, and whether mirror images are of the same class."""
    preparation = job.preparation
    mirror = job.options.own["mirror"]
    job.preparation = preparation.changed(mirror=bool(mirror))  # type: ignore[attr-defined]
