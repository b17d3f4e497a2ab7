"""What each column is: a number, a category, a date, or nothing to learn from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from schuss.data.parsing import (
    MISSING_MARKS,
    TEXT,
    NumberFormat,
    number_format,
    parse_number,
    truth_pair,
    truth_value,
)
from schuss.data.table import Table, did_you_mean
from schuss.data.timestamps import TimeFormat, parse_stamps, time_format
from schuss.errors import DataError, UsageError

__all__ = [
    "KINDS",
    "ColumnKind",
    "check_values",
    "infer_kinds",
    "labels_of",
    "numbers_of",
    "stamps_of",
]

Array = npt.NDArray[Any]
Kind = Literal[
    "numeric", "category", "boolean", "timestamp", "text", "identifier", "constant", "empty"
]
#: Kinds that a caller may force with `kinds=`.
KINDS: tuple[Kind, ...] = ("numeric", "category", "boolean", "timestamp", "text", "identifier")
_USED = ("numeric", "category", "boolean", "timestamp")

#: Share of a column's values that may be something else before the column counts as text.
_TOLERATED = 0.05
#: Up to so many different values a text column is a category, however few rows there are.
_ALWAYS_CATEGORY = 10
_LONG_TEXT = 100
_ID_NAME = re.compile(
    r"(?:^|[\W_])(?:ids?|idx|index|uuid|guid|key|row|row[\W_]?num(?:ber)?|row[\W_]?no|nr|no)$"
    r"|^unnamed: ?\d+$|^column \d+$|[a-z]I[Dd]$",
)
_LEADING_ZERO = re.compile(r"^0\d+$")


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
    """

    name: str
    kind: Kind
    reason: str
    used: bool
    number_format: NumberFormat = "plain"
    time_format: TimeFormat = "year first"
    tolerant: bool = False
    missing_used: bool = False

    def to_config(self) -> dict[str, Any]:
        """Return the fields as a dictionary that JSON can hold."""
        return asdict(self)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> ColumnKind:
        """Make the kind that `to_config` described."""
        return cls(**config)


def _plural(n: int, word: str) -> str:
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def _other(table: Table, bad: npt.NDArray[np.bool_], values: Array, what: str) -> str:
    """Say how many values are not what the column is, with the first of them."""
    count = int(bad.sum())
    row = int(np.argmax(bad))
    return (
        f"; {_plural(count, 'value')} not {what} count{'s' if count == 1 else ''} as missing "
        f"(such as {str(values[row])!r} in {table.where(row)})"
    )


def _missing_note(missing: int, rows: int) -> str:
    return f", {missing:,} of {rows:,} missing" if missing else ""


def _numeric(table: Table, name: str, values: npt.NDArray[np.float64], **extra: Any) -> ColumnKind:
    """Describe a column of numbers: constant, yes or no, an identifier, or a quantity."""
    present = values[~np.isnan(values)]
    missing = len(values) - len(present)
    note = extra.pop("note", "")
    if not len(present):
        return ColumnKind(name, "empty", "no values at all, left out", False)
    low, high = float(present.min()), float(present.max())
    if low == high and not missing:
        return ColumnKind(
            name, "constant", f"the same value in every row ({low:g}), left out", False
        )
    if low == 0.0 and high == 1.0 and bool(np.all((present == 0.0) | (present == 1.0))):
        reason = "0 or 1" + _missing_note(missing, len(values)) + note
        return ColumnKind(name, "boolean", reason, True, **extra)
    whole = bool(np.all(np.isfinite(present))) and bool(np.all(present == np.floor(present)))
    distinct = len(np.unique(present)) if whole else 0
    if whole and not missing and len(values) > 2 and distinct == len(values):
        named = _ID_NAME.search(name) or _ID_NAME.search(name.lower())
        if named:
            reason = f"a different whole number in each of {len(values):,} rows, left out"
            return ColumnKind(name, "identifier", reason, False)
    reason = "whole numbers" if whole else "numbers"
    if whole:
        reason += f", {distinct:,} different"
    reason += _missing_note(missing, len(values)) + note
    return ColumnKind(name, "numeric", reason, True, **extra)


def _stamps(table: Table, name: str, stamps: Array, **extra: Any) -> ColumnKind:
    gone = np.isnat(stamps)
    note = extra.pop("note", "")
    present = stamps[~gone]
    if not len(present):
        return ColumnKind(name, "empty", "no values at all, left out", False)
    first, last = present.min(), present.max()
    if first == last and not gone.any():
        return ColumnKind(name, "constant", "the same moment in every row, left out", False)
    span = f"from {str(first)[:10]} to {str(last)[:10]}"
    if extra.get("time_format") == "clock":
        span = "times of day"
    reason = f"dates {span}" if span.startswith("from") else span
    reason += _missing_note(int(gone.sum()), len(stamps)) + note
    return ColumnKind(name, "timestamp", reason, True, **extra)


