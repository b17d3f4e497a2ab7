"""What a run says of a table's rows, and what figures on them are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schuss.core import Array
from schuss.data import Table

__all__ = ["Measured", "Predictions", "chunks_of"]

# Figures are made of so many rows at a time.
_CHUNK = 50_000


@dataclass(frozen=True, repr=False)
class Predictions:
    """What a run says of some rows.

    Args:
        labels: classes in their original type, or values in the target's unit, shape (rows,).
        probabilities: float64 of shape (rows, classes), or None for values.
        cut: which values were cut to the range where predictions may lie, bool of shape (rows,);
            or None for classes.
        beyond: which values lie farther than a twentieth of their range outside of those of the
            training rows, likewise.
    """

    labels: Array
    probabilities: Array | None
    cut: Array | None = None
    beyond: Array | None = None

    def __repr__(self) -> str:
        classes = "" if self.probabilities is None else f" of {self.probabilities.shape[1]} classes"
        return f"Predictions({len(self.labels):,} rows{classes})"


@dataclass(frozen=True)
class Measured:
    """What figures are made of, for the rows of a table that have the target."""

    source: str
    y: Array
    raw: Array
    output: Array
    weight: Array | None


def chunks_of(table: Table) -> Iterator[Table]:
    """Cut a table into pieces that take little memory; a small one is one piece."""
    for start in range(0, max(table.rows, 1), _CHUNK):
        yield table if table.rows <= _CHUNK else table.take(slice(start, start + _CHUNK))
