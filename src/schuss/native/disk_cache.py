"""The cache of object files and artifacts on disk.

It never does harm: a file counts only if its digest is right, it appears under its name only when
it is complete, and where nothing can be written nothing is.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

__all__ = ["cache_folder", "name_of", "read", "write"]

_MAGIC = b"schuss-object-2\n"
_HEAD = len(_MAGIC) + 32


def cache_folder() -> Path:
    """Return the folder of the cache: SCHUSS_CACHE, or `schuss` in the user's cache folder."""
    chosen = os.environ.get("SCHUSS_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "schuss" / "programs"


def name_of(*parts: str) -> str:
    """Return the name of what these texts decide."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def read(name: str) -> bytes | None:
    """Return what was written under a name; None if it is not there, or damaged."""
    try:
        raw = (cache_folder() / name).read_bytes()
    except OSError:
        return None
    if not raw.startswith(_MAGIC) or _digest(raw[_HEAD:]) != raw[len(_MAGIC) : _HEAD]:
        return None
    return raw[_HEAD:]


def write(name: str, content: bytes) -> None:
    """Keep `content` under a name, if that is possible."""
    folder = cache_folder()
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(dir=folder, suffix=".part")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + _digest(content) + content)
            os.replace(part, folder / name)
        except OSError:
            with contextlib.suppress(OSError):
                os.unlink(part)


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()
