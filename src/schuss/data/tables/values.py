"""Values of a column: held in one of the few types that a table's columns have."""

from __future__ import annotations

import datetime
import decimal
import json
import math
from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from schuss.data.tables.parsing import TEXT, Array
from schuss.errors import DataError

__all__ = ["LARGEST_EXACT", "as_column", "text_column", "whole_characters"]

#: Up to here, float64 holds every whole number.
LARGEST_EXACT = 2**53


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


def _has_all_digits(value: object) -> bool:
    return isinstance(value, (int, np.integer, decimal.Decimal))


def _is_exact(value: object) -> bool:
    """Tell whether a float64 holds a whole or decimal number so that all its digits come back."""
    if isinstance(value, (int, np.integer)):
        return abs(int(value)) <= LARGEST_EXACT
    if isinstance(value, decimal.Decimal) and value.is_finite():
        return decimal.Decimal(repr(float(value))) == value
    return True


def _text_of(value: object) -> str:
    if isinstance(value, (float, np.floating)):
        number = float(value)
        whole = number.is_integer() and abs(number) < LARGEST_EXACT
        return str(int(number)) if whole else repr(number)
    if isinstance(value, (dict, list, tuple)):
        return json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, decimal.Decimal):
        return f"{value:f}" if value.is_finite() else str(value)
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
        if integers and whole and all(-(2**63) <= cast(int, v) < 2**63 for v in present):
            return np.array(values, dtype=np.int64)
        if all(map(_is_exact, present)) or not all(map(_has_all_digits, present)):
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
    return text_column(["" if m else _text_of(v) for v, m in zip(values, missing, strict=True)])


def text_column(values: Sequence[str]) -> Array:
    """Hold texts; half of a surrogate pair, which is no character, becomes the mark for that."""
    try:
        return np.array(values, dtype=TEXT)
    except UnicodeEncodeError:
        return np.array(list(map(whole_characters, values)), dtype=TEXT)


def whole_characters(text: str) -> str:
    """Replace the halves of surrogate pairs that lack the other half, as UTF-8 has none."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


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
        DataError: If they are complex numbers.

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
    if kind == "u" and len(array) and int(array.max()) >= 2**63:
        return text_column(array.astype(str).tolist())  # no whole number of a table is so large
    if kind in "iu":
        return array.astype(np.int64)
    if kind == "f":
        return array.astype(np.float64)
    if kind == "M":
        return array.astype("datetime64[us]")
    if kind == "m":
        seconds = array.astype("timedelta64[us]").astype(np.float64) / 1e6
        return np.where(np.isnat(array), np.nan, seconds)
    if kind in "UT":
        return text_column(array.tolist()) if kind == "U" else array.astype(TEXT)
    if kind == "c":
        raise DataError("expected real numbers, got complex ones; split their parts.")
    return _from_objects(array.tolist())
