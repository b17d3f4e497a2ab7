"""What a person is told of a run's classes and shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["classes_text", "shares_text"]

_MOST_CLASSES = 6


def classes_text(classes: Any) -> str:
    """Return how many classes there are, and the first of them.

    >>> classes_text(["cat", "dog"])
    '2 classes: cat, dog'
    """
    more = ", ..." if len(classes) > _MOST_CLASSES else ""
    return f"{len(classes):,} classes: {', '.join(map(str, classes[:_MOST_CLASSES]))}{more}"


def shares_text(examples: str, shares: Mapping[str, int], folds: int | None = None) -> str:
    """Return how examples are shared out.

    Args:
        examples: what they are called.
        shares: number of examples to train, validate and test with.
        folds: how many networks leave out a part each, which validates it; None for no such.

    >>> shares_text("rows", {"train": 80, "validation": 0, "test": 20})
    'rows: 80 to learn from, 20 to test'
    """
    parts = [f"{examples}: {shares['train']:,} to learn from"]
    if folds:
        parts.append(f"each left out by one of {folds} networks, which validates it")
    if shares["validation"]:
        parts.append(f"{shares['validation']:,} to choose the best epoch by")
    if shares["test"]:
        parts.append(f"{shares['test']:,} to test")
    return ", ".join(parts)
