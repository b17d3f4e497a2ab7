"""Errors of a trace, which name the line of the user's that needs a value."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from schuss.errors import TraceError

__all__ = ["SideEffectError", "depends_on_values", "refuse", "user_line"]


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


def refuse_argument(owner: str) -> NoReturn:
    """Raise for a change in place of an argument, which the caller would not see."""
    raise TraceError(
        f"{owner}: {user_line()} changes an argument of a compiled function in place, which the "
        "caller would not see; change a clone() and return it."
    )


def refuse_recorded(shape: tuple[int, ...]) -> NoReturn:
    """Raise for what takes part in differentiation in a tensor that lives on after the trace."""
    raise TraceError(
        f"compile: a tensor of shape {shape} from outside of the function is given contents that "
        "take part in differentiation, which would be lost after it; write value.detach()."
    )


def depends_on_values() -> str:
    """Return why a shape that depends on values is refused, with the user's line."""
    return (
        f"compile: {user_line()} indexes with a boolean mask (or asks for nonzero), and the "
        "shape of the result would depend on values; use schuss.where to keep the shape, or "
        "leave this out of the compiled function."
    )


class SideEffectError(TraceError):
    """A traced function changes something in Python, which its program would not do again.

    Args:
        name: of what it changes.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(
            f"compile: the function changes {name} each time it is called, which a program would "
            "not do again; keep it in a tensor (a buffer of a module), draw with schuss.rand, or "
            "leave it out of the compiled function."
        )
