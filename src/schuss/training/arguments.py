"""Checks of a call's arguments, all of its mistakes at once, and their grouping by purpose."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, TypeVar

from schuss.data.tables.table import did_you_mean
from schuss.errors import UsageError

__all__ = [
    "BETWEEN",
    "BUDGET",
    "COLUMN",
    "COUNT",
    "COUNT_OR_AUTO",
    "LIMIT",
    "NOT_NEGATIVE",
    "POSITIVE",
    "SEED",
    "SHARE",
    "WIDTHS",
    "Requirement",
    "grouped",
    "look_up",
    "one_of",
    "problems",
    "refuse",
    "seconds_of",
]

T = TypeVar("T")


@dataclass(frozen=True)
class Requirement:
    """What an argument has to be.

    Args:
        expected: how messages say it, after the argument's name.
        fits: whether a value is that.
        shown: how messages show a value that is not.
    """

    expected: str
    fits: Callable[[Any], bool]
    shown: Callable[[Any], str] = repr


def _is_count(value: Any, least: int = 1) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= least


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and float(value) < math.inf


COUNT = Requirement("a whole number of at least 1", _is_count)
COUNT_OR_AUTO = Requirement(
    "'auto' or a whole number of at least 1", lambda value: value == "auto" or _is_count(value)
)
SEED = Requirement("a whole number from 0", lambda value: _is_count(value, 0))
SHARE = Requirement("in [0, 1)", lambda value: _is_number(value) and 0.0 <= value < 1.0)
BETWEEN = Requirement("between 0 and 1", lambda value: _is_number(value) and 0.0 < value < 1.0)
LIMIT = Requirement("above 0", lambda value: value > 0.0)
POSITIVE = Requirement("above 0", lambda value: _is_number(value) and value > 0.0)
NOT_NEGATIVE = Requirement("of at least 0", lambda value: _is_number(value) and value >= 0.0)
BUDGET = Requirement(
    "to be seconds above 0, or a time such as '90s', '10m' or '1h30m'",
    lambda value: seconds_of(value) is not None,
)
WIDTHS = Requirement("to be widths of at least 1", lambda value: all(map(_is_count, value)))
COLUMN = Requirement(
    "to name a column", lambda value: isinstance(value, str), lambda value: type(value).__name__
)


_DURATION = re.compile(
    r"(?:(?P<h>\d+(?:\.\d+)?)h)?(?:(?P<m>\d+(?:\.\d+)?)m(?:in)?)?(?:(?P<s>\d+(?:\.\d+)?)s?)?"
)


def seconds_of(value: Any) -> float | None:
    """Return a duration in seconds: a number, or hours, minutes and seconds as text; else None.

    >>> seconds_of(90), seconds_of("1h30m"), seconds_of("2.5 min"), seconds_of("soon")
    (90.0, 5400.0, 150.0, None)
    """
    if isinstance(value, str):
        found = _DURATION.fullmatch(value.replace(" ", "").lower())
        parts = {} if found is None else found.groupdict(default="0")
        units = {"h": 3600.0, "m": 60.0, "s": 1.0}
        value = sum(float(parts.get(unit, 0)) * seconds for unit, seconds in units.items())
    return float(value) if _is_number(value) and value > 0.0 else None


def one_of(names: Sequence[str], expected: str = "") -> Requirement:
    """Return the requirement to be one of some names; `expected` where it is said otherwise."""
    return Requirement(expected or f"one of {', '.join(names)}", lambda value: value in names)


def problems(given: Mapping[str, Any], required: Mapping[str, Requirement]) -> list[str]:
    """Say which arguments are not what they have to be; None is always allowed.

    >>> problems({"epochs": 0, "lr": None}, {"epochs": COUNT, "lr": POSITIVE})
    ['epochs a whole number of at least 1, got 0']
    """
    return [
        f"{name} {requirement.expected}, got {requirement.shown(given[name])}"
        for name, requirement in required.items()
        if given[name] is not None and not requirement.fits(given[name])
    ]


def refuse(owner: str, found: Sequence[str]) -> None:
    """Raise a UsageError that names all problems, if there are any."""
    if found:
        raise UsageError(f"{owner}: expected {'; '.join(found)}.")


def look_up(owner: str, what: str, name: str, known: Mapping[str, T]) -> T:
    """Return what is known under a name.

    Raises:
        UsageError: if nothing is; the message names the nearest.

    >>> look_up("Trainer", "loss", "mse", {"mse": 1})
    1
    """
    if name not in known:
        hint = did_you_mean(name, known, listed="there are")
        raise UsageError(f"{owner}: there is no {what} {name!r}; {hint}")
    return known[name]


def grouped(kind: type[T], given: Mapping[str, Any]) -> T:
    """Make a dataclass of those of a call's arguments that are its fields."""
    return kind(**{field.name: given[field.name] for field in fields(kind)})  # type: ignore[arg-type]
