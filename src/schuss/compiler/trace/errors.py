"""Errors of a trace, which name the line of the user's that needs a value."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from schuss.errors import TraceError

__all__ = ["refuse", "user_line"]


_PACKAGE = str(Path(__file__).resolve().parents[2])


def user_line() -> str:
    """Return "file:line" of the innermost frame outside of Schuss."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


def refuse(what: str, remedy: str) -> NoReturn:
    """Raise the TraceError that names the user's line."""
    raise TraceError(
        f"compile: {user_line()} needs the value of a tensor ({what}), which is not known while "
        f"tracing; {remedy}."
    )


_VALUE = "use schuss.where for a choice, or leave this out of the compiled function"
