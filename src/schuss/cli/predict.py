"""`schuss predict`: what a trained network says about new rows, beside their columns."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Collection, Iterable
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from schuss.cli.options import add_reading, reading
from schuss.cli.output import check_output, open_output
from schuss.cli.parser import CommandParser
from schuss.cli.summary import print_json
from schuss.errors import UsageError
from schuss.messages import printable, say

if TYPE_CHECKING:
    from schuss.training import Predictions, Run

EXAMPLES = """\
examples:
  schuss predict runs/iris-1 new.csv -o out.csv
  schuss predict runs/people-1 new.parquet -o out.jsonl.gz
  schuss predict model.schuss new.csv | head
  schuss predict runs/flowers-1 holiday.jpg garden/ -o out.csv"""


def parser() -> CommandParser:
    """Return the reader of this command's options."""
    read = CommandParser(
        "schuss predict",
        "RUN FILE [FILE ...] [-o OUT] [options]",
        "Write each row's columns with the classes' probabilities, or the value, beside them.\n"
        "Rows stream through, so a file larger than memory works.",
        EXAMPLES,
    )
    read.add_argument("run", metavar="RUN", help="a run's folder, or a .schuss file")
    read.add_argument(
        "files",
        metavar="FILE",
        nargs="+",
        help="a .csv, .tsv, .jsonl, .json (each also .gz, .bz2, .xz or .zip), .parquet or .xlsx "
        "file, or - for standard input; more columns do no harm. For a run on pictures or "
        "recordings one of them, or a folder, .zip or .tar; one that cannot be read gets a row "
        "that says so",
    )
    read.add_argument(
        "-o",
        "--out",
        metavar="OUT",
        default="-",
        help="a file of any of these formats; - for standard output as CSV (the default)",
    )
    add_reading(read)
    read.add_argument("--quiet", action="store_true", help="no word about what was written")
    read.add_argument("--json", action="store_true", help="end with what was written, as JSON")
    return read


def run(arguments: argparse.Namespace) -> int:
    """Predict chunk by chunk."""
    check_output(arguments.out)
    if arguments.out == "-" and sys.stdout is None:
        raise UsageError("there is no standard output; give -o a file.")
    if arguments.out != "-" and any(_same(arguments.out, file) for file in arguments.files):
        raise UsageError(f"{arguments.out}: is the input itself; give another name.")
    if arguments.json and arguments.out == "-":
        raise UsageError("--json: the predictions go to standard output; give -o a file.")
    from schuss.training import load_run

    trained = load_run(arguments.run)
    numeric = {trained.target_name} if trained.task == "regression" else set()
    names: list[str] = []
    rows = 0
    limits = Limits(trained)
    whole: dict[str, str] = {}
    with open_output(arguments.out, numeric=numeric, whole=whole) as write:
        parts = (trained.stream(file, **reading(arguments)) for file in arguments.files)
        for part in chain.from_iterable(parts):
            names = names or _new_names(trained, part.columns)
            numeric.update(part.numeric)
            whole |= part.whole
            limits.count(part.found)
            new = dict(zip(names, _columns(part.found), strict=True)) | dict(part.more)
            write(part.columns, new, originals=part.originals)
            rows += len(part.found.labels)
    if not arguments.quiet and arguments.out != "-":
        say(f"{rows:,} predictions: {printable(arguments.out)}")
    if not arguments.quiet:
        limits.say()
    if arguments.json:
        result = {"run": arguments.run, "out": arguments.out, "rows": rows, "columns": names}
        print_json(result | limits.counts)
    return 0


def _same(one: str, other: str) -> bool:
    return Path(one).exists() and Path(other).exists() and Path(one).samefile(other)


class Limits:
    """How many values were cut, and how many lie beyond those of the training rows."""

    def __init__(self, trained: Run) -> None:
        self.counts = {} if trained.seen is None else {"cut": 0, "beyond": 0}
        self._trained = trained

    def count(self, found: Predictions) -> None:
        """Count those of some more rows."""
        for name in self.counts:
            self.counts[name] += int(getattr(found, name).sum())

    def say(self) -> None:
        """Tell of them, where there are any."""
        low, high = self._trained.seen or (0.0, 0.0)
        name = printable(repr(self._trained.target_name))
        where = f"{low:.6g} to {high:.6g}, the range of {name} in the training rows"
        cut, beyond = self.counts.get("cut", 0), self.counts.get("beyond", 0)
        if beyond:
            lie = f"{beyond:,} of the predictions {'lies' if beyond == 1 else 'lie'} beyond {where}"
            ended = f", in {cut:,} as far as it is followed" if cut else ""
            say(f"note: {lie}; a line goes on there{ended}")
        elif cut:
            say(f"note: {cut:,} of the predictions would lie beyond {where}, and end there")


def _columns(found: Predictions) -> Iterable[Any]:
    """Return the columns that are added: the class and each class's probability, or the value."""
    return [found.labels, *(() if found.probabilities is None else found.probabilities.T)]


def _new_names(trained: Run, taken: Collection[str]) -> list[str]:
    """Return the names of the added columns, none of which the input has."""
    wanted = ["prediction"]
    if trained.task == "classification":
        wanted += [f"probability_{label}" for label in trained.classes]
    found: list[str] = []
    for name in wanted:
        free, number = name, 2
        while free in taken or free in found:
            free, number = f"{name}_{number}", number + 1
        if free != name:
            say(f"schuss predict: there is a column {name!r} already; the new one is {free!r}.")
        found.append(free)
    return found
