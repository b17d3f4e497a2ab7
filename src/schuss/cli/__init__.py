"""The commands: each parses its options, calls the package, and prints what came of it."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import IO

from schuss.cli.parser import COMMANDS, command_name, parse
from schuss.errors import DataError, SchussError, UsageError
from schuss.messages import printable, say

__all__ = ["main"]

BAD_INPUT, FAILURE, INTERRUPTED = 2, 1, 130

# Messages name arguments as Python has them; here they are the command's options.
_OPTIONS = (
    (re.compile(r"^(train|resume|prepare_table|infer_kinds|TargetEncoder|Trainer): "), ""),
    (re.compile(r'task="(\w+)"'), r"--task \1"),
    (re.compile(r'\bloss="(\w+)"'), r"--loss \1"),
    (re.compile(r'target_scale="(\w+)"'), r"--target-scale \1"),
    (re.compile(r"kinds=\{'([^']+)': '(\w+)'\}"), r"--kind \1=\2"),
    (re.compile(r"\bkinds=(?=\W)"), "--kind"),
    (re.compile(r"\b(test|validation)_share=(\d)"), r"--\1-share \2"),
    (re.compile(r"^expected the target, the column to predict;"), "expected --target COLUMN;"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        argv: The words after `schuss`; those of this process if left out.

    Returns:
        0; 2 for bad usage or data, 1 for a failure while running; 130 after Ctrl-C, 143 after
        SIGTERM, 129 after SIGHUP.
    """
    _open_standard_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    name = f"schuss {words[0]}" if words[:1] and words[0] in COMMANDS else "schuss"
    try:
        command, arguments = parse(words)
        uninterrupted(lambda: import_module("numpy"))
        if not getattr(arguments, "quiet", True):
            _say_without_cache(name)
        status = command(arguments)
        _flush(sys.stdout)
    except KeyboardInterrupt as stop:
        status = getattr(stop, "code", INTERRUPTED)
        return _say(name, str(stop) or "stopped by Ctrl-C.", status)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing is wrong, and nobody listens.
        return FAILURE
    except (UsageError, DataError) as problem:
        return _say(name, str(problem), BAD_INPUT)
    except SchussError as problem:
        return _say(name, str(problem), FAILURE)
    except OSError as problem:
        place = f": {problem.filename}" if problem.filename else ""
        return _say(name, f"{problem.strerror or problem}{place}", FAILURE)
    except MemoryError:
        return _say(name, "not enough memory; take a smaller --batch-size or fewer rows.", FAILURE)
    except Exception as problem:
        hint = "this is a bug in Schuss; SCHUSS_DEBUG=1 shows where."
        return _say(name, f"{type(problem).__name__}: {problem}; {hint}", FAILURE)
    finally:
        _let_go_of_broken_streams()
    return status


def _open_standard_streams() -> None:
    """Take the places of standard streams that are closed, lest the next files open there."""
    for place in range(3):
        try:
            os.fstat(place)
        except OSError:
            with suppress(OSError):
                os.open(os.devnull, os.O_RDWR)


def _flush(stream: IO[str] | None) -> None:
    if stream is not None:
        stream.flush()


def _let_go_of_broken_streams() -> None:
    """Write to nowhere what nobody can read, since Python would fail over it at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            _flush(stream)
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _say_without_cache(name: str) -> None:
    """Say once why every program will be compiled anew, where that is so."""
    from schuss.native.disk_cache import why_unused

    reason = why_unused()
    if reason is not None:
        say(f"{name}: compiled programs are not kept: {printable(reason)}.")


def uninterrupted(load: Callable[[], object]) -> None:
    """Load something that takes Ctrl-C for a broken installation, as NumPy does; heed it after."""
    pressed: list[int] = []
    try:
        before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    except ValueError:  # not the main thread, which alone is interrupted
        load()
        return
    try:
        load()
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        raise KeyboardInterrupt


def _say(name: str, message: str, status: int) -> int:
    """Print one line on standard error, or the whole traceback when debugging."""
    if os.environ.get("SCHUSS_DEBUG", "0") not in ("", "0"):
        import traceback

        traceback.print_exc()
    for words, option in _OPTIONS:
        message = words.sub(option, message)
    message = message.replace("schuss resume ", f"{command_name()} resume ")
    say(f"{name}: {' '.join(printable(message).split())}")
    return status