def _words(
    name: str, distinct: Sequence[str], counts: npt.NDArray[np.int64], rows: int
) -> ColumnKind:
    """Describe a column of words: a category where they repeat, else text or an identifier."""
    present = int(counts.sum())
    k = len(distinct)
    if k == 1 and present == rows:
        shown = distinct[0] if len(distinct[0]) <= 40 else distinct[0][:37] + "..."
        return ColumnKind(
            name, "constant", f"the same value in every row ({shown!r}), left out", False
        )
    missing = _missing_note(rows - present, rows)
    mean_length = float(np.dot(counts, [len(v) for v in distinct])) / present
    if (2 * k > present and k > _ALWAYS_CATEGORY) or (
        mean_length > _LONG_TEXT and k > _ALWAYS_CATEGORY
    ):
        spaced = sum(" " in value for value in distinct) > k / 2
        kind: Kind = "text" if spaced or k < present else "identifier"
        reason = f"{kind}, left out: {k:,} different values in {present:,} rows"
        if rows - present:
            reason += f" (whether it is missing is used: {rows - present:,} of {rows:,} are)"
        return ColumnKind(name, kind, reason, False, missing_used=present < rows)
    return ColumnKind(name, "category", f"{_plural(k, 'different value')}{missing}", True)


def _infer_text(table: Table, name: str) -> ColumnKind:
    text = table[name]
    values, bad = table.numbers(name)
    if not bad.any():
        whole = values[~np.isnan(values)]
        codes = bool(np.all(whole == np.floor(whole))) and _has_leading_zeros(text)
        if not codes:
            return _numeric(table, name, values)
    distinct, codes_of = table.factors(name)
    counts = np.bincount(codes_of, minlength=len(distinct))
    merged: dict[str, int] = {}
    for value, count in zip(distinct, counts.tolist(), strict=True):
        value = value.strip()
        if value.lower() not in MISSING_MARKS:
            merged[value] = merged.get(value, 0) + count
    words = list(merged)
    tally = np.array(list(merged.values()), dtype=np.int64)
    present = int(tally.sum())
    if not present:
        return ColumnKind(name, "empty", "no values at all, left out", False)
    missing = table.rows - present
    if truth_pair(words):
        reason = " or ".join(sorted(words, key=lambda w: bool(truth_value(w)), reverse=True))
        return ColumnKind(name, "boolean", reason + _missing_note(missing, table.rows), True)
    if bad.any():
        style = number_format(words, decimal_comma=table.decimal_comma)
        values, bad = table.numbers(name, style)
        if int(bad.sum()) <= _TOLERATED * present and not _has_leading_zeros(text):
            commas = {"thousands": ", with thousands commas", "decimal comma": ", decimal commas"}
            note = commas.get(style, "")
            if bad.any():
                note += _other(table, bad, text, "numbers")
            return _numeric(
                table, name, values, note=note, number_format=style, tolerant=bool(bad.any())
            )
    form, unclear = time_format(words)
    if form is not None:
        stamps, bad = table.stamps(name, form)
        if int(bad.sum()) <= _TOLERATED * present:
            note = f", read as {form}" if unclear else ""
            if bad.any():
                note += _other(table, bad, text, "dates")
            return _stamps(
                table, name, stamps, note=note, time_format=form, tolerant=bool(bad.any())
            )
    return _words(name, words, tally, table.rows)


def _has_leading_zeros(text: Array) -> bool:
    """Tell whether some value is digits after a zero: a code, such as a postal code."""
    starts = text[np.strings.startswith(text, "0") & (np.strings.str_len(text) > 1)]
    return any(_LEADING_ZERO.match(value.strip()) for value in starts.tolist())


def _infer(table: Table, name: str) -> ColumnKind:
    values = table[name]
    declared = table.declared.get(name)
    if declared == "category":
        distinct, codes = labels_of(table, ColumnKind(name, "category", "", True))
        counts = np.bincount(codes[codes >= 0], minlength=len(distinct)).astype(np.int64)
        if not len(distinct):
            return ColumnKind(name, "empty", "no values at all, left out", False)
        kind = _words(name, distinct, counts, table.rows)
        if kind.kind == "category":
            return ColumnKind(name, "category", f"declared as such, {kind.reason}", True)
        return kind
    if values.dtype == TEXT:
        return _infer_text(table, name)
    if values.dtype.kind == "M":
        return _stamps(table, name, values)
    if values.dtype.kind == "b":
        if len(values) and bool(np.all(values == values[0])):
            reason = f"the same value in every row ({bool(values[0])}), left out"
            return ColumnKind(name, "constant", reason, False)
        return ColumnKind(name, "boolean", "true or false", True)
    return _numeric(table, name, values.astype(np.float64))


