"""Writing predictions chunk by chunk in the format that the file name asks for, all or nothing."""

from __future__ import annotations

import csv
import errno
import gzip
import io
import json
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from schuss.errors import DataError, UsageError

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Write", "check_output", "open_output"]

#: Takes the columns of a chunk by name: text, numbers, booleans or datetime64.
Columns: TypeAlias = "Mapping[str, npt.NDArray[Any]]"
Write: TypeAlias = Callable[..., None]

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".jsonl", ".jsonl.gz", ".parquet")
# What only writing fails by.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?")


def check_output(target: str) -> str:
    """Return the suffix that decides the format, before any work is done for it.

    Raises:
        UsageError: If the format is not known or the folder is not there.
    """
    if target == "-":
        return ".csv"
    path = Path(target)
    suffix = "".join(path.suffixes[-2:]) if path.suffix.lower() == ".gz" else path.suffix
    if suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"{target}: expected a name that ends in {', '.join(SUFFIXES)}, "
            f"got {suffix or 'none'}; name it so, or use - for standard output."
        )
    if path.is_dir():
        raise UsageError(f"{target}: expected a file, got a folder; name a file inside it.")
    if not path.parent.is_dir():
        raise UsageError(f"{target}: there is no folder {path.parent}; make it first.")
    return suffix.lower()


@contextmanager
def open_output(
    target: str, *, numeric: Collection[str] = (), whole: Mapping[str, str] | None = None
) -> Iterator[Write]:
    """Open a table for writing; it appears under its name when it is complete.

    Args:
        target: A path, or `-` for standard output as CSV.
        numeric: Columns whose text is written as numbers where the format has numbers.
        whole: Columns of whole numbers, which may be text, with Arrow's type of each; it may be
            filled until the first chunk is written.

    Yields:
        A function that writes the next chunk: its columns, and others beside them; every chunk has
        the same ones. JSON lines can have the first as they were, from `originals=`, a line each.

    Raises:
        UsageError: As `check_output`.
    """
    suffix = check_output(target)
    if target == "-":
        with _standard_output() as stream:
            yield _same_columns(target, _delimited(stream, ","))
        return
    path = Path(target)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        opened = temporary.open("wb")
    except OSError as problem:
        raise UsageError(
            f"{target}: cannot be written ({problem.strerror}); give another place."
        ) from None
    try:
        with opened as file:
            with _format(file, suffix, numeric, {} if whole is None else whole) as write:
                # Each line of JSON has columns of its own; the other formats name them at the top.
                yield write if suffix.startswith(".jsonl") else _same_columns(target, write)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()


@contextmanager
def _standard_output() -> Iterator[IO[str]]:
    """Give standard output for a table: in UTF-8, as files are; or as a terminal can show it."""
    stream = sys.stdout
    if isinstance(stream, io.TextIOWrapper):
        if stream.isatty():
            stream.reconfigure(errors="backslashreplace")
        else:
            stream.reconfigure(encoding="utf-8", newline="")
    try:
        yield stream
        stream.flush()
    except OSError as problem:
        if problem.errno in _FULL and problem.filename is None:
            problem.filename = "standard output"
        raise


def _same_columns(target: str, write: Write) -> Write:
    """Refuse a chunk that has other columns than the first: the header is written by then."""
    first: list[str] = []
    rows = 0

    def check(columns: Columns, more: Columns | None = None, *, originals: Any = None) -> None:
        nonlocal rows
        columns = {**columns, **(more or {})}
        first.extend([] if first else columns)
        new = next((name for name in columns if name not in first), None)
        if new is not None:
            raise DataError(
                f"{'standard output' if target == '-' else target}: the column {new!r} appears "
                f"after {rows:,} rows, when the columns are written already; give -o a name that "
                "ends in .jsonl, or name the column in the first row."
            )
        write(columns)
        rows += len(next(iter(columns.values()), ()))

    return check


@contextmanager
def _format(
    file: IO[bytes], suffix: str, numeric: Collection[str], whole: Mapping[str, str]
) -> Iterator[Write]:
    if suffix == ".parquet":
        with _parquet(file, numeric, whole) as write:
            yield write
        return
    packed: Any = (
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0)
        if suffix.endswith(".gz")
        else file
    )
    text = io.TextIOWrapper(packed, encoding="utf-8", newline="", write_through=False)
    try:
        if suffix.startswith(".jsonl"):
            yield _json_lines(text, numeric, whole)
        else:
            yield _delimited(text, "\t" if suffix.startswith(".tsv") else ",")
    finally:
        text.detach()
        if packed is not file:
            packed.close()


