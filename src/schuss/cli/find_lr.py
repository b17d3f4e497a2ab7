"""`schuss find-lr`: which learning rates are too small, right and too big for some data."""

from __future__ import annotations

import argparse

from schuss.cli.parser import CommandParser
from schuss.cli.summary import print_json, print_lines
from schuss.cli.train import add_training, training_options

EXAMPLES = """\
examples:
  schuss find-lr iris
  schuss find-lr people.csv --target income --picture rates.svg
  schuss find-lr people.csv --target income --optimizer sgd --json"""


def parser() -> CommandParser:
    """Return the reader of this command's options."""
    read = CommandParser(
        "schuss find-lr",
        "DATA [--target COLUMN] [options]",
        "Show which learning rates are too small, right and too big; nothing is trained or saved.",
        EXAMPLES,
    )
    add_training(read)
    add = read.add_argument_group("output").add_argument
    add("--picture", metavar="FILE", help="draw the curve into this file, which ends in .svg")
    add("--json", action="store_true", help="end with the result as one JSON object")
    return read


def run(arguments: argparse.Namespace) -> int:
    """Draw the curve."""
    from schuss.training.finding import find_lr

    curve = find_lr(**training_options(arguments))
    if arguments.picture is not None:
        curve.save(arguments.picture)
    print_lines(str(curve))
    if arguments.json:
        print_json(curve.to_config())
    return 0
