"""What a column is (its kind), and reading its values accordingly.

The functions take a table and the column's kind as it was when the network learned from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from schuss.data.tables.coded_text import CodedText
from schuss.data.tables.parsing import (
    MISSING_MARKS,
    TEXT,
    Array,
    NumberFormat,
    parse_number,
    truth_value,
)
from schuss.data.tables.table import Table
from schuss.data.tables.timestamps import (
    NUMBER_FORMATS,
    TimeFormat,
    parse_stamps,
    stamps_from_numbers,
)

__all__ = [
    "ColumnKind",
    "Kind",
    "check_values",
    "labels_of",
    "numbers_of",
    "stamps_of",
    "without_text",
]

Kind = Literal[
    "numeric", "category", "boolean", "timestamp", "text", "identifier", "constant", "empty"
]


@dataclass(frozen=True)
class ColumnKind:
    """What a column is, why, and how its text is read.

    Args:
        name: The column's name.
        kind: One of numeric, category, boolean, timestamp (learned from), text, identifier,
            constant, empty (left out).
        reason: Why, to be shown.
        used: Whether the network learns from it.
        number_format: How commas inside numbers are read.
        time_format: The format of dates in text.
        tolerant: Whether values of another kind count as missing instead of being an error.
        missing_used: Whether the network learns from which values of a column that is left out are
            missing.
        words: Words that are values here though they mean missing elsewhere, such as `none`.
        sentinel: A number that counts as missing, such as -999.
    """

    name: str
    kind: Kind
    reason: str
    used: bool
    number_format: NumberFormat = "plain"
    time_format: TimeFormat = "year first"
    tolerant: bool = False
    missing_used: bool = False
    words: tuple[str, ...] = ()
    sentinel: float | None = None

    def to_config(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return {**asdict(self), "words": list(self.words)}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ColumnKind:
        """Make the kind that `to_config` described."""
        return cls(**{**config, "words": tuple(config.get("words", ()))})


_REMEDY = "correct it, or leave it empty if it is missing"


def numbers_of(table: Table, kind: ColumnKind) -> npt.NDArray[np.float64]:
    """Read a numeric column as float64 of shape (rows,), NaN where missing.

    Raises:
        DataError: If a value is infinite or not a number; the message names row and column.

    >>> numbers_of(Table({"a": ["1", "?"]}), ColumnKind("a", "numeric", "", True))
    array([ 1., nan])
    """
    if table.is_text(kind.name):
        numbers, bad = table.numbers(kind.name, kind.number_format)
        if bad.any() and not kind.tolerant:
            raise table.unexpected(kind.name, bad, "a number", _REMEDY)
    else:
        values = table[kind.name]
        if values.dtype.kind == "M" and table.rows:
            raise table.unexpected(kind.name, 0, "a number", _REMEDY)
        numbers = values.astype(np.float64, copy=False)
    if kind.sentinel is not None:
        numbers = np.where(numbers == kind.sentinel, np.nan, numbers)
    infinite = np.isinf(numbers)
    if infinite.any():
        raise table.unexpected(kind.name, infinite, "a finite number", _REMEDY)
    return numbers


def stamps_of(table: Table, kind: ColumnKind) -> npt.NDArray[np.datetime64]:
    """Read a column of dates as datetime64[us] of shape (rows,), NaT where missing.

    Raises:
        DataError: If a value is not a date; the message names row and column.

    >>> stamps_of(Table({"a": ["2020-02-01"]}), ColumnKind("a", "timestamp", "", True))
    array(['2020-02-01T00:00:00.000000'], dtype='datetime64[us]')
    """
    is_text = table.is_text(kind.name)
    if not is_text and table[kind.name].dtype.kind == "M":
        return cast("npt.NDArray[np.datetime64]", table[kind.name])
    if kind.time_format in NUMBER_FORMATS:
        return stamps_from_numbers(
            numbers_of(table, ColumnKind(kind.name, "numeric", "", True, tolerant=kind.tolerant)),
            kind.time_format,
        )
    stamps, bad = (
        table.stamps(kind.name, kind.time_format)
        if is_text
        else parse_stamps(np.array(table.text(kind.name), dtype=TEXT), kind.time_format)
    )
    if bad.any() and not kind.tolerant:
        raise table.unexpected(kind.name, bad, "a date", _REMEDY)
    return stamps


def check_values(table: Table, kinds: Mapping[str, ColumnKind]) -> None:
    """Check every value of the columns that are learned from, before any row is held out.

    Raises:
        DataError: If a value is infinite or unreadable; the message names the first.
    """
    for kind in kinds.values():
        if kind.used and kind.kind == "numeric":
            numbers_of(table, kind)
        elif kind.used and kind.kind == "timestamp":
            stamps_of(table, kind)


def without_text(table: Table, kinds: Mapping[str, ColumnKind]) -> Table:
    """Return a table that holds numbers and dates as such, where it has text that is these.

    It takes half of the memory. Values that cannot be read stay, and so do categories, and
    `CodedText`, which takes less as it is.

    >>> kind = ColumnKind("a", "numeric", "", True)
    >>> without_text(Table({"a": ["1", "?"], "b": ["x", "y"]}), {"a": kind})["a"]
    array([ 1., nan])
    """
    columns = dict(table.columns)
    for kind in kinds.values():
        values = columns[kind.name]
        if not kind.used or kind.tolerant or not table.is_text(kind.name):
            continue
        if isinstance(values, CodedText):
            continue
        if kind.kind == "numeric":
            columns[kind.name], _ = table.numbers(kind.name, kind.number_format)
        elif kind.kind == "timestamp" and kind.time_format not in NUMBER_FORMATS:
            columns[kind.name], _ = table.stamps(kind.name, kind.time_format)
    return table.of_columns(columns)


def _label(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def labels_of(table: Table, kind: ColumnKind) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Read a category or boolean column as labels.

    The same value has the same label whether it came from text, whole or floating numbers:
    `1`, `1.0` and `"1"` are all `"1"`.

    Returns:
        The distinct labels in some order (a table of taken rows may list some that its rows
        lack), and for each row the position of its label among them, int64 of shape (rows,), -1
        where missing.

    >>> labels_of(Table({"a": ["x", "", "y"]}), ColumnKind("a", "category", "", True))
    (['x', 'y'], array([ 0, -1,  1]))
    """
    if table.is_text(kind.name):
        words, codes = table.factors(kind.name)
        raw = [_trim(word, kind.words) for word in words]
    else:
        raw, codes = _labels(table[kind.name])
    if kind.kind == "boolean":
        truths = [truth_value(value) for value in raw]
        raw = ["" if t is None else ("true" if t else "false") for t in truths]
    labels: dict[str, int] = {}
    place = [-1 if value == "" else labels.setdefault(value, len(labels)) for value in raw]
    if not place:
        return [], np.empty(0, dtype=np.int64)
    return list(labels), np.array(place, dtype=np.int64)[codes]


def _labels(values: Array) -> tuple[list[str], Array]:
    """Return the distinct values of what is no text as labels, and each row's place among them."""
    kind = values.dtype.kind
    distinct, codes = np.unique(values, return_inverse=True, equal_nan=kind == "f")
    if kind == "f":
        return ["" if np.isnan(v) else _label(v) for v in distinct.tolist()], codes
    if kind == "M":
        return ["" if np.isnat(v) else str(v) for v in distinct], codes
    return [str(v) for v in distinct.tolist()], codes


def _trim(value: str, words: Sequence[str]) -> str:
    value = value.strip()
    if value.lower() in MISSING_MARKS and value not in words:
        return ""
    if value.endswith("0") and "." in value:
        number = parse_number(value)
        if number is not None and number.is_integer() and abs(number) < 2**53:
            return str(int(number))
    return value