class _LineFeeds:
    """Ends each line that is written with a line feed in the place of both line ends."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, line: str) -> int:
        return self._stream.write(line[:-2] + "\n")


def _delimited(stream: IO[str], delimiter: str) -> Write:
    # It quotes the line ends that it writes itself, so it is told of both.
    writer = csv.writer(_LineFeeds(stream), delimiter=delimiter, lineterminator="\r\n")
    begun = False

    def write(columns: Columns) -> None:
        nonlocal begun
        if not begun:
            writer.writerow(columns)
            begun = True
        writer.writerows(zip(*map(_texts, columns.values()), strict=True))

    return write


def _texts(values: npt.NDArray[Any]) -> list[str]:
    """Return the text of each value, the shortest that reads back the same; missing is empty."""
    import numpy as np

    if values.dtype.kind == "f":
        gone = np.isnan(values)
        whole = np.where(gone, 0.0, values)
        # Whole numbers of which some are missing come as floats; they are written as they were.
        if gone.any() and (np.abs(whole) < 2**53).all() and (whole == np.floor(whole)).all():
            whole = whole.astype(np.int64)
        texts = whole.astype(str).tolist()
        return ["" if no else text for text, no in zip(texts, gone.tolist(), strict=True)]
    if values.dtype.kind == "M":
        stamps = np.datetime_as_string(values, unit="auto").tolist() if len(values) else []
        return ["" if value == "NaT" else value for value in stamps]
    plain: list[Any] = values.tolist()
    return plain if values.dtype.kind == "T" else list(map(str, plain))


def _json_lines(stream: IO[str], numeric: Collection[str], whole: Mapping[str, str]) -> Write:
    def write(columns: Columns, more: Columns | None = None, *, originals: Any = None) -> None:
        # A table holds nested values, and yes and no where some are missing, as text.
        begun = None if originals is None else [text[1:-1].strip() for text in originals]
        columns = (more or {}) if begun is not None else {**columns, **(more or {})}
        names = [json.dumps(name, ensure_ascii=False) for name in columns]
        texts = [
            _json_texts(values, name in numeric or name in whole)
            for name, values in columns.items()
        ]
        for number, row in enumerate(zip(*texts, strict=True)):
            pairs = [f"{name}: {value}" for name, value in zip(names, row, strict=True)]
            if begun is not None and begun[number]:
                pairs.insert(0, begun[number])
            stream.write(f"{{{', '.join(pairs)}}}\n")

    return write


def _json_texts(values: npt.NDArray[Any], numeric: bool) -> list[str]:
    """Return each value as JSON; a number in text keeps every digit."""
    if values.dtype.kind == "b":
        return ["true" if value else "false" for value in values.tolist()]
    texts = _texts(values)
    if values.dtype.kind in "fi":
        return [value if _JSON_NUMBER.fullmatch(value) else "null" for value in texts]

    def text(value: str) -> str:
        if numeric and _JSON_NUMBER.fullmatch(value):
            return value
        return json.dumps(value, ensure_ascii=False) if value else "null"

    return list(map(text, texts))


@contextmanager
def _parquet(
    file: IO[bytes], numeric: Collection[str], whole: Mapping[str, str]
) -> Iterator[Write]:
    pyarrow, parquet = _pyarrow()
    writer: Any = None

    def write(columns: Columns) -> None:
        nonlocal writer
        table = pyarrow.table(
            {
                name: _whole(pyarrow, values, whole[name])
                if name in whole
                else _arrow(pyarrow, values, name in numeric)
                for name, values in columns.items()
            }
        )
        if writer is None:
            writer = parquet.ParquetWriter(file, table.schema)
        writer.write_table(_cast(pyarrow, table, writer.schema))

    try:
        yield write
    finally:
        if writer is not None:
            writer.close()


def _cast(pyarrow: Any, table: Any, schema: Any) -> Any:
    """Give a chunk's columns the types of the first chunk's."""
    columns = {}
    for field in schema:
        column = table.column(field.name)
        try:
            columns[field.name] = column.cast(field.type)
        except pyarrow.ArrowInvalid:
            raise DataError(
                f"Parquet: the column {field.name!r} begins with values of type {field.type} and "
                f"goes on with {column.type}, which it cannot hold as well; give -o a name that "
                "ends in .jsonl or .csv."
            ) from None
    return pyarrow.table(columns, schema=schema)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        raise UsageError(
            "Parquet needs pyarrow; install it with: pip install 'schuss[tables]'"
        ) from None
    return pyarrow, parquet


def _whole(pyarrow: Any, values: npt.NDArray[Any], kind: str) -> Any:
    """Return a column of whole numbers; those of which some are missing are text or floats."""
    if values.dtype.kind == "f":
        return pyarrow.array(values, from_pandas=True).cast(kind)
    if values.dtype.kind == "i":
        return pyarrow.array(values).cast(kind)
    return pyarrow.array([int(v) if v else None for v in values.tolist()], kind)


def _arrow(pyarrow: Any, values: npt.NDArray[Any], numeric: bool) -> Any:
    if values.dtype.kind in "biufM":
        return pyarrow.array(values, from_pandas=True)
    if numeric:
        return pyarrow.array([_number(value) for value in values.tolist()], pyarrow.float64())
    return pyarrow.array([value or None for value in values.tolist()], pyarrow.string())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
