"""Types of command-line options; a wrong value says what was expected."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from typing import Any

from schuss.cli.parser import nearest
from schuss.training.kinds.known import known_kinds

__all__ = [
    "add_reading",
    "count",
    "duration",
    "kind_of",
    "names",
    "number",
    "one_of",
    "pairs",
    "reading",
    "share",
    "sizes",
]

_READING = ("sep", "header", "encoding", "na_values")


def add_reading(read: argparse.ArgumentParser, *, missing: bool = False) -> None:
    """Add the options of how a table's file is read; with `missing`, what counts as missing."""
    add = read.add_argument_group("how the file is read (it is found out)").add_argument
    add("--sep", metavar="CHARACTER", help="what separates the fields; or tab, or space")
    add(
        "--header",
        metavar="none",
        type=one_of(("none", "first")),
        help="none: no line names the columns, which are x0, x1, ...; first: the first line does",
    )
    add("--encoding", metavar="NAME", help="a text file's encoding, such as latin-1")
    if missing:
        add(
            "--na-values",
            metavar="VALUES",
            type=names,
            action="extend",
            default=[],
            help="further values that mean missing, separated by commas",
        )


def reading(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the options of `add_reading` by name, as `read_table` takes them."""
    given = vars(arguments)
    return {name: given[name] for name in _READING if name in given}


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


def number(
    above: float | None = None, least: float | None = None, below: float = math.inf
) -> Callable[[str], float]:
    """Return a reader of numbers below `below`, greater than `above` or of at least `least`."""
    limit = f" above {above:g}" if above is not None else f" of at least {least:g}"
    limit += f" and below {below:g}" if below < math.inf else ""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        good = value > above if above is not None else value >= (least or 0.0)
        if not good or not value < below:
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


def duration(text: str) -> float:
    """Read a duration, such as 90s, 10m or 1h30m, as seconds."""
    from schuss.training.arguments import seconds_of

    seconds = seconds_of(text)
    if seconds is None:
        raise argparse.ArgumentTypeError(
            f"expected a time above 0, such as 90s, 10m or 1h30m, got {text!r}"
        )
    return seconds


def names(text: str) -> list[str]:
    """Read column names separated by commas; as in a table, quotation marks keep a comma in."""
    import csv

    try:
        found = next(csv.reader([text], skipinitialspace=True), [])
    except csv.Error as error:
        raise argparse.ArgumentTypeError(f"expected names, got {text!r} ({error})") from None
    return [name.strip() for name in found if name.strip()]


def one_of(known: Sequence[str]) -> Callable[[str], str]:
    """Return a reader of one of the known words."""

    def read(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(
                f"expected one of {', '.join(known)}, got {text!r}{nearest(text, known)}"
            )
        return text

    return read


def sizes(text: str) -> list[int]:
    """Read widths of layers separated by commas."""
    return [count(1)(width) for width in names(text)]


def pairs(text: str) -> tuple[str, str]:
    """Read `column=kind`."""
    column, equals, kind = text.rpartition("=")
    if not equals or not column or not kind:
        raise argparse.ArgumentTypeError(
            f"expected COLUMN=KIND, such as postcode=category, got {text!r}"
        )
    return column, kind


def kind_of(text: str) -> tuple[str, str]:
    """Read `column=kind`, or the kind of the data as a whole, which belongs to no column."""
    return ("", text) if text in known_kinds() else pairs(text)
