"""Grouping: which rows of a table are one sequence, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from schuss.core import Array
from schuss.data import ColumnKind, Table, infer_kinds
from schuss.data.tables.columns import labels_of, numbers_of, stamps_of
from schuss.data.tables.marks import marks_that_are_words
from schuss.data.tables.parsing import parse_number
from schuss.errors import DataError

__all__ = ["Grouped", "SequenceColumns"]

_NAMED = 5
# Rows whose distances differ by less, in parts of the middle one, are evenly apart.
_EVEN = 1e-3


@dataclass(repr=False)
class Grouped:
    """The rows of a table, those of a sequence together and in their order.

    Args:
        table: the rows; sequences come in the order of their first rows in the file.
        starts: where each sequence starts, and the number of all rows: int64 of shape
            (sequences + 1,).
        notes: sentences to show.
    """

    table: Table
    starts: Array
    notes: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def lengths(self) -> Array:
        """Rows of each sequence."""
        return np.diff(self.starts)

    def sequence_of_rows(self) -> Array:
        """Return the number of each row's sequence, int64 of shape (rows,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    def take(self, sequences: Array) -> Grouped:
        """Return some of the sequences, in this order."""
        lengths = self.lengths[sequences]
        starts = np.concatenate([[0], np.cumsum(lengths)])
        shift = np.repeat(self.starts[:-1][sequences] - starts[:-1], lengths)
        return Grouped(self.table.take(np.arange(starts[-1]) + shift), starts)

    def heads(self, names: Sequence[str], last: Sequence[str] = ()) -> Table:
        """Return a table of one row a sequence, with the first value of each that is not missing.

        Args:
            names: columns.
            last: those of which the last such value is taken instead.
        """
        first = self.table.select(names).take(self.starts[:-1])
        found = {
            name: self.table.columns[name][self._row_with(name, name in last)] for name in names
        }
        return first.of_columns(found)

    def _row_with(self, name: str, last: bool) -> Array:
        """Return the first or last row of each sequence that has a value in a column."""
        codes = _labels(self.table, name)[1]
        rows, sequence = np.arange(self.table.rows), self.sequence_of_rows()
        there = codes >= 0
        found = self.starts[:-1].copy()
        chosen = rows[there][:: 1 if last else -1]
        # (Of several, the one that is assigned last stays.)
        found[sequence[there][:: 1 if last else -1]] = chosen
        return found

    def require_constant(self, name: str, what: str, remedy: str) -> None:
        """Refuse a column that has different values in a sequence; missing ones do not count.

        Raises:
            DataError: it names the first two rows that differ.
        """
        labels, codes = _labels(self.table, name)
        sequence = self.sequence_of_rows()
        own = codes[self._row_with(name, False)][sequence]
        for row in np.flatnonzero((codes >= 0) & (codes != own)).tolist():
            one, other = labels[own[row]], labels[codes[row]]
            numbers = parse_number(one), parse_number(other)
            if numbers[0] is not None and numbers[0] == numbers[1]:
                continue
            first = int(self._row_with(name, False)[sequence[row]])
            table = self.table
            raise DataError(
                f"{table.source}: expected one {what} {name!r} for each sequence, got {one!r} "
                f"({table.where(first)}) and {other!r} ({table.where(row)}) in one; {remedy}."
            )


