"""Dates and times: reading them from text, and the numbers that a network learns from."""

from __future__ import annotations

import calendar
import contextlib
import datetime
import re
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from schuss.data.tables.on_demand import OnDemand
from schuss.data.tables.parsing import MISSING_MARKS, Array, factorise

__all__ = [
    "NUMBER_FORMATS",
    "Stamps",
    "TimeFormat",
    "iso_stamps",
    "number_time_format",
    "parse_stamp",
    "parse_stamps",
    "stamp_features",
    "stamps_from_numbers",
    "time_format",
]

Stamps: TypeAlias = "npt.NDArray[np.datetime64]"
TimeFormat = Literal[
    "year first",
    "day first",
    "month first",
    "month name",
    "clock",
    "YYYYMMDD",
    "seconds",
    "milliseconds",
]
NUMBER_FORMATS = ("YYYYMMDD", "seconds", "milliseconds")
FORMATS: tuple[TimeFormat, ...] = ("year first", "day first", "month first", "month name", "clock")

#: What these formats mean does not depend on which of them was expected.
_CLEAR: tuple[TimeFormat, ...] = ("year first", "month name")

_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?\s*(?P<zone>Z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?"
)
_MONTHS = {
    name.lower(): number
    for names in (calendar.month_name, calendar.month_abbr)
    for number, name in enumerate(names)
    if name
}
_WEEKDAY = r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?,?\s+)?"
_PATTERNS = {
    "year first": re.compile(
        rf"(?P<year>\d{{4}})([-/.])(?P<month>\d{{1,2}})"
        rf"(?:\2(?P<day>\d{{1,2}})(?:[T\s]\s*{_CLOCK})?)?"
    ),
    "numbers": re.compile(
        rf"(?P<first>\d{{1,2}})([-/.])(?P<then>\d{{1,2}})\2(?P<year>\d{{4}}|\d{{2}})"
        rf"(?:,?[T\s]\s*{_CLOCK})?"
    ),
    "month name": re.compile(
        rf"{_WEEKDAY}(?:(?P<day>\d{{1,2}})[\s-](?P<name>[a-z]{{3,9}})\.?[\s,-]\s*"
        rf"|(?P<name2>[a-z]{{3,9}})\.?\s(?P<day2>\d{{1,2}}),?\s)(?P<year>\d{{4}}|\d{{2}})"
        rf"(?:,?\s+{_CLOCK})?",
        re.IGNORECASE,
    ),
    "clock": re.compile(_CLOCK),
}
_NOT_A_TIME = np.datetime64("NaT", "us")
#: Longer texts are no dates; the patterns would take quadratic time over many blanks.
_LONGEST = 100


def _clock(parts: dict[str, str | None]) -> datetime.timedelta | None:
    """Turn the parts of a time of day into its distance from midnight, in UTC."""
    if parts.get("hour") is None:
        return datetime.timedelta()
    hour, minute = int(parts["hour"] or 0), int(parts["minute"] or 0)
    second = int(parts["second"] or 0)
    half = (parts["half"] or "").lower().replace(".", "")
    if half:
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 24 or minute > 59 or second > 60 or (hour == 24 and minute + second > 0):
        return None
    micro = int(((parts["fraction"] or "") + "000000")[:6])
    zone = parts["zone"] or ""
    shift = 0
    if zone[:1] in ("+", "-"):
        digits = zone[1:].replace(":", "") + "00"
        shift = (int(digits[:2]) * 60 + int(digits[2:4])) * (1 if zone[0] == "+" else -1)
    return datetime.timedelta(
        hours=hour, minutes=minute - shift, seconds=second, microseconds=micro
    )


def parse_stamp(value: str, style: TimeFormat) -> np.datetime64 | None:
    """Read one date, with or without a time of day.

    Args:
        value: Text. A time zone is taken into account: the result is in UTC.
        style: Which of the formats to expect; "clock" is a time of day alone. Beside any other,
            dates whose year comes first or whose month has a name are taken as well.

    Returns:
        The moment in microseconds (NaT where missing), or None where the text is not of the format.

    >>> parse_stamp("5/3/2019 4:05 PM", "month first")
    np.datetime64('2019-05-03T16:05:00.000000')
    """
    value = value.strip()
    if value.lower() in MISSING_MARKS:
        return _NOT_A_TIME
    clear = () if style == "clock" else _CLEAR
    found = (_parse_as(value, each) for each in dict.fromkeys((style, *clear)))
    return next((stamp for stamp in found if stamp is not None), None)


