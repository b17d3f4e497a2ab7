"""Sheets: pictures beside each other with a line of text below each, as one PNG file."""

from __future__ import annotations

from pathlib import Path

from schuss.training.items.job import ItemJob
from schuss.training.items.mistakes import Mistakes

__all__ = ["write_examples", "write_mistakes"]


def write_examples(job: ItemJob, path: Path) -> None:
    """Write training examples as the network sees them."""


def write_mistakes(job: ItemJob, mistakes: Mistakes, path: Path) -> None:
    """Write the worst mistakes."""
