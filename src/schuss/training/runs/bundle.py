"""Bundles: tensors with a description in one safetensors file, with a version and a kind."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from schuss.core import Array, Tensor
from schuss.errors import FileFormatError, SchussError
from schuss.nn.serialization import read_safetensors, save_safetensors
from schuss.version import __version__

__all__ = [
    "FORMAT_VERSION",
    "Json",
    "NewerFormatError",
    "check_version",
    "is_bundle",
    "parse_object",
    "read_bundle",
    "well_formed",
    "write_bundle",
]

FORMAT_VERSION = 1
_HEADER = "schuss"

Json = dict[str, Any]


class NewerFormatError(FileFormatError):
    """The file was written by a newer Schuss."""


def check_version(path: Path, version: object) -> None:
    """Refuse a file of a newer format.

    Raises:
        FileFormatError: if the version is newer than this Schuss knows, or no version at all.
    """
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise FileFormatError(f"{path}: expected a format version, got {version!r}; not of Schuss.")
    if version > FORMAT_VERSION:
        raise NewerFormatError(
            f"{path}: has format {version}, this Schuss ({__version__}) knows up to "
            f"{FORMAT_VERSION}; update Schuss."
        )


def parse_object(text: str | bytes) -> Json:
    """Return the object that a JSON text holds.

    Raises:
        ValueError: if it is no JSON, or something else than an object.
    """
    try:
        found = json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(found, dict):
        raise ValueError(f"expected an object, got {type(found).__name__}")
    return found


@contextmanager
def well_formed(place: object) -> Iterator[None]:
    """Say that a description is damaged where what is read from it fails.

    A checksum tells that a file is as it was written, and not that it was written by this version
    or in good faith.

    Raises:
        FileFormatError: in place of what Python raises on values of the wrong type or range.
    """

    def refuse(error: Exception) -> NoReturn:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        name = "" if isinstance(error, SchussError) else f"{type(error).__name__}: "
        said = f"{name}{'; '.join(lines)}"[:300]
        raise FileFormatError(f"{place}: its description is damaged ({said}).") from None

    try:
        yield
    except FileFormatError as error:
        if str(place) in str(error):
            raise
        raise type(error)(f"{place}: {error}") from None
    except (ArithmeticError, AssertionError, AttributeError, LookupError) as error:
        refuse(error)
    except (MemoryError, RecursionError, SchussError, TypeError, ValueError) as error:
        refuse(error)


def write_bundle(
    path: Path, tensors: Mapping[str, Tensor], kind: str, header: Mapping[str, Any]
) -> None:
    """Write tensors with a description into one safetensors file, all or nothing."""
    # A scheduler's state may hold an infinity, which Python's JSON reads back.
    text = json.dumps({"format": FORMAT_VERSION, "kind": kind, **header})
    save_safetensors(tensors, path, {_HEADER: text})


def is_bundle(path: Path) -> bool:
    """Return whether a file may be one of ours: it says so, or does not say what it is."""
    import safetensors

    try:
        if zipfile.is_zipfile(path):
            return False
        with safetensors.safe_open(path, framework="np") as stored:
            return _HEADER in (stored.metadata() or {})
    except (safetensors.SafetensorError, OSError):
        return True


def read_bundle(path: Path, kind: str) -> tuple[dict[str, Array], Json]:
    """Return tensors and description of a file that `write_bundle` wrote.

    Raises:
        DataError: if there is no such file.
        FileFormatError: if it is damaged, altered, newer, or of another kind.
    """
    arrays, metadata = read_safetensors(path)
    text = metadata.get(_HEADER)
    if text is None:
        raise FileFormatError(
            f"{path}: a file of tensors, but not written by Schuss's training; give a run folder "
            "or what run.save wrote."
        )
    try:
        header = parse_object(text)
    except ValueError:
        raise FileFormatError(f"{path}: its description is damaged; take another copy.") from None
    check_version(path, header.get("format"))
    if header.get("kind") != kind:
        raise FileFormatError(f"{path}: expected a {kind}, got a {header.get('kind')}.")
    return arrays, header
