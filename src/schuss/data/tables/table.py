"""Table: named columns of raw values, and where each row came from."""

from __future__ import annotations

import datetime
import decimal
import difflib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from schuss.data.tables.parsing import TEXT, Array, NumberFormat, factorise, parse_numbers
from schuss.data.tables.timestamps import TimeFormat, parse_stamps
from schuss.errors import DataError

__all__ = ["Table", "as_column", "did_you_mean", "shown"]

_LARGEST_EXACT = 2**53


def did_you_mean(name: str, names: Iterable[str], listed: str = "the columns are") -> str:
    """Say which known names are near to one that is not known, or list them.

    >>> did_you_mean("specie", ["species", "petal_length"])
    "did you mean 'species'?"
    """
    known = list(names)
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


def _is_missing_object(value: object) -> bool:
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(value, np.datetime64):
        return bool(np.isnat(value))
    return isinstance(value, (float, np.floating)) and bool(np.isnan(value))


def _number_of(value: object) -> float:
    """Return a float; a whole number beyond its range is infinite, as it is in a text."""
    try:
        return float(cast(float, value))
    except OverflowError:
        return math.inf if cast(int, value) > 0 else -math.inf


def _text_of(value: object) -> str:
    if isinstance(value, (float, np.floating)):
        number = float(value)
        whole = number.is_integer() and abs(number) < _LARGEST_EXACT
        return str(int(number)) if whole else repr(number)
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return str(value)


def _from_objects(values: Sequence[object]) -> Array:
    """Hold Python values in the narrowest of the kinds that a table knows."""
    missing = [_is_missing_object(v) for v in values]
    present = [v for v, gone in zip(values, missing, strict=True) if not gone]
    whole = not any(missing)
    if all(isinstance(v, (bool, np.bool_)) for v in present):
        if whole:
            return np.array(values, dtype=np.bool_)
    elif all(
        isinstance(v, (int, float, np.integer, np.floating, decimal.Decimal))
        and not isinstance(v, bool)
        for v in present
    ):
        integers = all(isinstance(v, (int, np.integer)) for v in present)
        if not integers or all(abs(cast(int, v)) <= _LARGEST_EXACT for v in present):
            if integers and whole:
                return np.array(values, dtype=np.int64)
            numbers = [np.nan if m else _number_of(v) for v, m in zip(values, missing, strict=True)]
            return np.array(numbers, dtype=np.float64)
    elif all(isinstance(v, datetime.timedelta) for v in present):
        spans = [np.nan if m else _seconds(v) for v, m in zip(values, missing, strict=True)]
        return np.array(spans, dtype=np.float64)
    elif all(isinstance(v, (datetime.date, np.datetime64)) for v in present):
        stamps = [
            np.datetime64("NaT", "us") if m else v for v, m in zip(values, missing, strict=True)
        ]
        return np.array([_utc(v) for v in stamps], dtype="datetime64[us]")
    texts = ["" if m else _text_of(v) for v, m in zip(values, missing, strict=True)]
    return np.array(texts, dtype=TEXT)


def _seconds(value: object) -> float:
    return cast(datetime.timedelta, value).total_seconds()


def _utc(value: object) -> object:
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(datetime.UTC).replace(tzinfo=None)
    return value


def as_column(values: Any) -> Array:
    """Hold a column as one of bool, int64, float64, datetime64 in microseconds, or text.

    Args:
        values: Sequence or array of shape (rows,).

    Returns:
        Array of shape (rows,). A missing value is NaN, NaT or empty text.

    Raises:
        ValueError: If the values are not one-dimensional.

    >>> as_column([1, None, 3])
    array([ 1., nan,  3.])
    """
    if isinstance(values, (list, tuple)):
        # Filled one by one: NumPy would make two dimensions of values that are lists themselves.
        array = np.empty(len(values), dtype=object)
        for row, value in enumerate(values):
            array[row] = value
    else:
        array = np.asarray(values)
    if array.ndim != 1:
        raise ValueError(f"as_column: expected values of shape (rows,), got {array.shape}.")
    kind = array.dtype.kind
    if kind == "b" or array.dtype in (np.int64, np.float64, TEXT):
        return array
    if kind in "iu":
        return array.astype(np.float64 if array.dtype == np.uint64 else np.int64)
    if kind == "f":
        return array.astype(np.float64)
    if kind == "M":
        return array.astype("datetime64[us]")
    if kind == "m":
        seconds = array.astype("timedelta64[us]").astype(np.float64) / 1e6
        return np.where(np.isnat(array), np.nan, seconds)
    if kind in "UT":
        return array.astype(TEXT)
    return _from_objects(array.tolist())