def _forced(table: Table, name: str, kind: str) -> ColumnKind:
    """Make the kind that the caller wants, with the formats that the text needs."""
    reason = f"{kind}, as you said"
    text = table[name] if table[name].dtype == TEXT else None
    style: NumberFormat = "plain"
    form: TimeFormat = "year first"
    tolerant = False
    if text is not None and kind in ("numeric", "timestamp"):
        distinct, _ = table.factors(name)
        words = [v.strip() for v in distinct if v.strip().lower() not in MISSING_MARKS]
        if kind == "numeric":
            style = number_format(words, decimal_comma=table.decimal_comma)
            _, bad = table.numbers(name, style)
        else:
            form = time_format(words)[0] or "year first"
            _, bad = table.stamps(name, form)
        if bad.any():
            tolerant = True
            reason += _other(table, bad, text, "numbers" if kind == "numeric" else "dates")
            if int(bad.sum()) == sum(w.strip().lower() not in MISSING_MARKS for w in text.tolist()):
                row = int(np.argmax(bad))
                raise DataError(
                    f"{table.source}, {table.where(row)}, column {name!r}: expected a "
                    f"{'number' if kind == 'numeric' else 'date'}, got {str(text[row])!r}; "
                    f"no value of the column is one: leave out kinds={{{name!r}: {kind!r}}}."
                )
    return ColumnKind(name, cast(Kind, kind), reason, kind in _USED, style, form, tolerant)


def infer_kinds(
    table: Table,
    *,
    exclude: Iterable[str] = (),
    kinds: Mapping[str, str] | None = None,
) -> dict[str, ColumnKind]:
    """Decide what each column of a table is.

    Numbers stay numbers, however few are different; text that repeats is a category; text
    that hardly repeats is left out, as are columns without values or with one value.

    Args:
        table: The table.
        exclude: Columns to leave out of the result.
        kinds: Kinds that you know, by column: numeric, category, boolean, timestamp, text or
            identifier (the last two are left out).

    Returns:
        The kind of each column, in the table's order, without the excluded ones.

    Raises:
        DataError: If a column named in exclude or kinds does not exist, or cannot be of the kind.
        UsageError: If there is no such kind.

    >>> table = Table({"size": [1.5, 2.0, 2.5], "colour": ["red", "blue", "red"]})
    >>> [(k.name, k.kind) for k in infer_kinds(table).values()]
    [('size', 'numeric'), ('colour', 'category')]
    """
    forced = dict(kinds or {})
    excluded = list(exclude)
    for name in [*excluded, *forced]:
        if name not in table:
            raise DataError(
                f"{table.source}: there is no column {name!r} "
                f"{'to exclude' if name in excluded else 'to give a kind to'}; "
                f"{did_you_mean(name, table.names)}"
            )
    for name, kind in forced.items():
        if kind not in KINDS:
            raise UsageError(
                f"infer_kinds: expected one of {', '.join(KINDS)} for {name!r}, got {kind!r}."
            )
    return {
        name: _forced(table, name, forced[name]) if name in forced else _infer(table, name)
        for name in table.names
        if name not in excluded
    }


def _refuse(table: Table, name: str, row: int, what: str) -> DataError:
    got = str(table[name][row])
    return DataError(
        f"{table.source}, {table.where(row)}, column {name!r}: expected {what}, got {got!r}; "
        "correct it, or leave it empty if it is missing."
    )


def numbers_of(table: Table, kind: ColumnKind) -> npt.NDArray[np.float64]:
    """Read a numeric column.

    Args:
        table: The table.
        kind: The column's kind, as it was when the network learned from it.

    Returns:
        float64 values of shape (rows,), NaN where missing.

    Raises:
        DataError: If a value is infinite or not a number; the message names row and column.

    >>> numbers_of(Table({"a": ["1", "?"]}), ColumnKind("a", "numeric", "", True))
    array([ 1., nan])
    """
    values = table[kind.name]
    if values.dtype == TEXT:
        numbers, bad = table.numbers(kind.name, kind.number_format)
        if bad.any() and not kind.tolerant:
            raise _refuse(table, kind.name, int(np.argmax(bad)), "a number")
    elif values.dtype.kind == "M":
        raise _refuse(table, kind.name, 0, "a number")
    else:
        numbers = values.astype(np.float64)
    infinite = np.isinf(numbers)
    if infinite.any():
        row = int(np.argmax(infinite))
        raise DataError(
            f"{table.source}, {table.where(row)}, column {kind.name!r}: expected a finite number, "
            f"got {str(values[row])!r}; correct it, or leave it empty if it is missing."
        )
    return numbers


