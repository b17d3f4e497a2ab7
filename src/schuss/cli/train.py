"""`schuss train`: a table in, a trained network out."""

from __future__ import annotations

from schuss.cli.options import choice_or, count, names, number, pairs, share
from schuss.cli.parser import CommandParser

EXAMPLES = """\
examples:
  schuss train iris
  schuss train people.csv --target income --exclude id,name
  schuss train people.csv --target income --class-weight balanced --seed 1
  schuss train sales.parquet --target price --time day --test-share 0.1
  schuss train train.csv --target price --test test.csv --out runs/price"""


def parser() -> CommandParser:
    """Return the reader of this command's options."""
    read = CommandParser(
        "schuss train", "Train a network on a table and say how good it is.", EXAMPLES
    )
    read.add_argument(
        "data",
        metavar="DATA",
        help="a bundled data set (iris), or a .csv, .tsv, .jsonl (each also .gz) or .parquet file",
    )
    _add_table(read.add_argument_group("the table"))
    _add_shares(read.add_argument_group("what is held out"))
    _add_descent(read.add_argument_group("the descent (nothing here needs to be set)"))
    _add_output(read.add_argument_group("output"))
    return read
