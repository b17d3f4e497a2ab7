"""`schuss diagnose`: where a run's descent stands, and what does not work in its network."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from schuss.cli.parser import CommandParser
from schuss.cli.summary import print_json, print_lines

EXAMPLES = """\
examples:
  schuss diagnose runs/iris-1
  schuss diagnose runs/people-1 people.csv    where the table has moved"""


def parser() -> CommandParser:
    """Return the reader of this command's options."""
    read = CommandParser(
        "schuss diagnose",
        "RUN [FILE] [options]",
        "Say whether a run ended in a minimum, on a saddle or a plateau, and what is broken.",
        EXAMPLES,
    )
    read.add_argument("run", metavar="RUN", help="a run's folder")
    read.add_argument("file", metavar="FILE", nargs="?", help="its table, if that has moved")
    read.add_argument("--json", action="store_true", help="print one JSON object")
    return read


def run(arguments: argparse.Namespace) -> int:
    """Print the diagnosis."""
    from schuss.training.tables.diagnose import diagnose_run

    found = diagnose_run(arguments.run, arguments.file)
    if arguments.json:
        print_json({"run": arguments.run, **asdict(found)})
    else:
        print_lines(str(found))
    return 0
