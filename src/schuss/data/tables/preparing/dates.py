"""Numbers of a table's dates: their parts, and the times between them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from schuss.data.tables.on_demand import OnDemand
from schuss.data.tables.timestamps import Stamps, stamp_features

__all__ = ["Floats", "Numbers", "Stamps", "date_numbers", "different_dates"]

Floats = npt.NDArray[np.float64]

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


class Numbers(OnDemand):
    """Numbers by name, made on demand, with the table's columns that they come from."""

    def __init__(self) -> None:
        """Begin without any."""
        super().__init__({})
        self.columns: dict[str, tuple[str, ...]] = {}

    def add(self, name: str, columns: tuple[str, ...], made: Callable[[], Floats]) -> None:
        """Add numbers that come from these columns."""
        self.makers[name] = made
        self.columns[name] = columns

    def extend(self, other: Numbers) -> None:
        """Add the numbers of another."""
        self.makers |= other.makers
        self.columns |= other.columns


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
    quantities, circles = Numbers(), Numbers()
    for name, moments in stamps.items():
        span = np.inf if every_part else _span(moments)
        for parts, found in zip(stamp_features(moments), (quantities, circles), strict=True):
            for part, made in parts.makers.items():
                if span >= _NEEDED_SPAN.get(part, 0.0):
                    found.add(f"{name}: {part}", (name,), made)
    names = list(stamps)
    if len(names) <= _MAX_PAIRED_STAMPS:
        for k, first in enumerate(names):
            for then in names[k + 1 :]:
                made = _hours_between(stamps[first], stamps[then])
                quantities.add(f"hours from {first} to {then}", (first, then), made)
    return quantities, circles


def _hours_between(first: Stamps, then: Stamps) -> Callable[[], Floats]:
    def made() -> Floats:
        between = (then - first).astype("timedelta64[us]")
        return np.where(np.isnat(between), np.nan, between.astype(np.float64) / 3.6e9)

    return made
