"""Ctrl-C: the step at hand is finished and a checkpoint saved, then training stops."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Interrupted", "StopRequest", "catch_interrupts"]


class Interrupted(KeyboardInterrupt):
    """Training was stopped by Ctrl-C; what has been learned is saved if there is a run folder.

    Args:
        message: one line that says where it stopped and how to go on.
        folder: the run's folder, or None.
    """

    def __init__(self, message: str, folder: Path | None = None) -> None:
        super().__init__(message)
        self.folder = folder


class StopRequest:
    """Whether Ctrl-C was pressed."""

    made = False


@contextmanager
def catch_interrupts() -> Iterator[StopRequest]:
    """Note the first Ctrl-C instead of raising; a second one raises at once.

    Outside of the main thread, or where the caller handles SIGINT in its own way, nothing changes.
    """
    request = StopRequest()
    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT) if main else None
    if before is not signal.default_int_handler:
        yield request
        return

    def note(number: int, frame: object) -> None:
        request.made = True
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, note)
    try:
        yield request
    finally:
        signal.signal(signal.SIGINT, before)
