"""Opening text files: compression, encoding, and clear errors for what cannot be read."""

from __future__ import annotations

import difflib
import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from schuss.errors import DataError

__all__ = ["existing_file", "open_text"]

_GZIP = b"\x1f\x8b"
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_MAGIC = (
    (b"PAR1", "a Parquet file", "name it .parquet"),
    (b"ARROW1", "an Arrow file", "name it .feather"),
    (b"PK\x03\x04", "a zip file or an Excel workbook", "unpack it, or save the sheet as CSV"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
    (b"BZh", "compressed with bzip2", "unpack it, or compress it with gzip"),
    (b"\xfd7zXZ", "compressed with xz", "unpack it, or compress it with gzip"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "unpack it, or compress it with gzip"),
    (b"%PDF", "a PDF document", "save the table as CSV"),
    (b"SQLite format 3", "an SQLite database", "export the table as CSV"),
)
_BLOCK = 1 << 20


def existing_file(path: Path) -> Path:
    """Check that there is a file to read, and return its path.

    Raises:
        DataError: If it does not exist (with the nearest name in its folder), is a folder, cannot
            be read, or is empty.
    """
    try:
        is_folder, there = path.is_dir(), path.exists()
    except OSError:  # a name that is too long, say
        is_folder = there = False
    if is_folder:
        raise DataError(f"{path}: expected a file, got a folder; name the file inside it.")
    if not there:
        raise DataError(f"{path}: there is no such file; {_nearby(path)}")
    if not path.is_file():
        raise DataError(f"{path}: expected a file, got something else; copy it to a file first.")
    try:
        with path.open("rb") as file:
            head = file.read(1)
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise DataError(f"{path}: {reason}; check the file and its permissions.") from None
    if not head:
        raise DataError(f"{path}: the file is empty; expected a line of column names and rows.")
    return path


def _nearby(path: Path) -> str:
    folder = path.parent
    try:
        if not folder.is_dir():
            return f"nor is there a folder {folder}; check the path."
        names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    except OSError:
        return "check the path."
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.6)
    if not near:
        near = [name for name in names if name.split(".")[0] == path.name.split(".")[0]][:3]
    if near:
        return f"did you mean {' or '.join(repr(name) for name in near)}?"
    return "check the path."


class _Checked(io.RawIOBase):
    """Bytes of a file that are checked for being text as they pass."""

    def __init__(self, raw: IO[bytes], path: Path, wide: bool) -> None:
        self._raw = raw
        self._path = path
        self._wide = wide
        self._passed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer))
        data = self._raw.read(len(view))
        if not self._wide and b"\0" in data:
            at = self._passed + data.index(b"\0")
            raise DataError(
                f"{self._path}: expected text, got a binary file (a zero byte at byte {at + 1:,}); "
                "save the table as CSV in UTF-8."
            )
        self._passed += len(data)
        view[: len(data)] = data
        return len(data)


def _raw(path: Path) -> IO[bytes]:
    with path.open("rb") as file:
        head = file.read(2)
    if head == _GZIP:
        return cast("IO[bytes]", gzip.open(path, "rb"))
    if path.suffix.lower() == ".gz":
        raise DataError(
            f"{path}: expected gzip data, as the name says, got something else; "
            "compress it again, or take the .gz from its name."
        )
    return path.open("rb")


def _wrong_byte(path: Path, encoding: str) -> str:
    """Find where a file stops being text of this encoding; a second pass, only after an error."""
    line = 1
    with _raw(path) as file:
        for content in file:
            try:
                content.decode(encoding)
            except UnicodeDecodeError as error:
                byte = content[error.start]
                return f"line {line}: byte 0x{byte:02x} (byte {error.start + 1} of the line)"
            line += 1
    return f"line {line}: the end of the file"


@contextmanager
def open_text(path: Path) -> Iterator[io.TextIOWrapper]:
    """Open a text file, plain or gzip, in UTF-8 or UTF-16 with a byte order mark.

    Line ends are unchanged. What goes wrong while reading becomes a DataError.

    Raises:
        DataError: If the file is missing, empty, binary, damaged, or in another encoding.
    """
    existing_file(path)
    encoding = "utf-8"
    try:
        with _raw(path) as raw:
            head = raw.read(64)
        for mark, name in _BOMS:
            if head.startswith(mark):
                encoding = name
        for magic, what, remedy in _MAGIC:
            if head.startswith(magic):
                raise DataError(f"{path}: expected text, got {what}; {remedy}.")
        if not head:
            raise DataError(f"{path}: the file is empty; expected a line of column names and rows.")
        with _raw(path) as raw:
            checked = _Checked(raw, path, encoding == "utf-16")
            buffered = io.BufferedReader(checked, _BLOCK)
            yield io.TextIOWrapper(buffered, encoding=encoding, newline="")
    except UnicodeError:
        if encoding == "utf-16":
            raise DataError(
                f"{path}: the UTF-16 text is cut off or damaged; save the file as UTF-8."
            ) from None
        raise DataError(
            f"{path}, {_wrong_byte(path, encoding)} is not UTF-8; save the file as UTF-8 "
            "(it may be in Windows-1252 or Latin-1 now)."
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(
            f"{path}: the gzip data is cut off or damaged; copy or compress the file again."
        ) from None
