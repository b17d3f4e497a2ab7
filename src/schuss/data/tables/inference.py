"""Deciding what each column is: a number, a category, a date, or nothing to learn from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from schuss.data.tables.columns import ColumnKind, Kind, labels_of
from schuss.data.tables.marks import (
    are_tolerable,
    counts_of,
    declared_words,
    find_sentinel,
    marks_that_are_words,
)
from schuss.data.tables.parsing import (
    TEXT,
    Array,
    NumberFormat,
    has_leading_zeros,
    is_missing,
    truth_pair,
    truth_value,
)
from schuss.data.tables.preparing.words import is_prose
from schuss.data.tables.table import Table, shown
from schuss.data.tables.timestamps import TimeFormat, number_time_format, time_format
from schuss.data.tables.values import LARGEST_EXACT
from schuss.errors import UsageError

__all__ = ["KINDS", "infer_kinds"]

#: Kinds that a caller may force with `kinds=`.
KINDS: tuple[Kind, ...] = ("numeric", "category", "boolean", "timestamp", "text", "identifier")
_USED = ("numeric", "category", "boolean", "timestamp", "text")

#: Up to so many different values a text column is a category, however few rows there are.
_ALWAYS_CATEGORY = 10
_LONG_TEXT = 100
_ID_NAME = re.compile(
    r"(?:^|[\W_])(?:ids?|idx|index|uuid|guid|key|row|row[\W_]?num(?:ber)?|row[\W_]?no|nr|no)$"
    r"|^unnamed: ?\d+$|^column \d+$|[a-z]I[Dd]$"
)
_WHOLE = re.compile(r"^-?\d+$")


def _plural(n: int, word: str) -> str:
    return f"{n:,} {word}" if n == 1 else f"{n:,} {word}s"


def _other(table: Table, bad: npt.NDArray[np.bool_], values: Array, what: str) -> str:
    """Say how many values are not what the column is, with the first of them."""
    count = int(bad.sum())
    row = int(np.argmax(bad))
    said = f"is no {what} and counts" if count == 1 else f"are no {what}s and count"
    return (
        f"; {_plural(count, 'value')} {said} as missing "
        f"(such as {shown(values[row])} in {table.where(row)})"
    )


def _missing_note(missing: int, rows: int) -> str:
    return f", {missing:,} of {rows:,} missing" if missing else ""


def _left_out(name: str, kind: Kind, reason: str) -> ColumnKind:
    return ColumnKind(name, kind, f"{reason}, left out", False)


def _empty(name: str) -> ColumnKind:
    return _left_out(name, "empty", "no values at all")


def _numeric(
    name: str,
    values: npt.NDArray[np.float64],
    others: int = 0,
    note: str = "",
    style: NumberFormat = "plain",
) -> ColumnKind:
    """Describe a column of numbers: constant, yes or no, an identifier, or a quantity.

    Args:
        name: The column's name.
        values: Its numbers, NaN where missing.
        others: How many values are no numbers, and count as missing.
        note: What to say of these, and of the format.
        style: How commas are read.
    """
    sentinel = find_sentinel(values[~np.isnan(values)])
    if sentinel is not None:
        values = np.where(values == sentinel, np.nan, values)
        note += f"; {sentinel:g} counts as missing"
    present = values[~np.isnan(values)]
    missing = len(values) - len(present) - others
    if not len(present):
        return _empty(name)
    low, high = float(present.min()), float(present.max())
    if low == high and not missing:
        return _left_out(name, "constant", f"the same value in every row ({low:g})")
    kind: Kind = "numeric"
    whole = bool(np.all(np.isfinite(present))) and bool(np.all(present == np.floor(present)))
    distinct = len(np.unique(present)) if whole else 0
    if low == 0.0 and high == 1.0 and bool(np.all((present == 0.0) | (present == 1.0))):
        kind, reason = "boolean", "0 or 1"
    elif whole:
        named = _ID_NAME.search(name) or _ID_NAME.search(name.lower())
        if named and not missing and distinct == len(values) > 2:
            return _left_out(
                name, "identifier", f"a different whole number in each of {len(values):,} rows"
            )
        reason = f"whole numbers, {distinct:,} different"
    else:
        reason = "numbers"
    reason += _missing_note(missing, len(values)) + note
    return ColumnKind(
        name, kind, reason, True, number_format=style, tolerant=others > 0, sentinel=sentinel
    )


def _stamps(
    name: str, stamps: Array, others: int = 0, note: str = "", form: TimeFormat = "year first"
) -> ColumnKind:
    """Describe a column of moments, NaT where missing; the other arguments are `_numeric`'s."""
    gone = np.isnat(stamps)
    present = stamps[~gone]
    if not len(present):
        return _empty(name)
    first, last = present.min(), present.max()
    if first == last and not gone.any():
        return _left_out(name, "constant", "the same moment in every row")
    reason = f"dates from {str(first)[:10]} to {str(last)[:10]}"
    if form == "clock":
        reason = "times of day"
    reason += _missing_note(int(gone.sum()) - others, len(stamps)) + note
    return ColumnKind(name, "timestamp", reason, True, time_format=form, tolerant=others > 0)


