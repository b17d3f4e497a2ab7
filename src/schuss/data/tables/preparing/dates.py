"""Numbers of a table's dates: their parts, and the times between them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from schuss.data.tables.timestamps import stamp_features

__all__ = ["Floats", "Numbers", "Stamps", "date_numbers", "different_dates"]

Floats = npt.NDArray[np.float64]
Stamps = npt.NDArray[np.datetime64]
#: Values by name, with the table's columns that they come from.
Numbers: TypeAlias = "dict[str, tuple[tuple[str, ...], Floats]]"

#: With more columns of dates than this, the times between them are left out.
_MAX_PAIRED_STAMPS = 4
#: Days that the training rows must span for a part of a date to mean more than its one turn.
_NEEDED_SPAN = {
    "year": 366.0,
    "month": 180.0,
    "sine of the year": 180.0,
    "cosine of the year": 180.0,
    "day of month": 60.0,
    "day of week": 14.0,
}


def _span(stamps: Stamps) -> float:
    """Return the days from the first moment to the last."""
    present = stamps[~np.isnat(stamps)]
    if not len(present):
        return 0.0
    return float((present.max() - present.min()) / np.timedelta64(1, "D"))


def different_dates(stamps: Mapping[str, Stamps]) -> tuple[dict[str, Stamps], dict[str, str]]:
    """Leave out the dates that are another column's in all rows.

    Returns:
        The others by name; and for each that is left out the column that it repeats.
    """
    kept: dict[str, Stamps] = {}
    repeated: dict[str, str] = {}
    for name, moments in stamps.items():
        same = (k for k, other in kept.items() if np.array_equal(moments, other, equal_nan=True))
        first = next(same, None)
        if first is None:
            kept[name] = moments
        else:
            repeated[name] = first
    return kept, repeated


def date_numbers(stamps: Mapping[str, Stamps], *, every_part: bool) -> tuple[Numbers, Numbers]:
    """Compute the parts of dates and the hours between them.

    Args:
        stamps: Dates by their column, NaT where missing, each of shape (rows,).
        every_part: Whether to give parts that the dates' span does not let mean something.

    Returns:
        Quantities, and positions on the circles of the year and the day.
    """
    quantities: Numbers = {}
    circles: Numbers = {}
    for name, moments in stamps.items():
        span = np.inf if every_part else _span(moments)
        for parts, found in zip(stamp_features(moments), (quantities, circles), strict=True):
            for part, values in parts.items():
                if span >= _NEEDED_SPAN.get(part, 0.0):
                    found[f"{name}: {part}"] = ((name,), values)
    names = list(stamps)
    if len(names) <= _MAX_PAIRED_STAMPS:
        for k, first in enumerate(names):
            for then in names[k + 1 :]:
                between = (stamps[then] - stamps[first]).astype("timedelta64[us]")
                gone = np.isnat(between)
                hours = np.where(gone, np.nan, between.astype(np.float64) / 3.6e9)
                quantities[f"hours from {first} to {then}"] = ((first, then), hours)
    return quantities, circles
