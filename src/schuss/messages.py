"""What is said to a person: on one line, and harmless where it cannot be shown."""

from __future__ import annotations

import sys
from typing import IO, Any

__all__ = ["SafeStream", "is_terminal", "printable", "say"]


def printable(text: str) -> str:
    r"""Return a text on one line, without characters that a terminal obeys or cannot show.

    Names of files and columns come from anywhere; what is in them must not clear the screen of
    somebody who reads a message.

    >>> printable("two\nlines"), printable("\x1b[2Jgone")
    ('two lines', '\\x1b[2Jgone')
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " if c.isspace() else ascii(c)[1:-1] for c in text)


class SafeStream:
    """A text stream that drops what cannot be written: its reader may have gone.

    Args:
        stream: where to, such as `sys.stderr`; None, as programs without a console have, takes
            nothing.
    """

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text, if that is possible."""
        try:
            if self._stream is not None:
                self._stream.write(text)
        except UnicodeEncodeError as error:
            # A terminal of few letters, such as ASCII or Windows's code pages.
            escaped = text.encode(error.encoding, "backslashreplace").decode(error.encoding)
            self.write(escaped)
        except (OSError, ValueError):  # a closed pipe, terminal or stream
            pass
        return len(text)

    def flush(self) -> None:
        """Hand on what was written, if that is possible."""
        try:
            if self._stream is not None:
                self._stream.flush()
        except (OSError, ValueError):
            pass

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def say(text: str, stream: IO[str] | None = None) -> None:
    """Print lines on standard error, or another stream, if there is one that can be written."""
    lines = "\n".join(map(printable, text.split("\n")))
    print(lines, file=SafeStream(sys.stderr if stream is None else stream), flush=True)


def is_terminal(stream: IO[str] | None) -> bool:
    """Tell whether a stream is a terminal; one that is closed or missing is none."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False
