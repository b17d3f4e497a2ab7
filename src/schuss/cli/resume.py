"""`schuss resume`: go on with a run that was stopped, to the very end it would have had."""

from __future__ import annotations

import argparse

from schuss.cli.parser import CommandParser
from schuss.messages import printable, say

EXAMPLES = """\
examples:
  schuss resume runs/people-1
  schuss resume runs/people-1 --data elsewhere/people.csv"""


def parser() -> CommandParser:
    """Return the reader of this command's options."""
    read = CommandParser(
        "schuss resume",
        "RUN [options]",
        "Go on with a run that was stopped; it ends bit for bit like one that never was.",
        EXAMPLES,
    )
    read.add_argument("run", metavar="RUN", help="the run's folder")
    read.add_argument("--data", metavar="FILE", help="the table, where it has moved")
    read.add_argument("--validation", metavar="FILE", help="the validation rows, likewise")
    read.add_argument("--test", metavar="FILE", help="the test rows, likewise")
    read.add_argument("--quiet", action="store_true", help="no progress, only the result")
    read.add_argument("--json", action="store_true", help="end with the result as one JSON object")
    return read


def run(arguments: argparse.Namespace) -> int:
    """Go on, and print what came of it."""
    from schuss.cli.summary import show_result
    from schuss.training import resume

    begun = False

    def note_start(_: object) -> None:
        nonlocal begun
        begun = True

    found = resume(
        arguments.run,
        arguments.data,
        validation=arguments.validation,
        test=arguments.test,
        quiet=arguments.quiet,
        on_start=note_start,
    )
    if not begun and not arguments.quiet:
        say(f"{printable(arguments.run)}: had ended already; nothing is left to do.")
    show_result(found, quiet=arguments.quiet, as_json=arguments.json)
    return 0
