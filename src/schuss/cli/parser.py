"""Reads the command line; loads nothing that computes, so that `--help` is instant."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import NoReturn

import schuss
from schuss.errors import UsageError

__all__ = ["CommandParser", "nearest", "parse"]

COMMANDS = ("train", "predict", "evaluate", "resume", "doctor")

DESCRIPTION = "Train neural networks by backpropagation and gradient descent."
EXAMPLES = """\
examples:
  schuss train iris                                 a bundled data set
  schuss train people.csv --target income           a table of your own
  schuss predict runs/people-1 new.csv -o out.csv   classes and probabilities for new rows
  schuss evaluate runs/people-1 test.csv            how good it is on rows with the answer
  schuss resume runs/people-1                       go on with a run that was stopped

`schuss COMMAND --help` shows a command's options and examples."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return "; did you mean X?" for the known word most like a mistyped one, else "".

    >>> nearest("--epocs", ["--epochs", "--seed"])
    '; did you mean --epochs?'
    """
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {match[0]}?" if match else ""


class CommandParser(argparse.ArgumentParser):
    """argparse with one-line errors that name the nearest option."""

    def __init__(self, name: str, form: str, description: str, examples: str) -> None:
        super().__init__(
            prog=name,
            usage=f"{name} {form}",
            description=description,
            epilog=examples,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
                prog, max_help_position=28, width=100
            ),
            allow_abbrev=False,
            exit_on_error=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise the problem instead of printing the usage."""
        missing = message.partition("arguments are required: ")[2]
        problem = f"expected {missing}" if missing else message
        raise UsageError(f"{problem}; {self.prog} --help shows the form.")

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse words, all of which must be known."""
        try:
            arguments, unknown = self.parse_known_args(words)
        except argparse.ArgumentError as problem:
            name = str(problem.argument_name).replace("/", " or ")
            message = problem.message.replace("expected one argument", "expected a value")
            stop = "" if message.endswith("?") else "."
            raise UsageError(f"{name}: {message}{stop}") from None
        if not unknown:
            return arguments
        word = unknown[0].partition("=")[0]
        if word.startswith("-"):
            hint = nearest(word, self._option_string_actions)
            raise UsageError(f"no option {word}{hint or f'; {self.prog} --help lists them.'}")
        self.error(f"expected no further word, got {word!r}")


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Return a command's arguments, with the function to call as `run`."""
    command = words[0] if words else ""
    if command in COMMANDS:
        module = import_module(f"schuss.cli.{command}")
        arguments: argparse.Namespace = module.parser().parse(words[1:])
        arguments.run = module.run
        return arguments
    one_of = f"expected one of {', '.join(COMMANDS)}."
    if command and not command.startswith("-"):
        raise UsageError(f"no command {command!r}{nearest(command, COMMANDS) or f'; {one_of}'}")
    top = CommandParser("schuss", "COMMAND ...", DESCRIPTION, EXAMPLES)
    top.add_argument("--version", action="version", version=f"schuss {schuss.__version__}")
    top.add_argument("command", metavar="COMMAND", help=", ".join(COMMANDS))
    if not words:
        top.print_help(sys.stderr)
        raise UsageError(f"no command given; {one_of}")
    top.parse(words)
    raise UsageError(f"{command} comes before a command; {one_of}")