class Table:
    """Named columns of raw values, all of the same length.

    Text columns hold what the file held, unchanged; what a column means is decided by
    `schuss.data.infer_kinds`.

    Args:
        columns: Column names and their values, each of shape (rows,).
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
        self.columns: dict[str, Array] = {str(k): as_column(v) for k, v in columns.items()}
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
        if name not in self.columns:
            raise self.without(name)
        return self.columns[name]

    def __repr__(self) -> str:
        """Show the size and the names."""
        return f"Table({self.source}: {self.rows} rows, {len(self.columns)} columns)"

    def _with(self, columns: Mapping[str, Array], lines: npt.NDArray[np.int64] | None) -> Table:
        return Table(
            columns,
            source=self.source,
            lines=lines,
            declared={k: v for k, v in self.declared.items() if k in columns},
            notes=self.notes,
            decimal_comma=self.decimal_comma,
        )

    def select(self, names: Sequence[str]) -> Table:
        """Return a table of these columns, in this order.

        Raises:
            DataError: If one of them is not there.
        """
        chosen = self._with({name: self[name] for name in names}, self.lines)
        chosen._read, chosen._factors = self._read, self._factors
        return chosen

    def drop(self, names: Iterable[str]) -> Table:
        """Return a table without these columns.

        Raises:
            DataError: If one of them is not there.
        """
        gone = set(names)
        for name in gone:
            self[name]
        return self.select([name for name in self.columns if name not in gone])

    def take(self, rows: Array | slice) -> Table:
        """Return a table of these rows.

        Args:
            rows: Positions (int64), a mask (bool) of shape (rows,), or a slice.
        """
        lines = None if self.lines is None else self.lines[rows]
        taken = self._with({name: values[rows] for name, values in self.columns.items()}, lines)
        taken._read = {key: (a[rows], b[rows]) for key, (a, b) in self._read.items()}
        taken._factors = {key: (words, c[rows]) for key, (words, c) in self._factors.items()}
        taken.originals = None if self.originals is None else self.originals[rows]
        return taken

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
        key = (name, style)
        if key not in self._read:
            self._read[key] = parse_numbers(self[name], style)
        return self._read[key]

    def stamps(self, name: str, style: TimeFormat) -> tuple[Array, Array]:
        """Read a text column as dates, once; see `schuss.data.tables.timestamps.parse_stamps`."""
        key = (name, style)
        if key not in self._read:
            self._read[key] = parse_stamps(self[name], style)
        return self._read[key]

    def factors(self, name: str) -> tuple[list[str], Array]:
        """Number the distinct values of a text column, once.

        Returns:
            The values, some of which these rows may lack, and each row's position among them.
        """
        if name not in self._factors:
            self._factors[name] = factorise(self[name])
        return self._factors[name]

    def text(self, name: str) -> list[str]:
        """Return a column as text for writing: a file's own text unchanged, missing values empty.

        >>> Table({"a": [1.5, None, 2]}).text("a")
        ['1.5', '', '2.0']
        """
        values = self[name]
        if values.dtype == TEXT:
            return list(values.tolist())
        if values.dtype.kind == "f":
            return ["" if np.isnan(v) else repr(v) for v in values.tolist()]
        if values.dtype.kind == "M":
            stamps = np.datetime_as_string(values, unit="auto") if len(values) else values
            return ["" if s == "NaT" else s for s in stamps.tolist()]
        return [str(v) for v in values.tolist()]

    def records(self) -> Iterator[tuple[str, ...]]:
        """Yield each row as text, ready for `csv.writer`."""
        if not self.columns:
            return iter(())
        return zip(*(self.text(name) for name in self.columns), strict=True)