def _parse_as(value: str, style: TimeFormat) -> np.datetime64 | None:
    """Read a date that is of this very format."""
    pattern = "numbers" if style in ("day first", "month first") else style
    match = _PATTERNS[pattern].fullmatch(value) if len(value) <= _LONGEST else None
    if match is None:
        return None
    parts = match.groupdict()
    clock = _clock(parts)
    if clock is None:
        return None
    year, month, day = 1970, 1, 1
    if style != "clock":
        year = int(parts["year"] or 0)
        if len(parts["year"] or "") == 2:
            year += 2000 if year < 70 else 1900
    if style == "year first":
        month, day = int(parts["month"] or 0), int(parts["day"] or 1)
        # A month alone; with other years it is more likely two parts of a code.
        if parts["day"] is None and not 1900 <= year <= 2100:
            return None
    elif style == "month name":
        month = _MONTHS.get((parts["name"] or parts["name2"] or "").lower(), 0)
        day = int(parts["day"] or parts["day2"] or 0)
    elif style == "day first":
        day, month = int(parts["first"] or 0), int(parts["then"] or 0)
    elif style == "month first":
        month, day = int(parts["first"] or 0), int(parts["then"] or 0)
    try:
        moment = datetime.datetime(year, month, day) + clock
    except (ValueError, OverflowError):
        return None
    return np.datetime64(moment, "us")


