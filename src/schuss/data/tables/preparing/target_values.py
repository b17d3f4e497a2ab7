"""Reading the target column's values: its numbers, its classes, and what can be neither."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from schuss.data.tables.columns import ColumnKind, labels_of
from schuss.data.tables.parsing import TEXT, NumberFormat, number_format
from schuss.data.tables.table import Table
from schuss.errors import DataError

__all__ = [
    "Label",
    "TargetValues",
    "class_labels",
    "not_a_number",
    "number_label",
    "read_target",
    "refuse_counter",
    "refuse_infinite",
]

Label = str | int | float | bool


@dataclass
class TargetValues:
    """The target as it was read: numbers (NaN where missing), or None where it is words."""

    numbers: npt.NDArray[np.float64] | None
    style: NumberFormat
    bad: npt.NDArray[np.bool_]
    missing: npt.NDArray[np.bool_]


def read_target(table: Table, name: str, style: NumberFormat | None = None) -> TargetValues:
    """Read the target as numbers if it is that, and find what is missing."""
    values = table[name]
    rows = table.rows
    if values.dtype.kind == "b":
        none = np.zeros(rows, dtype=np.bool_)
        return TargetValues(None, "plain", none, none)
    if values.dtype.kind == "M":
        return TargetValues(None, "plain", ~np.isnat(values), np.isnat(values))
    if values.dtype != TEXT:
        numbers = values.astype(np.float64)
        return TargetValues(numbers, "plain", np.zeros(rows, dtype=np.bool_), np.isnan(numbers))
    if style is None:
        numbers, bad = table.numbers(name)
        style = "plain"
        if bad.any():
            words, _ = table.factors(name)
            style = number_format(words, decimal_comma=table.decimal_comma)
    numbers, bad = table.numbers(name, style)
    missing = np.isnan(numbers) & ~bad
    present = rows - int(missing.sum())
    if not present or int(bad.sum()) > 0.5 * present:
        return TargetValues(None, "plain", bad, missing)
    return TargetValues(numbers, style, bad, missing)


def number_label(value: float, whole: bool) -> Label:
    """Return a number as a label: a whole one where it is that and was meant so."""
    return int(value) if whole and value.is_integer() else float(value)


def class_labels(table: Table, name: str, values: TargetValues) -> list[Label]:
    """List the classes in order: numbers by size, words by the alphabet."""
    column = table[name]
    labels, _ = labels_of(table, ColumnKind(name, "category", "", True))
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


def _is_plain_integer(label: str) -> bool:
    return label == "0" or (label.lstrip("-").isdecimal() and str(int(label)) == label)


def refuse_infinite(table: Table, name: str, values: TargetValues) -> None:
    """Raise a DataError where a target is infinite."""
    if values.numbers is None or not bool(np.isinf(values.numbers).any()):
        return
    remedy = "correct it, or leave it empty to leave the row out"
    raise table.unexpected(name, np.isinf(values.numbers), "a finite target", remedy)


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