@dataclass(frozen=True)
class SequenceColumns:
    """The columns that group a table's rows, and how their values are read.

    Args:
        sequence: says which sequence a row belongs to.
        order: sorts a sequence's rows; None for the order of the file.
        gap: column to be made, with each row's distance from the one before; None where rows are
            evenly apart, or there is no order.
        usual: the middle one of these distances, which is given to the first rows.
    """

    sequence: ColumnKind
    order: ColumnKind | None = None
    gap: str | None = None
    usual: float = 0.0

    @classmethod
    def infer(cls, table: Table, sequence: str, order: str | None) -> SequenceColumns:
        """Decide how the two columns are read.

        Raises:
            DataError: if one is not there, or the order is neither numbers nor dates.
        """
        if sequence not in table:
            raise table.without(sequence, "sequence column")
        words = marks_that_are_words(table.factors(sequence)[0]) if table.is_text(sequence) else []
        found = cls(ColumnKind(sequence, "category", "", False, words=tuple(words)))
        if order is None:
            return found
        if order not in table:
            raise table.without(order, "order column")
        kind = infer_kinds(table.select([order]))[order]
        if kind.kind == "timestamp":
            return replace(found, order=replace(kind, used=True, tolerant=False))
        style = table.number_format(order) if table.is_text(order) else "plain"
        kind = ColumnKind(order, "numeric", "", True, number_format=style)
        if table.is_text(order):
            bad = table.numbers(order, style)[1]
            if bad.any():
                raise table.unexpected(
                    order,
                    bad,
                    "a number, a date or a time to put the rows in order by",
                    "correct it, or leave it empty if it is missing",
                )
        return replace(found, order=kind)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SequenceColumns:
        """Make what `to_config` described."""
        order = config["order"]
        return cls(
            ColumnKind.from_config(config["sequence"]),
            None if order is None else ColumnKind.from_config(order),
            config["gap"],
            float(config["usual"]),
        )

    def to_config(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "sequence": self.sequence.to_config(),
            "order": None if self.order is None else self.order.to_config(),
            "gap": self.gap,
            "usual": self.usual,
        }

    def with_gap(self, grouped: Grouped) -> SequenceColumns:
        """Return the columns with a column of distances, where these vary in a table's rows."""
        if self.order is None:
            return self
        gaps = np.delete(np.diff(self._places(grouped.table)), grouped.starts[1:-1] - 1)
        if not len(gaps):
            return self
        usual = float(np.median(gaps))
        if float(np.ptp(gaps)) <= _EVEN * abs(usual):
            return self
        name = f"{self.order.name}: since the row before"
        while name in grouped.table:
            name += " "
        return replace(self, gap=name, usual=usual)

    def labels(self, table: Table) -> list[str]:
        """Return the sequence of each row; "" where there is none.

        Raises:
            DataError: if there is no such column.
        """
        if self.sequence.name not in table:
            raise table.without(self.sequence.name, "sequence column")
        labels, codes = labels_of(table, self.sequence)
        return [[*labels, ""][code] for code in codes.tolist()]

    def group(self, table: Table) -> Grouped:
        """Sort a table's rows; those without a sequence or a place in it are left out.

        Raises:
            DataError: if a column is missing or cannot be read.
        """
        for kind, what in ((self.sequence, "sequence"), (self.order, "order")):
            if kind is not None and kind.name not in table:
                raise table.without(kind.name, f"{what} column")
        notes: list[str] = []
        _, codes = labels_of(table, self.sequence)
        there = codes >= 0
        _note_rows(notes, table, ~there, f"without a value in {self.sequence.name!r}: left out")
        places = np.zeros(table.rows) if self.order is None else self._places(table)
        unplaced = there & np.isnan(places)
        if self.order is not None:
            _note_rows(notes, table, unplaced, f"without a value in {self.order.name!r}: left out")
        rows = np.flatnonzero(there & ~unplaced)
        _, first, sequence = np.unique(codes[rows], return_index=True, return_inverse=True)
        number = np.empty(len(first), np.int64)
        number[np.argsort(first, kind="stable")] = np.arange(len(first))
        sequence = number[sequence]
        # (Stable: rows of the same place stay as they are in the file.)
        order = np.lexsort((places[rows], sequence))
        counts = np.bincount(sequence, minlength=len(first))
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
        found = Grouped(table.take(rows[order]), starts, notes)
        if self.order is not None:
            twice = np.diff(places[rows][order], prepend=np.nan) == 0.0
            twice[starts[:-1]] = False
            _note_rows(
                notes,
                found.table,
                twice,
                f"at the same {self.order.name!r} as another of their sequence: kept in the order "
                "of the file",
            )
        return self._with_gaps(found)

    def _with_gaps(self, grouped: Grouped) -> Grouped:
        if self.gap is None or self.order is None:
            return grouped
        gaps = np.diff(self._places(grouped.table), prepend=0.0)
        gaps[grouped.starts[:-1]] = self.usual
        columns = {**grouped.table.columns, self.gap: gaps}
        return replace(grouped, table=grouped.table.of_columns(columns))

    def _places(self, table: Table) -> Array:
        """Return what sorts the rows: numbers, or seconds; NaN where it is missing."""
        assert self.order is not None
        if self.order.kind != "timestamp":
            return numbers_of(table, self.order)
        stamps = stamps_of(table, self.order).astype("datetime64[us]")
        return np.where(np.isnat(stamps), np.nan, stamps.astype(np.int64) / 1e6)


def _labels(table: Table, name: str) -> tuple[list[str], Array]:
    words = marks_that_are_words(table.factors(name)[0]) if table.is_text(name) else []
    return labels_of(table, ColumnKind(name, "category", "", True, words=tuple(words)))


def _note_rows(notes: list[str], table: Table, rows: Array, what: str) -> None:
    """Note how many rows are so, and where the first of them are."""
    found = np.flatnonzero(rows)
    if len(found):
        places = [table.where(int(row)) for row in found[:_NAMED]]
        more = f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else ""
        plural = "row" if len(found) == 1 else "rows"
        notes.append(f"{len(found):,} {plural} {what} ({', '.join(places)}{more})")
