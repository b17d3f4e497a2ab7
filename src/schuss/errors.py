"""The errors that Schuss raises on purpose; anything else that reaches a user is a bug."""

from __future__ import annotations

from schuss.messages import printable

__all__ = [
    "DataError",
    "FileFormatError",
    "GradientError",
    "SchussError",
    "TraceError",
    "UsageError",
]


class SchussError(Exception):
    """Base of Schuss's own errors, whose messages are one line that any terminal can show."""

    def __init__(self, message: object = "", *more: object) -> None:
        # Python's own errors take anything and print nothing where nothing is given; so do these.
        text = printable(message).strip() if isinstance(message, str) else message
        super().__init__(*([text, *more] if text != "" or more else []))


class UsageError(SchussError, ValueError):
    """An argument or a command is wrong; the message says what was expected instead."""


class DataError(SchussError, ValueError):
    """The data cannot be used; one line says what is wrong, where, and what to do."""


class FileFormatError(DataError):
    """A file of Schuss's own is damaged, was altered, or has a newer format."""


class TraceError(SchussError):
    """A function cannot be traced; the message names the user's line and the remedy."""


class GradientError(SchussError):
    """A derivative disagrees with central differences; the message names where and by how much."""
