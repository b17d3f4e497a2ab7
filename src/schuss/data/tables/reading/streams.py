"""Opening text files: compression, encoding, and clear errors for what cannot be read."""

from __future__ import annotations

import bz2
import difflib
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from schuss.errors import DataError

__all__ = ["COMPRESSED", "existing_file", "open_text", "zipped_name"]

#: How compressed files begin, and what their names end in.
_COMPRESSIONS = (
    (b"\x1f\x8b", ".gz", "gzip"),
    (b"BZh", ".bz2", "bzip2"),
    (b"\xfd7zXZ", ".xz", "xz"),
    (b"PK\x03\x04", ".zip", "zip"),
)
COMPRESSED = tuple(ending for _, ending, _ in _COMPRESSIONS)
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_MAGIC = (
    (b"PAR1", "a Parquet file", "name it .parquet"),
    (b"ARROW1", "an Arrow file", "name it .feather"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "save the sheet as CSV"),
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


def _compression(path: Path) -> tuple[str, str]:
    """Return the ending and the name of a file's compression; empty where it is not compressed."""
    with path.open("rb") as file:
        head = file.read(8)
    for magic, ending, name in _COMPRESSIONS:
        if head.startswith(magic):
            return ending, name
    for _, ending, name in _COMPRESSIONS:
        if path.suffix.lower() == ending:
            raise DataError(
                f"{path}: expected {name} data, as the name says, got something else; "
                f"compress it again, or take the {ending} from its name."
            )
    return "", ""


def _raw(path: Path) -> IO[bytes]:
    """Open a file for reading what it holds, unpacked."""
    ending, _ = _compression(path)
    if ending == ".zip":
        archive = zipfile.ZipFile(path)
        return archive.open(_member(archive, path))
    openers: dict[str, Any] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
    return cast("IO[bytes]", openers[ending](path, "rb") if ending else path.open("rb"))


def _member(archive: zipfile.ZipFile, path: Path) -> str:
    """Return the name of the one file in a zip."""
    names = [name for name in archive.namelist() if not name.endswith("/")]
    names = [name for name in names if not name.startswith("__MACOSX/")]
    if "[Content_Types].xml" in names:
        raise DataError(
            f"{path}: expected text, got an Excel workbook; name it .xlsx, or save it as CSV."
        )
    if len(names) != 1:
        raise DataError(
            f"{path}: expected one file in the zip, got {len(names)}"
            f"{' (' + ', '.join(names[:3]) + ')' if names else ''}; unpack it."
        )
    return names[0]


def zipped_name(path: Path) -> str:
    """Return the name of the one file in a zip file.

    Raises:
        DataError: If the file is no zip, is damaged, or holds none or several files.
    """
    if _compression(existing_file(path))[0] != ".zip":
        return ""
    try:
        with zipfile.ZipFile(path) as archive:
            return _member(archive, path)
    except zipfile.BadZipFile:
        raise _damaged(path, "zip") from None


def _damaged(path: Path, name: str) -> DataError:
    return DataError(
        f"{path}: the {name} data is cut off or damaged; copy or compress the file again."
    )


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
def open_text(path: Path, encoding: str | None = None) -> Iterator[io.TextIOWrapper]:
    """Open a text file, plain or compressed (gzip, bzip2, xz, zip).

    Line ends are unchanged. What goes wrong while reading becomes a DataError.

    Args:
        path: The file.
        encoding: Its encoding; None takes UTF-8, or UTF-16 with a byte order mark.

    Raises:
        DataError: If the file is missing, empty, binary, damaged, or in another encoding.
    """
    existing_file(path)
    _, packed = _compression(path)
    given, encoding = encoding, encoding or "utf-8"
    try:
        with _raw(path) as raw:
            head = raw.read(64)
        for mark, name in _BOMS:
            if head.startswith(mark) and (given is None or name == "utf-8-sig"):
                encoding = name
        for magic, what, remedy in _MAGIC:
            if head.startswith(magic):
                raise DataError(f"{path}: expected text, got {what}; {remedy}.")
        if not head:
            raise DataError(f"{path}: the file is empty; expected a line of column names and rows.")
        with _raw(path) as raw:
            wide = "".join(encoding.lower().split("-")).replace("_", "").startswith("utf16")
            checked = _Checked(raw, path, wide or "32" in encoding)
            buffered = io.BufferedReader(checked, _BLOCK)
            yield io.TextIOWrapper(buffered, encoding=encoding, newline="")
    except UnicodeError:
        if given is not None:
            where = _wrong_byte(path, encoding)
            raise DataError(f"{path}, {where} is not {given}; give another encoding.") from None
        if encoding == "utf-16":
            raise DataError(
                f"{path}: the UTF-16 text is cut off or damaged; save the file as UTF-8."
            ) from None
        raise DataError(
            f"{path}, {_wrong_byte(path, encoding)} is not UTF-8; save the file as UTF-8, or say "
            "what it is in, such as encoding latin-1 or windows-1252 (--encoding)."
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile):
        raise _damaged(path, packed) from None
    except OSError as error:
        if packed != "bzip2" or error.errno is not None:
            raise
        raise _damaged(path, packed) from None
    except (RuntimeError, NotImplementedError) as error:
        if packed != "zip" or isinstance(error, RecursionError):
            raise
        raise DataError(f"{path}: the zip cannot be read ({error}); unpack it.") from None
