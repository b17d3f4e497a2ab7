"""Reading the target column's values: its numbers, its classes, and what can be neither."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from schuss.data.tables.columns import ColumnKind, labels_of
from schuss.data.tables.marks import (
    are_tolerable,
    counts_of,
    declared_words,
    find_sentinel,
    marks_that_are_words,
)
from schuss.data.tables.parsing import TEXT, NumberFormat, truth_value
from schuss.data.tables.table import Table, shown
from schuss.data.tables.timestamps import time_format
from schuss.errors import DataError

__all__ = [
    "Label",
    "TargetValues",
    "class_labels",
    "merged_spellings",
    "not_a_number",
    "notes_on_dates",
    "number_label",
    "read_target",
    "refuse_counter",
    "refuse_infinite",
    "refuse_negative",
]

Label = str | int | float | bool
#: Shorter ones that differ in case alone may be letters, or genes.
_SHORTEST_WORD = 3
_SENTINEL = re.compile(r"-9+$")


@dataclass
class TargetValues:
    """The target as it was read: numbers (NaN where missing), or None where it is words.

    Of words, `words` are those that are classes though they mean missing elsewhere; of numbers,
    `marks` are the texts that count as missing.
    """

    numbers: npt.NDArray[np.float64] | None
    style: NumberFormat
    bad: npt.NDArray[np.bool_]
    missing: npt.NDArray[np.bool_]
    words: list[str] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)


def read_target(
    table: Table, name: str, style: NumberFormat | None = None, marks: Sequence[str] | None = None
) -> TargetValues:
    """Read the target as numbers if it is that, and find what is missing.

    Args:
        table: The rows.
        name: The target's column.
        style: How commas are read; None decides.
        marks: Texts that count as missing; None decides.
    """
    values = table[name]
    rows = table.rows
    if values.dtype.kind == "b":
        none = np.zeros(rows, dtype=np.bool_)
        return TargetValues(None, "plain", none, none)
    if values.dtype.kind == "M":
        return TargetValues(None, "plain", ~np.isnat(values), np.isnat(values))
    if values.dtype != TEXT:
        numbers = values.astype(np.float64)
        bad = np.zeros(rows, dtype=np.bool_)
        return _without_sentinel(TargetValues(numbers, "plain", bad, np.isnan(numbers)), marks)
    if style is None:
        style = "plain"
        if table.decimal_commas or table.numbers(name)[1].any():
            style = table.number_format(name)
    numbers, bad = table.numbers(name, style)
    missing = np.isnan(numbers) & ~bad
    present = rows - int(missing.sum())
    if not present or int(bad.sum()) > 0.5 * present:
        words = declared_words(table, name) or marks_that_are_words(table.factors(name)[0])
        if words:
            missing = missing & ~_is_one_of(table, name, words)
        return TargetValues(None, "plain", bad, missing, words)
    found = TargetValues(numbers, style, bad, missing, marks=list(marks or ()))
    undecided = marks is None and bool(bad.any())
    if undecided and are_tolerable(table, name, bad, counts_of(table, name), share=0.0):
        distinct, codes = table.factors(name)
        found.marks = sorted({distinct[code].strip() for code in np.unique(codes[bad])})
    if found.marks:
        gone = bad & _is_one_of(table, name, found.marks)
        found.bad, found.missing = bad & ~gone, missing | gone
    return _without_sentinel(found, marks)


def _is_one_of(table: Table, name: str, words: Sequence[str]) -> npt.NDArray[np.bool_]:
    distinct, codes = table.factors(name)
    return np.array([word.strip() in words for word in distinct], dtype=np.bool_)[codes]


def _without_sentinel(values: TargetValues, marks: Sequence[str] | None) -> TargetValues:
    """Count a number such as -999 as missing: one of the marks, or one that is found."""
    numbers = values.numbers
    assert numbers is not None
    if marks is None:
        sentinel = find_sentinel(numbers[~np.isnan(numbers)])
    else:
        sentinel = next((float(mark) for mark in marks if _SENTINEL.match(mark)), None)
    if sentinel is not None:
        gone = numbers == sentinel
        values.marks = list(dict.fromkeys([*values.marks, f"{sentinel:.0f}"]))
        values.numbers = np.where(gone, np.nan, numbers)
        values.missing = values.missing | gone
    return values


def number_label(value: float, whole: bool) -> Label:
    """Return a number as a label: a whole one where it is that and was meant so."""
    return int(value) if whole and value.is_integer() else float(value)


def class_labels(table: Table, name: str, values: TargetValues) -> list[Label]:
    """List the classes in order: numbers by size, words by the alphabet."""
    column = table[name]
    kind = ColumnKind(name, "category", "", True, words=tuple(values.words))
    labels, _ = labels_of(table, kind)
    if column.dtype.kind == "b" or set(labels) == {"False", "True"}:
        return [label == "True" for label in sorted(labels)]
    numbers = values.numbers
    if numbers is None or values.bad.any() or values.style != "plain":
        return sorted(labels)
    try:
        if column.dtype.kind != "f" and all(_is_plain_integer(label) for label in labels):
            return sorted(int(label) for label in labels)
        if column.dtype.kind == "f":
            return sorted(float(label) for label in labels)
    except ValueError:
        pass
    return sorted(labels)


def merged_spellings(
    labels: Sequence[Label], counts: Sequence[int]
) -> tuple[list[Label], list[str]]:
    """Make one class of words that differ in nothing but upper and lower case.

    Single letters stay apart, except those of yes and no.

    Args:
        labels: The classes in order.
        counts: Rows of each.

    Returns:
        The classes, each as it is spelt most often; and sentences about the others.

    >>> merged_spellings(["No", "Yes", "yes"], [5, 4, 2])
    (['No', 'Yes'], ["'yes' counts as 'Yes'"])
    """
    same: dict[str, list[tuple[int, str]]] = {}
    for label, count in zip(labels, counts, strict=True):
        if not isinstance(label, str):
            return list(labels), []
        same.setdefault(label.lower(), []).append((count, label))
    words = {truth_value(word) for word in same} == {False, True}
    classes: list[Label] = []
    notes = []
    for folded, spellings in same.items():
        if len(spellings) == 1 or not (words or len(folded) >= _SHORTEST_WORD):
            classes += [label for _, label in spellings]
            continue
        chosen = max(spellings, key=lambda found: found[0])[1]
        others = [label for _, label in spellings if label != chosen]
        said = "count" if len(others) > 1 else "counts"
        notes.append(f"{' and '.join(map(shown, others))} {said} as {shown(chosen)}")
        classes.append(chosen)
    return sorted(classes, key=str), notes


def _is_plain_integer(label: str) -> bool:
    return label == "0" or (label.lstrip("-").isdecimal() and str(int(label)) == label)


def refuse_infinite(table: Table, name: str, values: TargetValues) -> None:
    """Raise a DataError where a target is infinite."""
    if values.numbers is None or not bool(np.isinf(values.numbers).any()):
        return
    remedy = "correct it, or leave it empty to leave the row out"
    raise table.unexpected(name, np.isinf(values.numbers), "a finite target", remedy)


def refuse_negative(table: Table, name: str, values: npt.NDArray[np.float64]) -> None:
    """Raise a DataError where a target that is learned on a log scale is below 0 (NaN is not)."""
    wrong = values < 0.0
    if wrong.any():
        remedy = 'give target_scale="linear", or leave such rows out'
        raise table.unexpected(name, wrong, "a target of 0 or more for a log scale", remedy)


def not_a_number(table: Table, name: str, bad: npt.NDArray[np.bool_]) -> DataError:
    """Return the error for a target that should be a number: the first that is bad, or row 1."""
    remedy = 'correct it, leave it empty to leave the row out, or give task="classification"'
    return table.unexpected(name, bad, "a number as target", remedy)


def refuse_counter(table: Table, name: str, distinct: npt.NDArray[np.float64]) -> None:
    """Refuse the numbers from 0 or 1 on, each once: they count the rows, they measure nothing."""
    if distinct[0] in (0.0, 1.0) and distinct[-1] - distinct[0] == len(distinct) - 1:
        raise DataError(
            f"{table.source}: the target {name!r} is each number from {distinct[0]:.0f} to "
            f"{distinct[-1]:.0f} once, so it looks like an identifier; "
            'give task="regression" if it is a quantity, or choose another column.'
        )


def notes_on_dates(name: str, classes: Sequence[Label]) -> list[str]:
    """Say it where classes are dates, which have an order that classes lack."""
    words = [label for label in classes if isinstance(label, str)]
    if not words or len(words) < len(classes) or time_format(words)[0] is None:
        return []
    return [
        f"in the target {name!r}, each date is a class; give numbers, such as the days since one "
        "of them, to have it taken for a quantity"
    ]
