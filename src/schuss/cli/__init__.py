"""The commands: each parses its options, calls the package, and prints what came of it."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Sequence
from importlib import import_module

from schuss.cli.parser import COMMANDS, command_name, parse
from schuss.errors import DataError, SchussError, UsageError

__all__ = ["main"]

BAD_INPUT, FAILURE, INTERRUPTED = 2, 1, 130

# Messages name arguments as Python has them; here they are the command's options.
_OPTIONS = (
    (re.compile(r"^(train|resume|prepare_table|infer_kinds|TargetEncoder|Trainer): "), ""),
    (re.compile(r'task="(\w+)"'), r"--task \1"),
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
        0; 2 for bad usage or data, 1 for a failure while running, 130 after Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    name = f"schuss {words[0]}" if words[:1] and words[0] in COMMANDS else "schuss"
    try:
        command, arguments = parse(words)
        uninterrupted(lambda: import_module("numpy"))
        status = command(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt as stop:
        return _say(name, str(stop) or "stopped by Ctrl-C.", INTERRUPTED)
    except BrokenPipeError:
        # The reader of our output has gone (`| head`): nothing is wrong, and nobody listens.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
    return status


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
    print(f"{name}:", " ".join(message.split()), file=sys.stderr)
    return status