def _words(
    name: str,
    distinct: Sequence[str],
    counts: npt.NDArray[np.int64],
    rows: int,
    marks: Sequence[str] = (),
) -> ColumnKind:
    """Describe a column of words: a category where they repeat, else text or an identifier.

    Args:
        name: The column's name.
        distinct: Its different words.
        counts: How often each is there.
        rows: Number of rows of the table.
        marks: Those of the words that mean missing in other columns.
    """
    present = int(counts.sum())
    k = len(distinct)
    if k == 1 and present == rows:
        return _left_out(name, "constant", f"the same value in every row ({shown(distinct[0])})")
    missing = _missing_note(rows - present, rows)
    mean_length = float(np.dot(counts, [len(v) for v in distinct])) / present
    if (2 * k > present and k > _ALWAYS_CATEGORY) or (
        mean_length > _LONG_TEXT and k > _ALWAYS_CATEGORY
    ):
        if is_prose(distinct):
            reason = f"free text, {k:,} different in {present:,} rows{missing}"
            return ColumnKind(name, "text", reason, True, words=tuple(marks))
        kind: Kind = "text" if k < present else "identifier"
        reason = f"{kind}, left out: {k:,} different values in {present:,} rows"
        if rows - present:
            reason += f" (whether it is missing is used: {rows - present:,} of {rows:,} are)"
        return ColumnKind(
            name, kind, reason, False, missing_used=present < rows, words=tuple(marks)
        )
    reason = f"{_plural(k, 'different value')}{missing}"
    if marks:
        reason += f"; {' and '.join(map(shown, marks))} taken as a value, not as missing"
    return ColumnKind(name, "category", reason, True, words=tuple(marks))


def _infer_text(table: Table, name: str) -> ColumnKind:
    text = table[name]
    style = table.number_format(name) if table.decimal_commas else "plain"
    values, bad = table.numbers(name, style)
    commas = {"thousands": ", with thousands commas", "decimal comma": ", decimal commas"}
    if not bad.any():
        whole = values[~np.isnan(values)]
        codes = bool(np.all(whole == np.floor(whole))) and has_leading_zeros(text)
        if not codes and not _differ_beyond_floats(table, name, whole):
            return _numeric(name, values, note=commas.get(style, ""), style=style)
    marks = marks_that_are_words(table.factors(name)[0])
    merged = counts_of(table, name)
    words = list(merged)
    present = sum(merged.values())
    if not present and not marks:
        return _empty(name)
    missing = table.rows - present
    if truth_pair(words):
        reason = " or ".join(sorted(words, key=lambda w: bool(truth_value(w)), reverse=True))
        return ColumnKind(name, "boolean", reason + _missing_note(missing, table.rows), True)
    if bad.any():
        style = table.number_format(name)
        values, bad = table.numbers(name, style)
        if are_tolerable(table, name, bad, merged) and not has_leading_zeros(text):
            note = commas.get(style, "")
            if bad.any():
                note += _other(table, bad, text, "number")
            return _numeric(name, values, int(bad.sum()), note, style)
    form, unclear = time_format(words)
    if form is not None:
        stamps, bad = table.stamps(name, form)
        if are_tolerable(table, name, bad, merged):
            note = f", read as {form}" if unclear else ""
            if bad.any():
                note += _other(table, bad, text, "date")
            return _stamps(name, stamps, int(bad.sum()), note, form)
    if marks:
        merged = counts_of(table, name, marks)
    tally = np.array(list(merged.values()), dtype=np.int64)
    return _words(name, list(merged), tally, table.rows, marks)


def _differ_beyond_floats(table: Table, name: str, values: npt.NDArray[np.float64]) -> bool:
    """Tell whether whole numbers in text are more different ones than as float64."""
    if not len(values) or float(np.abs(values).max()) <= LARGEST_EXACT:
        return False
    words = {word.strip() for word in table.factors(name)[0] if not is_missing(word)}
    return all(map(_WHOLE.match, words)) and len(words) > len(np.unique(values))


