"""Table: named columns of raw values, and where each row came from."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from schuss.data.tables.coded_text import CodedText
from schuss.data.tables.parsing import (
    TEXT,
    Array,
    NumberFormat,
    factorise,
    has_decimal_commas,
    number_format,
    parse_number,
    parse_numbers,
)
from schuss.data.tables.stored_column import StoredColumn
from schuss.data.tables.timestamps import TimeFormat, parse_stamps
from schuss.data.tables.values import as_column, whole_characters
from schuss.errors import DataError

__all__ = ["Column", "Table", "did_you_mean", "shown", "text_of"]

#: What a table holds of a column.
Column: TypeAlias = "Array | CodedText | StoredColumn"

#: So many rows tell whether a table's numbers have decimal commas.
TELLING_ROWS = 1000


def did_you_mean(name: str, names: Iterable[str], listed: str = "the columns are") -> str:
    """Say which known names are near to one that is not known, or list them.

    >>> did_you_mean("specie", ["species", "petal_length"])
    "did you mean 'species'?"
    """
    known = [name if name.isprintable() else repr(name) for name in names]
    lower = {n.lower(): n for n in reversed(known)}
    near = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.6)
    if near:
        return f"did you mean {lower[near[0]]!r}?"
    names_shown = ", ".join(known[:12]) + (
        f" and {len(known) - 12} more" if len(known) > 12 else ""
    )
    return f"{listed} {names_shown}" if known else "there are no columns"


def shown(value: object) -> str:
    """Quote a value for a message, on one line and not longer than that needs.

    >>> shown("abc"), len(shown("long " * 100))
    ("'abc'", 40)
    """
    quoted = repr(str(value))
    return quoted if len(quoted) <= 40 else quoted[:36] + "..." + quoted[-1]


def text_of(values: Array) -> list[str]:
    """Return a column as text for writing: a file's own text unchanged, missing values empty."""
    if values.dtype == TEXT:
        return list(values.tolist())
    if values.dtype.kind == "f":
        return ["" if np.isnan(v) else repr(v) for v in values.tolist()]
    if values.dtype.kind == "M":
        stamps = np.datetime_as_string(values, unit="auto") if len(values) else values
        return ["" if s == "NaT" else s for s in stamps.tolist()]
    return [str(v) for v in values.tolist()]


