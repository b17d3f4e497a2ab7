"""`schuss evaluate`: how good a trained network is on rows that have the answer."""

from __future__ import annotations

import argparse

from schuss.cli.options import add_reading, reading
from schuss.cli.parser import CommandParser
from schuss.cli.summary import figures_table, print_json, print_lines

EXAMPLES = """\
examples:
  schuss evaluate runs/iris-1 test.csv
  schuss evaluate runs/iris-1 iris --json"""


def parser() -> CommandParser:
    """Return the reader of this command's options."""
    read = CommandParser(
        "schuss evaluate", "RUN FILE [options]", "Measure a run on rows with the answer.", EXAMPLES
    )
    read.add_argument("run", metavar="RUN", help="a run's folder, or a .schuss file")
    read.add_argument(
        "file", metavar="FILE", help="a table that has the target's column, or a folder"
    )
    add_reading(read)
    read.add_argument("--quiet", action="store_true", help="with --json, print nothing else")
    read.add_argument("--json", action="store_true", help="end with the result as one JSON object")
    return read


def run(arguments: argparse.Namespace) -> int:
    """Print the figures."""
    from schuss.training import load_run

    trained = load_run(arguments.run)
    figures, all_rows, without = trained.measured(arguments.file, **reading(arguments))
    rows = all_rows - without
    if not (arguments.quiet and arguments.json):
        print_lines(figures_table({arguments.file: figures}))
        left_out = f" of {all_rows:,} rows ({without:,} without {trained.target_name})"
        print_lines(f"{rows:,}{left_out if without else ' rows'}")
    if arguments.json:
        result = {"run": arguments.run, "task": trained.task, "data": arguments.file}
        print_json({**result, "rows": rows, "rows_without_target": without, "test": figures})
    return 0
