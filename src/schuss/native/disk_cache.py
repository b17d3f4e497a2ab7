"""The cache of object files and artifacts on disk.

It never does harm: a file counts only if its digest is right and nobody but this user (or root)
can have written it, it appears under its name only when it is complete, and where nothing can be
written nothing is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

__all__ = ["cache_folder", "name_of", "read", "why_unused", "write"]

_MAGIC = b"schuss-object-2\n"
_HEAD = len(_MAGIC) + 32
# Object files and artifacts; more bytes of them are not kept, which is looked at now and then.
_OURS = (".o", ".json")
_MOST_BYTES, _WRITES_BETWEEN = 512 << 20, 50
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class _NotOursError(OSError):
    """Somebody else can write the cache, whose machine code would run here."""


def cache_folder() -> Path | None:
    """Return the folder of the cache: SCHUSS_CACHE, or `schuss` in the user's cache folder.

    None where the user has no folder: in containers and services that run under a mere number.
    """
    chosen = os.environ.get("SCHUSS_CACHE")
    if chosen:
        return Path(chosen)
    base = Path(os.environ.get("XDG_CACHE_HOME") or "")
    if not base.is_absolute():
        try:
            base = Path.home() / ".cache"
        except RuntimeError:
            return None
    return base / "schuss" / "programs" if base.is_absolute() else None


def why_unused() -> str | None:
    """Return why programs are not kept on disk, for a person; None where they are."""
    folder = cache_folder()
    if folder is None:
        return "there is no home folder; SCHUSS_CACHE can name a folder"
    try:
        with _opened(folder):
            return None
    except _NotOursError as error:
        return f"{error}; SCHUSS_CACHE can name another folder"
    except OSError:
        return None


def name_of(*parts: str) -> str:
    """Return the name of what these texts decide."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def read(name: str) -> bytes | None:
    """Return what was written under a name; None if it is not there, or damaged."""
    folder = cache_folder()
    if folder is None:
        return None
    try:
        with _opened(folder) as handle:
            raw = _content(folder, name, handle)
    except OSError:
        return None
    if not raw.startswith(_MAGIC) or _digest(raw[_HEAD:]) != raw[len(_MAGIC) : _HEAD]:
        return None
    return raw[_HEAD:]


def write(name: str, content: bytes) -> None:
    """Keep `content` under a name, if that is possible."""
    folder = cache_folder()
    if folder is None:
        return
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _opened(folder):
            handle, part = tempfile.mkstemp(dir=folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + _digest(content) + content)
            os.replace(part, folder / name)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(part)
        global _writes
        if _writes % _WRITES_BETWEEN == 0:
            _prune(folder)
        _writes += 1


_writes = 0


def _prune(folder: Path) -> None:
    """Remove what was not used for longest where there is too much of it."""
    there = sum(size for _, _, size in _files(folder))
    if there <= _MOST_BYTES:
        return
    for _, name, size in sorted(_files(folder)):
        if there <= _MOST_BYTES:
            break
        with contextlib.suppress(OSError):
            os.unlink(folder / name)
            there -= size


def _files(folder: Path) -> Iterator[tuple[float, str, int]]:
    """Yield the time, name and size of each file: there may be tens of thousands."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_OURS):
                with contextlib.suppress(OSError):
                    found = entry.stat(follow_symlinks=False)
                    yield found.st_mtime, entry.name, found.st_size


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int | None]:
    """Open the folder, and refuse one that others may write to; None where users are not known."""
    if not hasattr(os, "getuid"):
        yield None
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _refuse_others(os.fstat(handle), folder)
        yield handle
    finally:
        os.close(handle)


def _content(folder: Path, name: str, handle: int | None) -> bytes:
    if handle is None:
        return (folder / name).read_bytes()
    # By the folder that was looked at, whatever is under its name by now; a pipe does not block.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(name, flags, dir_fd=handle), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise _NotOursError(f"{folder / name} is no file")
        _refuse_others(found, folder / name)
        with contextlib.suppress(OSError):
            # What is used stays longest.
            os.utime(file.fileno())
        return file.read()


def _refuse_others(found: os.stat_result, path: Path) -> None:
    if found.st_uid not in (0, os.geteuid()):
        raise _NotOursError(f"{path} belongs to another user")
    if found.st_mode & _OTHERS_WRITE:
        raise _NotOursError(f"others may write to {path}")


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