def time_format(values: Sequence[str]) -> tuple[TimeFormat | None, bool]:
    """Find the format that most of the distinct values of a column have.

    Args:
        values: Distinct non-missing texts.

    Returns:
        The format, or None where fewer than 95 in 100 values have one; and whether day and month
        could as well be the other way round.

    >>> time_format(["13/01/2020", "02/03/2020"]), time_format(["red"])
    (('day first', False), (None, False))
    """
    sample = values if len(values) <= 2000 else values[:: len(values) // 2000]
    if not sample or not any(c.isdigit() for c in sample[0]):
        head = [v for v in sample[:20] if any(c.isdigit() for c in v)]
        if not head:
            return None, False
    fits = {style: sum(_parse_as(v, style) is not None for v in sample) for style in FORMATS}
    best = max(fits, key=lambda style: fits[style])
    if fits[best] < 0.95 * len(sample):
        clear = sum(fits[style] for style in _CLEAR)
        fits = {style: fits[style] for style in ("day first", "month first")}
        fits = {"year first": clear, **{style: n + clear for style, n in fits.items()}}
        best = max(fits, key=lambda style: fits[style])
    if fits[best] < 0.95 * len(sample):
        return None, False
    unclear = best == "day first" and fits["day first"] == fits["month first"]
    if unclear:
        # A dot between the numbers is the custom where the day comes first.
        first = next(v for v in sample if _parse_as(v, best) is not None)
        best = "day first" if "." in first.split()[0] else "month first"
    return best, unclear


def iso_stamps(text: Array) -> npt.NDArray[np.datetime64] | None:
    """Read text that is ISO dates, with or without a time of day, or empty, at once.

    Returns:
        datetime64[us] of shape (rows,), NaT where empty; None where some text is something else.

    >>> iso_stamps(np.array(["2020-01-02", ""], dtype=np.dtypes.StringDType())).tolist()[0].day
    2
    """
    # NumPy reads ISO text at once; the lengths keep out words that it knows, such as "now".
    lengths = np.strings.str_len(text)
    if len(text) and bool(np.all((lengths == 19) | (lengths == 10) | (lengths == 0))):
        with contextlib.suppress(ValueError):
            return text.astype("datetime64[us]")
    return None


def parse_stamps(
    text: Array, style: TimeFormat
) -> tuple[npt.NDArray[np.datetime64], npt.NDArray[np.bool_]]:
    """Read a text column of shape (rows,) as dates.

    Returns:
        datetime64[us] of shape (rows,), NaT where missing or unreadable; and a mask of shape
        (rows,), true where the text is neither a date nor a missing value.

    >>> parse_stamps(np.array(["2020-01-02", "x"], dtype=np.dtypes.StringDType()), "year first")[1]
    array([False,  True])
    """
    if style == "year first":
        found = iso_stamps(text)
        if found is not None:
            return found, np.zeros(len(text), dtype=np.bool_)
    if not len(text):
        return np.empty(0, dtype="datetime64[us]"), np.empty(0, dtype=np.bool_)
    distinct, codes = factorise(text)
    parsed = [parse_stamp(value, style) for value in distinct]
    bad = np.array([p is None for p in parsed], dtype=np.bool_)
    stamps = np.array([_NOT_A_TIME if p is None else p for p in parsed], dtype="datetime64[us]")
    return stamps[codes], bad[codes]


def number_time_format(values: npt.NDArray[np.float64]) -> TimeFormat:
    """Return how numbers are read as dates: seconds or milliseconds since 1970, or as digits.

    >>> number_time_format(np.array([20200131.0])), number_time_format(np.array([1.6e9]))
    ('YYYYMMDD', 'seconds')
    """
    present = values[np.isfinite(values)]
    if bool(np.all((present >= 19000101) & (present <= 21001231))) and not bool(
        np.isnat(stamps_from_numbers(present, "YYYYMMDD")).any()
    ):
        return "YYYYMMDD"
    # In seconds, 1e11 is beyond the year 5000.
    return "milliseconds" if float(np.abs(present).max(initial=0.0)) > 1e11 else "seconds"


def stamps_from_numbers(
    values: npt.NDArray[np.float64], style: TimeFormat
) -> npt.NDArray[np.datetime64]:
    """Read numbers, NaN where missing, by one of `NUMBER_FORMATS` as datetime64[us].

    >>> stamps_from_numbers(np.array([86400.0]), "seconds")
    array(['1970-01-02T00:00:00.000000'], dtype='datetime64[us]')
    """
    if style == "YYYYMMDD":
        digits = [f"{int(v):08d}" if np.isfinite(v) else "" for v in values.tolist()]
        parsed = [d and parse_stamp(f"{d[:4]}-{d[4:6]}-{d[6:]}", "year first") for d in digits]
        return np.array([p or _NOT_A_TIME for p in parsed], dtype="datetime64[us]")
    micro = np.where(np.isfinite(values), values * (1e3 if style == "milliseconds" else 1e6), 0.0)
    stamps = np.clip(micro, -9e18, 9e18).astype(np.int64).astype("datetime64[us]")
    stamps[~np.isfinite(values)] = _NOT_A_TIME
    return stamps


def _day(stamps: Stamps) -> Array:
    return stamps.astype("datetime64[D]")


def _hour(stamps: Stamps) -> Array:
    since_midnight = stamps.astype(np.int64) - _day(stamps).astype(np.int64) * 86_400_000_000
    hour: Array = since_midnight / 3.6e9
    return hour


def _day_of_month(stamps: Stamps) -> Array:
    first = stamps.astype("datetime64[M]").astype("datetime64[D]")
    days: Array = (_day(stamps) - first).astype(np.float64)
    return days + 1.0


def _of_year(stamps: Stamps) -> Array:
    first = stamps.astype("datetime64[Y]").astype("datetime64[D]")
    days: Array = (_day(stamps) - first).astype(np.float64)
    return days / 365.25


_MAGNITUDES: dict[str, Callable[[Stamps], Array]] = {
    "days": lambda stamps: stamps.astype(np.int64) / 8.64e10,
    "year": lambda stamps: stamps.astype("datetime64[Y]").astype(np.int64) + 1970.0,
    "month": lambda stamps: stamps.astype("datetime64[M]").astype(np.int64) % 12 + 1.0,
    "day of month": _day_of_month,
    "day of week": lambda stamps: ((_day(stamps).astype(np.int64) + 3) % 7).astype(np.float64),
    "hour": _hour,
}
_CIRCLES: dict[str, Callable[[Stamps], Array]] = {
    "sine of the year": lambda stamps: np.sin(2.0 * np.pi * _of_year(stamps)),
    "cosine of the year": lambda stamps: np.cos(2.0 * np.pi * _of_year(stamps)),
    "sine of the day": lambda stamps: np.sin(2.0 * np.pi * (_hour(stamps) / 24.0)),
    "cosine of the day": lambda stamps: np.cos(2.0 * np.pi * (_hour(stamps) / 24.0)),
}


def stamp_features(stamps: Stamps) -> tuple[OnDemand, OnDemand]:
    """Turn moments into numbers: where in time, and where in the year and in the day.

    Args:
        stamps: datetime64 values of shape (rows,).

    Returns:
        Magnitudes (days since 1970, year, month, day of month, day of week from Monday = 0, hour
        as a fraction) and positions on the circles of the year and the day (sine
        and cosine), each float64 of shape (rows,), NaN where the moment is missing.

    >>> magnitudes, circles = stamp_features(np.array(["2020-01-06T12:00"], dtype="M8[us]"))
    >>> float(magnitudes["hour"][0]), float(magnitudes["day of week"][0])
    (12.0, 0.0)
    """

    def values(part: Callable[[Stamps], Array]) -> Callable[[], Array]:
        def made() -> Array:
            gone = np.isnat(stamps)
            filled = np.where(gone, np.datetime64(0, "us"), stamps.astype("datetime64[us]"))
            return np.where(gone, np.nan, part(filled))

        return made

    magnitudes, circles = (
        OnDemand({name: values(part) for name, part in parts.items()})
        for parts in (_MAGNITUDES, _CIRCLES)
    )
    return magnitudes, circles