def _whole_numbers(table: Table, name: str) -> ColumnKind:
    """Describe a column of int64, which may hold more different numbers than float64 can."""
    values = table[name]
    if len(values) and max(int(values.max()), -int(values.min())) > LARGEST_EXACT:
        distinct, counts = np.unique(values, return_counts=True)
        if len(distinct) > len(np.unique(distinct.astype(np.float64))):
            return _words(name, list(map(str, distinct.tolist())), counts, table.rows)
    return _numeric(name, values.astype(np.float64))


def _infer(table: Table, name: str) -> ColumnKind:
    values = table[name]
    declared = table.declared.get(name)
    if declared == "category":
        marks = declared_words(table, name)
        distinct, codes = labels_of(
            table, ColumnKind(name, "category", "", True, words=tuple(marks))
        )
        counts = np.bincount(codes[codes >= 0], minlength=len(distinct)).astype(np.int64)
        if not len(distinct):
            return _empty(name)
        kind = _words(name, distinct, counts, table.rows, marks)
        if kind.kind == "category":
            return replace(kind, reason=f"declared as such, {kind.reason}")
        return kind
    if values.dtype == TEXT:
        return _infer_text(table, name)
    if values.dtype.kind == "M":
        return _stamps(name, values)
    if values.dtype.kind == "b":
        if len(values) and bool(np.all(values == values[0])):
            return _left_out(name, "constant", f"the same value in every row ({bool(values[0])})")
        return ColumnKind(name, "boolean", "true or false", True)
    if values.dtype.kind == "i":
        return _whole_numbers(table, name)
    return _numeric(name, values.astype(np.float64))


def _forced(table: Table, name: str, kind: str) -> ColumnKind:
    """Make the kind that the caller wants, with the formats that the column's values need."""
    reason = f"{kind}, as you said"
    used = kind in _USED
    values = table[name]
    if kind == "timestamp" and values.dtype.kind in "if":
        unit = number_time_format(values.astype(np.float64))
        return ColumnKind(name, "timestamp", reason, True, time_format=unit)
    if kind == "boolean":
        labels, codes = labels_of(table, ColumnKind(name, "category", "", True))
        other = np.array([*(truth_value(label) is None for label in labels), False])[codes]
        return _forced_by(table, name, kind, other, bool(other[codes >= 0].all()))
    if values.dtype != TEXT or kind not in ("numeric", "timestamp"):
        marks: list[str] = []
        if values.dtype == TEXT and kind == "category":
            marks = declared_words(table, name) or marks_that_are_words(table.factors(name)[0])
        return ColumnKind(name, cast(Kind, kind), reason, used, words=tuple(marks))
    distinct, _ = table.factors(name)
    words = [v.strip() for v in distinct if not is_missing(v)]
    style: NumberFormat = "plain"
    form: TimeFormat = "year first"
    if kind == "numeric":
        style = table.number_format(name)
        read, bad = table.numbers(name, style)
    else:
        found = time_format(words)[0]
        numbers, other = table.numbers(name)
        if found is None and not other.any():
            form = number_time_format(numbers)
            return ColumnKind(name, "timestamp", reason, True, time_format=form)
        form = found or form
        read, bad = table.stamps(name, form)
    none = bool(np.all(np.isnan(read) if kind == "numeric" else np.isnat(read)))
    return _forced_by(table, name, kind, bad, none, number_format=style, time_format=form)


def _forced_by(
    table: Table, name: str, kind: str, bad: npt.NDArray[np.bool_], none: bool, **formats: Any
) -> ColumnKind:
    """Make the kind that the caller wants, unless no value is of it; say which values are not."""
    what = {"numeric": "number", "timestamp": "date", "boolean": "yes or no"}[kind]
    values = table[name]
    reason = f"{kind}, as you said"
    if bad.any():
        if none:
            remedy = f"no value of the column is one: leave out kinds={{{name!r}: {kind!r}}}"
            expected = what if kind == "boolean" else f"a {what}"
            raise table.unexpected(name, bad, expected, remedy)
        reason += _other(table, bad, values, "boolean" if kind == "boolean" else what)
    return ColumnKind(name, cast(Kind, kind), reason, True, tolerant=bool(bad.any()), **formats)


def infer_kinds(
    table: Table, *, exclude: Iterable[str] = (), kinds: Mapping[str, str] | None = None
) -> dict[str, ColumnKind]:
    """Decide what each column of a table is.

    Numbers stay numbers, however few are different; text that repeats is a category; other text
    is free text where it has several words. What hardly repeats else is left out, as are columns
    without values or with one value.

    Args:
        table: The table.
        exclude: Columns to leave out of the result.
        kinds: Kinds that you know, by column: numeric, category, boolean, timestamp, text or
            identifier (which is left out).

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
            to = " to exclude" if name in excluded else " to give a kind to"
            raise table.without(name, to=to)
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
