"""Sources: the files of a folder, an archive or a list, by name, with their labels."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import tarfile
import tempfile
import threading
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any

from schuss.errors import DataError

__all__ = ["ARCHIVES", "ArchiveSource", "FolderSource", "LeftOut", "Source", "is_archive"]

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
# A file larger than this is no single example.
_MOST_BYTES = 1 << 30
# What a compressed archive may hold, in times of its own length, and in bytes in any case.
_MOST_TIMES, _FREELY = 200, 1 << 28
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError)


@dataclass(frozen=True)
class LeftOut:
    """A file that is not used.

    Args:
        name: its name in the source.
        why: a phrase.
    """

    name: str
    why: str


def is_archive(path: Path) -> bool:
    """Tell whether a file's name is that of an archive which can be read."""
    return path.name.lower().endswith(ARCHIVES)


@dataclass
class Source(ABC):
    """Where files come from.

    Args:
        path: the folder or archive.
        names: of the files in it, with slashes, in an order that does not change.
        left_out: files that cannot be used.
    """

    path: Path
    names: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)

    @abstractmethod
    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises:
            DataError: if it cannot be read.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of what is open."""


class FolderSource(Source):
    """The files below a folder, without hidden ones, and without those that links lead out to."""

    @classmethod
    def find(cls, path: Path, suffixes: Sequence[str]) -> FolderSource:
        """Find all files with one of these suffixes, in lower case, in the order of their names."""
        found = cls(path)
        try:
            root = os.path.realpath(path)
            unreadable: list[str] = []
            for entry in _walk(str(path), unreadable):
                name = PurePosixPath(Path(os.path.relpath(entry.path, path)).as_posix())
                wanted = name.suffix.lower() in suffixes
                if entry.is_symlink():
                    target = os.path.realpath(entry.path)
                    inside = os.path.commonpath([root, target]) == root
                    if not inside and (wanted or os.path.isdir(target)):
                        why = "a link that leads out of the folder"
                        found.left_out.append(LeftOut(str(name), why))
                        continue
                    wanted = wanted and os.path.isfile(target)
                if wanted:
                    found.names.append(str(name))
            for folder in unreadable:
                place = Path(os.path.relpath(folder, path)).as_posix()
                found.left_out.append(LeftOut(place, "a folder that cannot be read"))
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror or error}).") from None
        return found

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        try:
            with open(self.path / name, "rb") as file:
                return _limited(file)
        except OSError as error:
            raise DataError(f"{error.strerror or error}") from None

    def close(self) -> None:
        """Do nothing: each file is open only while it is read."""


def _walk(root: str, unreadable: list[str]) -> Iterator[os.DirEntry[str]]:
    """Yield files, and links to anything, below a folder, sorted; hidden ones are left out.

    Args:
        root: the folder.
        unreadable: takes the folders in it that cannot be read.
    """
    with os.scandir(root) as listing:
        entries = sorted(listing, key=lambda entry: entry.name)
    for entry in entries:
        if entry.name.startswith(".") or entry.name == "__MACOSX":
            continue
        if not entry.is_dir(follow_symlinks=False):
            yield entry
            continue
        try:
            yield from _walk(entry.path, unreadable)
        except OSError:
            unreadable.append(entry.path)


def _limited(file: IO[bytes]) -> bytes:
    content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise DataError("larger than a gigabyte")
    return content


class ArchiveSource(Source):
    """The files in a .zip or .tar; nothing is written to where their names say."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._opened: zipfile.ZipFile | tarfile.TarFile | None = None
        self._file: IO[bytes] | None = None
        self._members: dict[str, Any] = {}
        self._lock = threading.Lock()

    @classmethod
    def find(cls, path: Path, suffixes: Sequence[str]) -> ArchiveSource:
        """Find all files with one of these suffixes, in lower case, in the order of their names.

        Raises:
            DataError: if the archive cannot be read.
        """
        found = cls(path)
        listed: dict[str, Any] = {}
        try:
            if path.name.lower().endswith(".zip"):
                zipped = zipfile.ZipFile(path)
                listed = {i.filename: i for i in zipped.infolist() if not i.is_dir()}
                found._opened = zipped
            else:
                found._file = _plain(path)
                tarred = tarfile.open(fileobj=found._file, mode="r:")  # noqa: SIM115
                listed = {m.name: m for m in tarred.getmembers() if m.isfile()}
                found._opened = tarred
        except (OSError, EOFError, ValueError, zlib.error, *_DAMAGED) as error:
            found.close()
            raise DataError(f"{path}: cannot be read as an archive ({error}).") from None
        for name in sorted(listed):
            parts = PurePosixPath(name).parts
            hidden = any(part.startswith(".") or part == "__MACOSX" for part in parts)
            if not hidden and PurePosixPath(name).suffix.lower() in suffixes:
                found.names.append(name)
                found._members[name] = listed[name]
        found._drop_common_folder()
        return found

    def _drop_common_folder(self) -> None:
        """Leave out the folder that an archive of one folder begins each name with."""
        tops = {name.split("/", 1)[0] for name in self.names}
        deep = all(name.count("/") >= 2 for name in self.names)
        if len(tops) == 1 and (deep or f"{min(tops)}/labels.csv" in self.names):
            self._members = {n.split("/", 1)[1]: m for n, m in self._members.items()}
            self.names = list(self._members)

    def read(self, name: str) -> bytes:
        """Return a file's content."""
        member = self._members[name]
        try:
            with self._lock:
                archive = self._opened
                opened: IO[bytes] | None = None
                if isinstance(archive, zipfile.ZipFile):
                    opened = archive.open(member)
                elif archive is not None:
                    opened = archive.extractfile(member)
                if opened is None:
                    raise DataError("the archive is closed")
                with opened:
                    return _limited(opened)
        except (OSError, EOFError, ValueError, RuntimeError) as error:
            raise DataError(f"{error}") from None
        except (*_DAMAGED, zlib.error, NotImplementedError) as error:
            raise DataError(f"damaged in the archive ({error})") from None

    def close(self) -> None:
        """Close the archive."""
        for opened in (self._opened, self._file):
            if opened is not None:
                opened.close()


def _plain(path: Path) -> IO[bytes]:
    """Return a tar file uncompressed, since only such a one can be read at any place."""
    file = path.open("rb")
    if path.suffix.lower() == ".tar":
        return file
    start = file.read(6)
    file.seek(0)
    reader: Any = gzip.GzipFile(fileobj=file)
    if start.startswith(b"BZh"):
        reader = bz2.BZ2File(file)
    elif start.startswith(b"\xfd7zXZ"):
        reader = lzma.LZMAFile(file)  # noqa: SIM115
    whole = tempfile.TemporaryFile()  # noqa: SIM115
    try:
        most = max(_MOST_TIMES * path.stat().st_size, _FREELY)
        with file, reader:
            while part := reader.read(1 << 20):
                if whole.tell() + len(part) > most:
                    raise ValueError(f"more than {_MOST_TIMES} times as large uncompressed")
                whole.write(part)
        whole.seek(0)
    except BaseException:
        whole.close()
        raise
    return whole
