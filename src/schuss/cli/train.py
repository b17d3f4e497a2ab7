"""`schuss train`: a table or a folder in, a trained network out."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from schuss.cli.options import (
    add_reading,
    count,
    duration,
    kind_of,
    names,
    number,
    one_of,
    share,
    sizes,
)
from schuss.cli.parser import CommandParser
from schuss.training.kinds.kind import Option
from schuss.training.kinds.known import known_kinds

OPTIMIZERS = ("sgd", "adagrad", "rmsprop", "adam", "adamw")
LOSSES = ("mse", "mae", "huber", "quantile")
EXAMPLES = """\
examples:
  schuss train iris
  schuss train people.csv --target income --exclude id,name
  schuss train people.csv --target income --class-weight balanced --seed 1
  schuss train sales.csv --target price --loss quantile --quantile 0.9
  schuss train flowers --time-budget 10m
  schuss train sales.parquet --target price --time day --test-share 0.1
  schuss train train.csv --target price --test test.csv --out runs/price"""


def parser() -> CommandParser:
    """Return the reader of this command's options."""
    read = CommandParser(
        "schuss train",
        "DATA [--target COLUMN] [options]",
        "Train a network on a table or a folder and say how good it is.",
        EXAMPLES,
    )
    add_training(read)
    _add_output(read)
    return read


def add_training(read: argparse.ArgumentParser) -> None:
    """Add the data, and all options of what is trained on it and how."""
    read.add_argument(
        "data",
        metavar="DATA",
        help="a folder (or .zip or .tar) with one folder a class; a bundled data set (iris); a "
        ".csv, .tsv, .jsonl, .json (each also .gz, .bz2, .xz or .zip), .parquet or .xlsx file; "
        "or - for standard input",
    )
    _add_table(read)
    add_reading(read, missing=True)
    _add_shares(read)
    _add_descent(read)
    _add_kinds(read)


def _add_table(read: argparse.ArgumentParser) -> None:
    add = read.add_argument_group("the table").add_argument
    add("--target", metavar="COLUMN", help="the column to predict")
    add(
        "--exclude",
        metavar="COLUMNS",
        type=names,
        action="extend",
        default=[],
        help="columns to leave out, separated by commas (one with a comma: '\"a, b\"')",
    )
    add(
        "--kind",
        dest="kinds",
        metavar="COLUMN=KIND",
        type=kind_of,
        action="append",
        default=[],
        help="a column's kind: numeric, category, boolean, timestamp, text or identifier; or, "
        f"without a column, what the data is: {', '.join(known_kinds())}",
    )
    add(
        "--task",
        metavar="TASK",
        type=one_of(("classification", "regression")),
        help="classification or regression; by default the target's kind decides",
    )
    add(
        "--class-weight",
        metavar="balanced",
        type=one_of(("balanced",)),
        help="let every class weigh the same in total; probabilities are then those of rows that "
        "come as often as they count",
    )
    add(
        "--target-scale",
        metavar="SCALE",
        type=one_of(("auto", "linear", "log")),
        help="linear: learn a quantity as it is; log: its logarithms, so that errors count in "
        "proportion; auto (the default): what fits better where it spans three powers of ten",
    )
    add("--sample-weight", metavar="COLUMN", help="the column with each row's weight")
    add("--group", metavar="COLUMN", help="hold out whole groups of rows, not parts of them")
    add("--time", metavar="COLUMN", help="hold out the latest rows by this column")


def _add_shares(read: argparse.ArgumentParser) -> None:
    add = read.add_argument_group("what is held out").add_argument
    add("--test", metavar="FILE", help="rows for the final figures, instead of a share")
    add(
        "--test-share",
        metavar="SHARE",
        type=share,
        help="share of the rows for nothing but the final figures (0.2); 0 for none",
    )
    add("--validation", metavar="FILE", help="rows to choose the best weights by")
    add(
        "--validation-share",
        metavar="SHARE",
        type=share,
        help="share of the other rows to choose the best weights by",
    )


def _add_descent(read: argparse.ArgumentParser) -> None:
    add = read.add_argument_group("the descent (nothing here needs to be set)").add_argument
    add(
        "--loss",
        metavar="NAME",
        type=one_of(("auto", *LOSSES)),
        help="what errors of a quantity cost: mse (the default; predicts means), mae (medians), "
        "huber (between the two) or quantile",
    )
    add(
        "--quantile",
        metavar="Q",
        type=number(above=0.0, below=1.0),
        help="the quantile that --loss quantile predicts (0.5)",
    )
    add(
        "--metric",
        metavar="NAME",
        help="the validation figure that chooses the best epoch, such as accuracy or mae (log loss "
        "for classes, rmse or the loss for a quantity)",
    )
    add("--epochs", metavar="N", type=count(1), help="passes over the training rows, at most")
    add(
        "--time-budget",
        metavar="TIME",
        type=duration,
        help="time to train in, at most: 90s, 10m, 1h30m; the descent ends with it",
    )
    add("--batch-size", metavar="ROWS", type=count(1), help="rows in a step")
    add("--lr", metavar="RATE", type=number(above=0.0), help="learning rate")
    add("--weight-decay", metavar="RATE", type=number(least=0.0), help="pull of weights to zero")
    add(
        "--patience",
        metavar="EPOCHS",
        type=count(1),
        help="stop after so many epochs without a better validation",
    )
    add("--hidden", metavar="SIZES", type=sizes, help="widths of hidden layers: 256,256,256")
    add("--optimizer", metavar="NAME", type=one_of(OPTIMIZERS), help=", ".join(OPTIMIZERS))
    add(
        "--seed",
        metavar="N",
        type=count(0),
        default=0,
        help="the same seed gives the same numbers, to the last bit (0)",
    )
    add(
        "--eager",
        action="store_true",
        help="take steps one by one with NumPy instead of compiling them into native code",
    )


def _add_kinds(read: argparse.ArgumentParser) -> None:
    for found in known_kinds().values():
        if found.options:
            add = read.add_argument_group(found.name).add_argument
            for option in found.options:
                name = f"--{option.name.replace('_', '-')}"
                add(name, type=_value(option), metavar=option.metavar, help=option.help)


def _value(option: Option) -> Callable[[str], Any]:
    """Return a reader of an option's values."""

    def read(text: str) -> Any:
        try:
            return option.read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"expected {error}, got {text!r}") from None

    return read


def _add_output(read: argparse.ArgumentParser) -> None:
    add = read.add_argument_group("output").add_argument
    add(
        "--out",
        "--run",
        metavar="FOLDER",
        dest="out",
        help="the run's folder; runs/NAME-1, -2, ... by default",
    )
    add("--quiet", action="store_true", help="no progress, only the result")
    add("--json", action="store_true", help="end with the result as one JSON object")


def training_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what was given as arguments of `train`; what was not is None."""
    from inspect import signature

    from schuss.training import train

    given = vars(arguments)
    names = set(signature(train).parameters)
    names |= {option.name for kind in known_kinds().values() for option in kind.options}
    options = {name: given[name] for name in sorted(names & given.keys())}
    kinds = dict(arguments.kinds)
    kind = kinds.pop("", None)
    return options | {"kind": kind, "kinds": kinds, "eager": arguments.eager or None}


def run(arguments: argparse.Namespace) -> int:
    """Train, and print what came of it."""
    from schuss.cli.summary import show_result, show_start
    from schuss.training import train

    options = training_options(arguments)
    found = train(**options, on_start=None if arguments.quiet else show_start)
    show_result(found, quiet=arguments.quiet, as_json=arguments.json)
    return 0
