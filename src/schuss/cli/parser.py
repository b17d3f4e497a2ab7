"""The command-line parser; loads nothing that computes, so that `--help` is instant."""

from __future__ import annotations

import argparse
import difflib
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from typing import NoReturn, TypeAlias

from schuss.errors import UsageError
from schuss.version import __version__

__all__ = ["COMMANDS", "CommandParser", "command_name", "nearest", "parse"]

Command: TypeAlias = Callable[[argparse.Namespace], int]

COMMANDS = {
    "train": "train a network on a table, and say how good it is",
    "predict": "write a run's predictions beside the columns of a table",
    "evaluate": "measure a run on rows with the answer",
    "resume": "go on with a run that was stopped",
    "diagnose": "say where a run's descent stands, and what is broken in its network",
    "find-lr": "show which learning rates are too small, right and too big",
    "doctor": "show versions, processor and threads, and test that all is well",
}

_LIST = "\n".join(f"  {name:<10}{what}" for name, what in COMMANDS.items())
DESCRIPTION = "Train neural networks by backpropagation and gradient descent."
EXAMPLES = f"""\
commands:
{_LIST}

examples:
  schuss train iris                                 a bundled data set
  schuss train people.csv --target income           a table of your own
  schuss predict runs/people-1 new.csv -o out.csv   classes and probabilities for new rows
  schuss evaluate runs/people-1 test.csv            how good it is on rows with the answer
  schuss resume runs/people-1                       go on with a run that was stopped
  schuss diagnose runs/people-1                     minimum, saddle or plateau, and what is broken
  schuss find-lr people.csv --target income         which learning rates are right

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
            if problem.argument_name is None:
                self.error(problem.message)
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
        self.error(f"expected no further word, got {word!r} (lists take commas: a,b)")


def command_name() -> str:
    """Return what the user types for `schuss`, to show commands that can be typed again."""
    found = shutil.which("schuss")
    typed = sys.argv[0]
    if os.path.basename(typed) == "__main__.py":
        return "python -m schuss"
    same = found is not None and os.path.realpath(found) == os.path.realpath(typed)
    return "schuss" if same or os.path.basename(typed) != "schuss" else typed


def parse(words: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    """Return a command's function and the arguments to call it with."""
    command = words[0] if words else ""
    if command in COMMANDS:
        module = import_module(f"schuss.cli.{command.replace('-', '_')}")
        return module.run, module.parser().parse(words[1:])
    one_of = f"expected one of {', '.join(COMMANDS)}."
    if command and not command.startswith("-"):
        raise UsageError(f"no command {command!r}{nearest(command, COMMANDS) or f'; {one_of}'}")
    top = CommandParser("schuss", "COMMAND ...", DESCRIPTION, EXAMPLES)
    top.add_argument("--version", action="version", version=f"schuss {__version__}")
    top.add_argument("command", help=argparse.SUPPRESS)
    if not words:
        top.print_help(sys.stderr)
        raise UsageError(f"no command given; {one_of}")
    top.parse(words)
    raise UsageError(f"{command} comes before a command; {one_of}")