class Table:
    """Named columns of raw values, all of the same length.

    Text columns hold what the file held, unchanged; what a column means is decided by
    `schuss.data.infer_kinds`.

    Args:
        columns: Column names and their values, each of shape (rows,); text may be `CodedText`, and
            what lies in a file a `StoredColumn`.
        source: What messages call this table: the file's name, or "the table".
        lines: Line of each row in the file, counted from 1, shape (rows,); None where the rows
            came from memory.
        declared: Kinds that the source itself declares ("category" for a categorical of
            pandas, say).
        notes: Sentences about the reading that the user should see.
        decimal_comma: Whether a comma inside a number is rather a decimal one.

    Raises:
        DataError: If two columns have a different number of rows.

    >>> table = Table({"a": np.array([1, 2, 3]), "b": np.array(["x", "y", "x"])})
    >>> table.names, table.rows, table.take(np.array([2]))["b"].tolist()
    (['a', 'b'], 3, ['x'])
    """

    def __init__(
        self,
        columns: Mapping[str, Any],
        *,
        source: str = "the table",
        lines: npt.NDArray[np.int64] | None = None,
        declared: Mapping[str, str] | None = None,
        notes: Sequence[str] = (),
        decimal_comma: bool = False,
    ) -> None:
        """Hold the columns; see the class."""
        self.columns: dict[str, Column] = {
            whole_characters(str(name)): values
            if isinstance(values, CodedText | StoredColumn)
            else as_column(values)
            for name, values in columns.items()
        }
        self.source = source
        self.lines = lines
        self.declared = dict(declared or {})
        self.notes = list(notes)
        self.decimal_comma = decimal_comma
        #: Each row as the line of JSON that it was, of shape (rows,), where it came from one.
        self.originals: Array | None = None
        # What text was read as, by column and reading; rows taken from the table take it along.
        self._read: dict[tuple[str, str], tuple[Array, Array]] = {}
        self._factors: dict[str, tuple[list[str], Array]] = {}
        self._decimal_commas: bool | None = None
        lengths = {name: len(values) for name, values in self.columns.items()}
        self.rows = next(iter(lengths.values()), 0)
        for name, length in lengths.items():
            if length != self.rows:
                first = next(iter(lengths))
                raise DataError(
                    f"{source}: expected columns of the same length, got {self.rows} values in "
                    f"{first!r} and {length} in {name!r}; give one value for each row."
                )

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return list(self.columns)

    def __len__(self) -> int:
        """Return the number of rows."""
        return self.rows

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a column of this name."""
        return name in self.columns

    def __getitem__(self, name: str) -> Array:
        """Return a column's values.

        Raises:
            DataError: If there is no such column; the message names the nearest.
        """
        self._expect((name,))
        values = self.columns[name]
        return values if isinstance(values, np.ndarray) else values.decoded()

    def is_text(self, name: str) -> bool:
        """Tell whether a column is text.

        Raises:
            DataError: If there is no such column.
        """
        self._expect((name,))
        return bool(self.columns[name].dtype == TEXT)

    def __repr__(self) -> str:
        """Show the size and the names."""
        return f"Table({self.source}: {self.rows} rows, {len(self.columns)} columns)"

    def _with(self, columns: Mapping[str, Column], lines: npt.NDArray[np.int64] | None) -> Table:
        found = Table(
            columns,
            source=self.source,
            lines=lines,
            declared={k: v for k, v in self.declared.items() if k in columns},
            notes=self.notes,
            decimal_comma=self.decimal_comma,
        )
        found._decimal_commas = self._decimal_commas
        return found

    def _expect(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self.columns:
                raise self.without(name)

    def select(self, names: Sequence[str]) -> Table:
        """Return a table of these columns, in this order.

        Raises:
            DataError: If one of them is not there.
        """
        self._expect(names)
        chosen = self._with({name: self.columns[name] for name in names}, self.lines)
        chosen._read, chosen._factors = self._read, self._factors
        return chosen

    def of_columns(self, columns: Mapping[str, Column]) -> Table:
        """Return a table of the same rows with other columns.

        Args:
            columns: Values by name, each of shape (rows,); what was read of the text of those that
                are this table's own is known there, too.
        """
        found = self._with(columns, self.lines)
        same = [name for name, values in columns.items() if values is self.columns.get(name)]
        found._read = {key: read for key, read in self._read.items() if key[0] in same}
        found._factors = {key: read for key, read in self._factors.items() if key in same}
        return found

    def drop(self, names: Iterable[str]) -> Table:
        """Return a table without these columns.

        Raises:
            DataError: If one of them is not there.
        """
        gone = set(names)
        self._expect(gone)
        return self.select([name for name in self.columns if name not in gone])

    def take(self, rows: Array | slice) -> Table:
        """Return a table of these rows.

        Args:
            rows: Positions (int64), a mask (bool) of shape (rows,), or a slice.
        """
        lines = None if self.lines is None else self.lines[rows]
        taken = self._with({name: values[rows] for name, values in self.columns.items()}, lines)
        taken._read = {
            key: (a[rows], b[rows]) for key, (a, b) in self._read.items() if key[0] in self.columns
        }
        taken._factors = {
            key: (words, c[rows])
            for key, (words, c) in self._factors.items()
            if key in self.columns
        }
        taken.originals = None if self.originals is None else self.originals[rows]
        return taken

    def with_missing(self, marks: Sequence[str]) -> Table:
        """Return a table in which these values, as text or as numbers, are missing."""
        if not marks:
            return self
        numbers = [n for n in map(parse_number, marks) if n is not None and n == n]
        columns: dict[str, Column] = {}
        for name, held in self.columns.items():
            if isinstance(held, CodedText) and not any(w.strip() in marks for w in held.words):
                columns[name] = held
                continue
            values = self[name]
            if values.dtype == TEXT:
                bare = np.strings.strip(values)
                gone = np.any([bare == mark for mark in marks], axis=0)
                values = np.where(gone, np.array("", dtype=TEXT), values)
            elif values.dtype.kind in "if" and bool((gone := np.isin(values, numbers)).any()):
                values = np.where(gone, np.nan, values)
            columns[name] = values
        found = self._with(columns, self.lines)
        found.originals = self.originals
        return found

    def where(self, row: int) -> str:
        """Say where a row is: "line 17" of a file, "row 16" of a table in memory (from 1)."""
        return f"row {row + 1}" if self.lines is None else f"line {int(self.lines[row])}"

    def without(self, name: str, what: str = "column", to: str = "") -> DataError:
        """Return the error of a column that is not there; it names the nearest.

        Args:
            name: The column's name.
            what: What it is called, such as "target column".
            to: What it was wanted for, such as " to exclude".
        """
        hint = did_you_mean(name, self.columns)
        hint += "".join(f" ({note})" for note in self.notes if "no line of column names" in note)
        return DataError(f"{self.source}: there is no {what} {name!r}{to}; {hint}")

    def unexpected(self, name: str, wrong: Array | int, expected: str, remedy: str) -> DataError:
        """Return the error of a value that is not what was expected.

        Args:
            name: The column's name.
            wrong: The row, or a mask of which the first counts.
            expected: What the value should be.
            remedy: What to do.
        """
        row = wrong if isinstance(wrong, int) else int(np.argmax(wrong))
        got = shown(self[name][row])
        return DataError(
            f"{self.source}, {self.where(row)}, column {name!r}: expected {expected}, got {got}; "
            f"{remedy}."
        )

    def numbers(self, name: str, style: NumberFormat = "plain") -> tuple[Array, Array]:
        """Read a text column as numbers, once; see `schuss.data.tables.parsing.parse_numbers`."""
        values, key = self.columns.get(name), (name, style)
        if isinstance(values, CodedText):
            return values.numbers(style)
        if key not in self._read:
            self._read[key] = parse_numbers(self[name], style)
        return self._read[key]

    @property
    def decimal_commas(self) -> bool:
        """Whether some column's numbers have commas that can be nothing but decimal ones."""
        if self._decimal_commas is None:
            head = self if self.rows <= TELLING_ROWS else self.take(slice(0, TELLING_ROWS))
            found = (
                [value for value in text_of(head[name]) if "," in value]
                for name in head.columns
                if head.is_text(name)
            )
            self._decimal_commas = any(values and has_decimal_commas(values) for values in found)
        return self._decimal_commas

    def number_format(self, name: str) -> NumberFormat:
        """Decide how the commas in a text column's numbers are read, by the other columns too."""
        words, _ = self.factors(name)
        either = self.decimal_comma or self.decimal_commas
        return number_format(words, decimal_comma=either, dotted=self.decimal_commas)

    def stamps(self, name: str, style: TimeFormat) -> tuple[Array, Array]:
        """Read a text column as dates, once; see `schuss.data.tables.timestamps.parse_stamps`."""
        values, key = self.columns.get(name), (name, style)
        if isinstance(values, CodedText):
            return values.stamps(style)
        if key not in self._read:
            self._read[key] = parse_stamps(self[name], style)
        return self._read[key]

    def factors(self, name: str) -> tuple[list[str], Array]:
        """Number the distinct values of a text column, once.

        Returns:
            The values, some of which these rows may lack, and each row's position among them.
        """
        values = self.columns.get(name)
        if isinstance(values, CodedText):
            return values.words, values.codes
        if name not in self._factors:
            self._factors[name] = factorise(self[name])
        return self._factors[name]

    def text(self, name: str) -> list[str]:
        """Return a column as text for writing: a file's own text unchanged, missing values empty.

        >>> Table({"a": [1.5, None, 2]}).text("a")
        ['1.5', '', '2.0']
        """
        return text_of(self[name])

    def records(self) -> Iterator[tuple[str, ...]]:
        """Yield each row as text, ready for `csv.writer`."""
        if not self.columns:
            return iter(())
        return zip(*(self.text(name) for name in self.columns), strict=True)
