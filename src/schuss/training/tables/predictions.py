"""What figures on a table's rows are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from schuss.core import Array
from schuss.data import Table

__all__ = ["Measured", "chunks_of"]

# Figures are made of so many rows at a time.
_CHUNK = 50_000


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
