"""Reads the command line; loads nothing that computes, so that `--help` is instant."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Callable, Iterable, Sequence
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
    match = difflib.get_close_matches(word, list(known), n=1, cutoff=0.5)
    return f"; did you mean {match[0]}?" if match else ""


class CommandParser(argparse.ArgumentParser):
    """argparse with one-line errors that name the nearest option."""

    def __init__(self, name: str, description: str, examples: str) -> None:
        super().__init__(
            prog=name,
            description=description,
            epilog=examples,
            formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(
                prog, max_help_position=28, width=100
            ),
            allow_abbrev=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raise the problem instead of printing the usage."""
        raise UsageError(f"{self._words()}{message}; {self.prog} --help shows how.")

    def _words(self) -> str:
        command = self.prog.partition(" ")[2]
        return f"{command}: " if command else ""

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """Parse words, all of which must be known."""
        arguments, unknown = self.parse_known_args(words)
        if unknown:
            word = unknown[0].partition("=")[0]
            if word.startswith("-"):
                hint = nearest(word, self._option_string_actions)
                self._stop(f"there is no option {word}{hint}", hint)
            self._stop(f"expected nothing after the arguments, got {unknown[0]!r}", "")
        return arguments

    def _stop(self, problem: str, hint: str) -> NoReturn:
        if hint:
            raise UsageError(f"{self._words()}{problem}")
        self.error(problem)


def parse(words: Sequence[str]) -> argparse.Namespace:
    """Return a command's arguments, with the function to call as `run`."""
    top = CommandParser("schuss", DESCRIPTION, EXAMPLES)
    top.add_argument("--version", action="version", version=f"schuss {schuss.__version__}")
    top.add_argument("command", metavar="COMMAND", help=", ".join(COMMANDS))
    if not words:
        top.print_help(sys.stderr)
        raise UsageError(f"expected a command: {', '.join(COMMANDS)}.")
    command = words[0]
    if command in COMMANDS:
        module = import_module(f"schuss.cli.{command}")
        run: Callable[[argparse.Namespace], int] = module.run
        arguments: argparse.Namespace = module.parser().parse(words[1:])
        arguments.run = run
        return arguments
    if not command.startswith("-"):
        hint = nearest(command, COMMANDS) or f"; expected one of {', '.join(COMMANDS)}."
        raise UsageError(f"there is no command {command!r}{hint}")
    top.parse(words)
    raise UsageError(f"expected a command before {command}: {', '.join(COMMANDS)}.")