def stamps_of(table: Table, kind: ColumnKind) -> npt.NDArray[np.datetime64]:
    """Read a column of dates.

    Args:
        table: The table.
        kind: The column's kind, as it was when the network learned from it.

    Returns:
        datetime64 values in microseconds of shape (rows,), NaT where missing. Numbers are read as
        dates written YYYYMMDD where all look like it, else as seconds since 1970.

    Raises:
        DataError: If a value is not a date; the message names row and column.

    >>> stamps_of(Table({"a": ["2020-02-01"]}), ColumnKind("a", "timestamp", "", True))
    array(['2020-02-01T00:00:00.000000'], dtype='datetime64[us]')
    """
    values = table[kind.name]
    if values.dtype.kind == "M":
        return cast("npt.NDArray[np.datetime64]", values)
    if values.dtype == TEXT:
        stamps, bad = table.stamps(kind.name, kind.time_format)
        if bad.any():
            compact, other = table.numbers(kind.name)
            if not other.any():
                return _from_numbers(compact)
            if not kind.tolerant:
                raise _refuse(table, kind.name, int(np.argmax(bad)), "a date")
        return stamps
    return _from_numbers(values.astype(np.float64))


def _from_numbers(values: npt.NDArray[np.float64]) -> npt.NDArray[np.datetime64]:
    present = values[np.isfinite(values)]
    if len(present) and bool(np.all((present >= 19000101) & (present <= 21001231))):
        texts = ["" if np.isnan(v) else f"{int(v):08d}" for v in values.tolist()]
        dashed = [t and f"{t[:4]}-{t[4:6]}-{t[6:]}" for t in texts]
        return parse_stamps(np.array(dashed, dtype=TEXT), "year first")[0]
    # A number beyond the year 5000 in seconds is in milliseconds.
    scale = 1e3 if len(present) and float(np.abs(present).max()) > 1e11 else 1e6
    micro = np.where(np.isfinite(values), values * scale, 0.0).astype(np.int64)
    stamps = micro.astype("datetime64[us]")
    stamps[~np.isfinite(values)] = np.datetime64("NaT")
    return stamps


def check_values(table: Table, kinds: Mapping[str, ColumnKind]) -> None:
    """Check every value of the columns that are learned from, before any row is held out.

    Args:
        table: The table.
        kinds: What its columns are.

    Raises:
        DataError: If a value is infinite or unreadable; the message names the first.
    """
    for kind in kinds.values():
        if kind.used and kind.kind == "numeric":
            numbers_of(table, kind)
        elif kind.used and kind.kind == "timestamp":
            stamps_of(table, kind)


def _label(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else repr(value)


def labels_of(table: Table, kind: ColumnKind) -> tuple[list[str], npt.NDArray[np.int64]]:
    """Read a category or boolean column as labels.

    The same value has the same label whether it came from text, whole or floating numbers:
    `1`, `1.0` and `"1"` are all `"1"`.

    Args:
        table: The table.
        kind: The column's kind.

    Returns:
        The distinct labels in some order (a table of taken rows may list some that its rows
        lack), and for each row the position of its label among them, int64 of shape (rows,), -1
        where missing.

    >>> labels_of(Table({"a": ["x", "", "y"]}), ColumnKind("a", "category", "", True))
    (['x', 'y'], array([ 0, -1,  1]))
    """
    values = table[kind.name]
    codes: npt.NDArray[np.int64]
    raw: list[str]
    if values.dtype == TEXT:
        raw, small = table.factors(kind.name)
        codes = small.astype(np.int64)
        raw = [_trim(value) for value in raw]
    elif values.dtype.kind == "f":
        distinct, codes = np.unique(values, return_inverse=True, equal_nan=True)
        raw = ["" if np.isnan(v) else _label(v) for v in distinct.tolist()]
    elif values.dtype.kind == "M":
        distinct, codes = np.unique(values, return_inverse=True)
        raw = ["" if np.isnat(v) else str(v) for v in distinct]
    else:
        distinct, codes = np.unique(values, return_inverse=True)
        raw = [str(v) for v in distinct.tolist()]
    if kind.kind == "boolean":
        truths = [truth_value(value) for value in raw]
        raw = ["" if t is None else ("true" if t else "false") for t in truths]
    labels: dict[str, int] = {}
    place = [-1 if value == "" else labels.setdefault(value, len(labels)) for value in raw]
    if not place:
        return [], np.empty(0, dtype=np.int64)
    return list(labels), np.array(place, dtype=np.int64)[codes]


def _trim(value: str) -> str:
    value = value.strip()
    if value.lower() in MISSING_MARKS:
        return ""
    if value.endswith("0") and "." in value:
        number = parse_number(value)
        if number is not None and number.is_integer() and abs(number) < 2**53:
            return str(int(number))
    return value
