"""The kinds of values that options take; a wrong one says what was expected."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

__all__ = ["choice_or", "count", "names", "number", "pairs", "share"]


def count(least: int) -> Callable[[str], int]:
    """Return a reader of whole numbers of at least `least`."""

    def read(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(
                f"expected a whole number of at least {least}, got {text!r}"
            )
        return value

    return read


def number(above: float | None = None, least: float | None = None) -> Callable[[str], float]:
    """Return a reader of finite numbers greater than `above`, or of at least `least`."""
    limit = f" above {above:g}" if above is not None else f" of at least {least:g}"

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        good = value > above if above is not None else value >= (least or 0.0)
        if not good or not math.isfinite(value):
            raise argparse.ArgumentTypeError(f"expected a number{limit}, got {text!r}")
        return value

    return read


def share(text: str) -> float:
    """Read a share of the rows: at least 0, below 1."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0.0 <= value < 1.0:
        raise argparse.ArgumentTypeError(
            f"expected a share of the rows from 0 to below 1, such as 0.2, got {text!r}"
        )
    return value


def choice_or(word: str, read: Callable[[str], float]) -> Callable[[str], float | str]:
    """Return a reader that also takes one word, such as `auto`."""

    def either(text: str) -> float | str:
        return word if text == word else read(text)

    return either


def names(text: str) -> list[str]:
    """Read column names separated by commas."""
    return [name.strip() for name in text.split(",") if name.strip()]


def pairs(text: str) -> tuple[str, str]:
    """Read `column=kind`."""
    column, equals, kind = text.rpartition("=")
    if not equals or not column or not kind:
        raise argparse.ArgumentTypeError(
            f"expected COLUMN=KIND, such as postcode=category, got {text!r}"
        )
    return column, kind
