"""The lock on a run folder: one process at a time trains in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schuss.errors import DataError, UsageError

__all__ = ["lock_folder"]


@contextmanager
def lock_folder(folder: Path) -> Iterator[None]:
    """Keep a folder for this process; the system lets go of it however the process ends.

    Args:
        folder: an existing folder.

    Raises:
        UsageError: if another process holds it.
        DataError: if it is gone, or may not be read.
    """
    try:
        import fcntl
    except ImportError:  # Windows has no such lock on a folder.
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise DataError(f"{folder}: cannot be opened ({error.strerror or error}).") from None
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{folder}: another process is training this run; wait for it, or stop it first."
            ) from None
        except OSError:
            # Some network file systems know no locks; the run goes on without.
            pass
        yield
    finally:
        os.close(handle)
