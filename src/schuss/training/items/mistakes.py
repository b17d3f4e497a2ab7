"""Mistakes on held-out examples: which they are, and how often each class was taken for each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from schuss.core import Array
from schuss.training.evaluation.metrics import confusion_matrix

__all__ = ["Mistakes"]


@dataclass(frozen=True, repr=False)
class Mistakes:
    """Mistakes on held-out examples, the worst first.

    Args:
        numbers: of the examples.
        true: their classes.
        given: the classes that they were taken for.
        chances: the probability of each that they were.
        confusion: how many examples of each class (a row) were taken for each (a column), int64
            of shape (classes, classes).
    """

    numbers: Array
    true: Array
    given: Array
    chances: Array
    confusion: Array

    @classmethod
    def of(cls, chances: Array, y: Array, numbers: Array) -> Mistakes:
        """Find the mistakes in probabilities (examples, classes), whose classes are y."""
        given = chances.argmax(axis=1)
        confusion = confusion_matrix(y, chances)
        wrong = np.flatnonzero(given != y)
        sure = chances[wrong, given[wrong]]
        wrong, sure = wrong[np.argsort(-sure, kind="stable")], np.sort(sure)[::-1]
        return cls(numbers[wrong], y[wrong], given[wrong], sure, confusion)
