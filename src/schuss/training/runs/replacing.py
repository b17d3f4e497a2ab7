"""Putting a new run in the place of an old one, so that a kill at any moment loses neither."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from schuss.errors import DataError, UsageError
from schuss.training.runs.lock import lock_folder

__all__ = ["BEGINNING", "begun_folder", "bring_back", "check_free", "remove_leftovers", "replace"]

BEGINNING = ".new-run-"
# In a hidden folder's name between the name of the run that it was and a random word.
_REPLACED = ".replaced-"


def check_free(path: Path, overwrite: bool = False) -> None:
    """Refuse a run folder that is taken, or would lie where none can.

    Raises:
        UsageError: if something is there that may not be replaced.
    """
    bring_back(path)
    if not path.exists() or (path.is_dir() and not any(path.iterdir())):
        return
    is_run = (path / "config.json").is_file()
    if overwrite and is_run:
        with lock_folder(path):
            return
    if is_run:
        raise UsageError(
            f"{path}: there is a run already; give another folder, or resume it with "
            f"schuss resume {shlex.quote(str(path))}"
        )
    raise UsageError(f"{path}: something else is there; give another folder for the run.")


def replace(made: Path, target: Path) -> None:
    """Rename a folder into place; what was there goes away last.

    Raises:
        UsageError: if a process is training what is there.
        DataError: if the folder cannot be written.
    """
    try:
        if not os.path.lexists(target):
            os.rename(made, target)
            return
        word = made.name.removeprefix(BEGINNING)
        old = target.with_name(f".{target.name}{_REPLACED}{word}")
        # The lock stays with the old folder under its new name, so that nobody brings it back.
        with lock_folder(target):
            os.rename(target, old)
            try:
                os.rename(made, target)
            except OSError:
                os.rename(old, target)
                raise
            _remove(old)
    except OSError as error:
        raise DataError(f"{target}: cannot be written ({error.strerror or error}).") from None


def bring_back(path: Path) -> None:
    """Put a run back that was to be replaced by a process which was killed in between."""
    with suppress(OSError, ValueError):
        if os.path.lexists(path):
            return
        for old in _replaced(path.parent):
            if _former_name(old) == path.name:
                with lock_folder(old):
                    os.rename(old, path)
                return


def begun_folder(parent: Path) -> Path:
    """Return a new folder for a run that is being made; what was left of others is removed.

    Args:
        parent: where the run will lie; it is made where it is not there.

    Raises:
        DataError: if nothing can be written there.
    """
    try:
        parent.mkdir(parents=True, exist_ok=True)
        remove_leftovers(parent)
        return Path(tempfile.mkdtemp(prefix=BEGINNING, dir=parent))
    except OSError as error:
        raise DataError(
            f"{parent}: no run can be made there ({error.strerror}); give another folder."
        ) from None


def remove_leftovers(parent: Path) -> None:
    """Bring back or remove what killed processes left beside their runs."""
    for old in _replaced(parent):
        bring_back(parent / _former_name(old))
        # Still there, it was replaced, and only its removal was cut off.
        with suppress(OSError, ValueError), lock_folder(old):
            _remove(old)
    for path in parent.glob(f"{BEGINNING}*"):
        with suppress(OSError):
            if path.lstat().st_mtime < time.time() - 3600.0:
                _remove(path)


def _replaced(parent: Path) -> list[Path]:
    """List the runs that were being replaced, the newest first."""
    found = [p for p in parent.iterdir() if p.name.startswith(".") and _REPLACED in p.name]
    return sorted(found, key=lambda p: p.lstat().st_mtime, reverse=True)


def _former_name(old: Path) -> str:
    return old.name[1:].rpartition(_REPLACED)[0]


def _remove(path: Path) -> None:
    """Remove a folder; of a link, the link alone."""
    if path.is_symlink():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)
