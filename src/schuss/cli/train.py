"""`schuss train`: a table in, a trained network out."""

from __future__ import annotations

import argparse

from schuss.cli.options import choice_or, count, names, number, pairs, share
from schuss.cli.parser import CommandParser

__all__ = ["parser", "run"]

EXAMPLES = """\
examples:
  schuss train iris
  schuss train people.csv --target income --exclude id,name
  schuss train people.csv --target income --class-weight balanced --seed 1
  schuss train sales.parquet --target price --time day --test-share 0.1
  schuss train train.csv --target price --test test.csv --out runs/price"""


def parser() -> CommandParser:
    """Return the reader of this command's options."""
    read = CommandParser("schuss train", "Train a network on a table and say how good it is.", EXAMPLES)
    read.add_argument("data", metavar="DATA", help="a bundled data set (iris), or a .csv, .tsv, .jsonl (also .gz) or .parquet file")

    data = read.add_argument_group("the table")
    data.add_argument("--target", metavar="COLUMN", help="the column to predict")
    data.add_argument("--exclude", metavar="COLUMNS", type=names, action="extend", default=[], help="columns to leave out, separated by commas")
    data.add_argument("--kind", metavar="COLUMN=KIND", type=pairs, action="append", default=[], help="say a column's kind: numeric, category, boolean, timestamp")
    data.add_argument("--task", choices=("classification", "regression"), help="by default the target's kind decides")
    data.add_argument("--class-weight", choices=("balanced",), help="weigh classes so that each counts the same in total")
    data.add_argument("--sample-weight", metavar="COLUMN", help="a column with the weight of each row")
    data.add_argument("--group", metavar="COLUMN", help="keep rows of one group in the same share")
    data.add_argument("--time", metavar="COLUMN", help="validate and test on the latest rows by this column")

    shares = read.add_argument_group("what is held out")
    shares.add_argument("--test", metavar="FILE", help="rows for the final figures, instead of a share")
    shares.add_argument("--test-share", metavar="SHARE", type=share, help="share of the rows for the final figures alone (0.2)")
    shares.add_argument("--validation", metavar="FILE", help="rows to choose the best weights by, instead of a share")
    shares.add_argument("--validation-share", metavar="SHARE", type=share, help="share of the other rows to choose the best weights by (0.2)")

    descent = read.add_argument_group("the descent (nothing here needs to be set)")
    descent.add_argument("--epochs", metavar="N", type=count(1), help="passes over the training rows, at most")
    descent.add_argument("--batch-size", metavar="ROWS", type=count(1), help="rows in a step")
    descent.add_argument("--lr", metavar="RATE", type=choice_or("auto", number(above=0.0)), help="learning rate")
    descent.add_argument("--weight-decay", metavar="RATE", type=number(least=0.0), help="pull of the weights towards zero")
    descent.add_argument("--patience", metavar="EPOCHS", type=count(1), help="stop after so many epochs without a better validation")
    descent.add_argument("--hidden", metavar="SIZES", help="widths of the hidden layers, such as 256,256,256")
    descent.add_argument("--optimizer", metavar="NAME", help="sgd, adagrad, rmsprop, adam or adamw")
    descent.add_argument("--seed", metavar="N", type=count(0), help="the same seed gives the same numbers, to the last bit")

    output = read.add_argument_group("output")
    output.add_argument("--out", "--run", metavar="FOLDER", dest="out", help="the run's folder (runs/NAME-N)")
    output.add_argument("--quiet", action="store_true", help="no progress")
    output.add_argument("--json", action="store_true", help="end with the result as one JSON object")
    return read
