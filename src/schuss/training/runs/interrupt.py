"""Ctrl-C, SIGTERM and SIGHUP: the step at hand is finished and saved, then training stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["Interrupted", "StopRequest", "Terminated", "catch_interrupts"]

# What stops a program and may be waited for: a key, `kill` (batch systems, containers), and the
# end of the terminal. Windows has no SIGHUP.
_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


class Interrupted(KeyboardInterrupt):
    """Training was stopped by Ctrl-C; what has been learned is saved if there is a run folder.

    Args:
        message: one line that says where it stopped and how to go on.
        folder: the run's folder, or None.
    """

    def __init__(self, message: str, folder: Path | None = None) -> None:
        super().__init__(message)
        self.folder = folder


class Terminated(Interrupted, SystemExit):
    """Training was stopped by SIGTERM or SIGHUP, and saved; the program is to end, too.

    Uncaught, it ends the program with the exit status that a shell gives for the signal.

    Args:
        message: one line that says where it stopped and how to go on.
        folder: the run's folder, or None.
        number: the signal's.
    """

    def __init__(self, message: str, folder: Path | None, number: int) -> None:
        super().__init__(message, folder)
        self.code = 128 + number


class StopRequest:
    """Which signal asked to stop, or None."""

    number: int | None = None

    @property
    def made(self) -> bool:
        """Whether one did."""
        return self.number is not None

    def error(self, message: str, folder: Path | None = None) -> Interrupted:
        """Return what to raise once all is saved."""
        if self.number in (None, signal.SIGINT):
            return Interrupted(message, folder)
        assert self.number is not None
        return Terminated(message, folder, self.number)


@contextmanager
def catch_interrupts() -> Iterator[StopRequest]:
    """Note the first signal that asks to stop; a second one does what it does elsewhere.

    Outside of the main thread, or where the caller handles (or ignores) a signal in its own way,
    nothing changes.
    """
    request = StopRequest()
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def note(number: int, frame: object) -> None:
        request.number = number
        restore()

    if threading.current_thread() is threading.main_thread():
        for name in _SIGNALS:
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) in (
                signal.default_int_handler,
                signal.SIG_DFL,
            ):
                before[number] = signal.signal(number, note)
    try:
        yield request
    finally:
        restore()
