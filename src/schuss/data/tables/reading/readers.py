"""read_table and iter_table: tables from files, frames and arrays; whole, or chunk by chunk."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from schuss.data.tables.reading import frames
from schuss.data.tables.reading.concatenate import concatenate
from schuss.data.tables.reading.delimited import iter_delimited
from schuss.data.tables.reading.excel import iter_excel
from schuss.data.tables.reading.gather import TextNeededError, gather
from schuss.data.tables.reading.jsonlines import iter_json_lines, table_of_records
from schuss.data.tables.reading.options import ReadOptions, read_options
from schuss.data.tables.reading.streams import COMPRESSED, existing_file, open_text, zipped_name
from schuss.data.tables.table import Table
from schuss.errors import DataError

__all__ = ["BUNDLED", "iter_table", "read_table"]


#: Data sets that come with Schuss, by name: their file and the column to predict.
BUNDLED = {"iris": ("iris.csv", "species")}

_TEXT = {".csv": None, ".txt": None, ".data": None, ".tsv": "\t", ".tab": "\t", ".psv": "|"}
_JSON = (".jsonl", ".ndjson", ".json")
_ARROW = (".parquet", ".pq", ".feather", ".arrow")
_EXCEL = (".xlsx", ".xlsm")
_CHUNK = 50_000
_STDIN = "standard input"


def _bundled(source: str) -> Path | None:
    """Return the file of a bundled data set; `./iris` is a file of the user's own."""
    if source not in BUNDLED:
        return None
    return Path(__file__).parents[2] / "bundled" / BUNDLED[source][0]


def _suffix(path: Path) -> str:
    """Return the ending that tells the format: that of what is compressed, where it is."""
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] in COMPRESSED:
        packed = suffixes.pop()
        if packed == ".zip" and (not suffixes or suffixes[-1] not in (*_TEXT, *_JSON)):
            suffixes = [s.lower() for s in Path(zipped_name(path)).suffixes]
    return suffixes[-1] if suffixes else ""


def _iter_file(path: Path, rows: int, options: ReadOptions) -> Iterator[Table]:
    if re.match(r"(?:https?|ftp|s3|gs):/", str(path)):
        address = str(path).replace(":/", "://", 1)  # a path has one slash
        raise DataError(f"{address}: expected a file, got an address; download it first.")
    suffix = _suffix(path)
    if suffix in _ARROW:
        return frames.iter_arrow_file(path, rows=rows)
    if suffix in _EXCEL:
        return iter_excel(path, options, rows=rows)
    if suffix in _JSON:
        return iter_json_lines(path, options, rows=rows)
    if suffix not in _TEXT:
        existing_file(path)
        raise DataError(
            f"{path}: expected a table in a .csv, .tsv, .jsonl, .parquet, .feather or .xlsx file, "
            f"got {suffix or 'a name without an ending'}; save it as one of these."
        )
    return iter_delimited(path, replace(options, sep=options.sep or _TEXT[suffix]))


@contextmanager
def _opened(source: str, options: ReadOptions) -> Iterator[Callable[[int], Iterator[Table]]]:
    """Give what reads a file in blocks of so many rows, as often as it is called.

    Standard input goes into a file first, whose name never shows.
    """
    if source != "-":
        path = _bundled(source) or Path(source).expanduser()
        yield lambda rows: _iter_file(path, rows, options)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _STDIN
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
        try:
            path = path.rename(path.with_suffix(_format(path, options)))
            yield lambda rows: _as_standard_input(_iter_file(path, rows, options), path)
        except DataError as error:
            raise DataError(_unnamed(str(error), path)) from None


def _format(path: Path, options: ReadOptions) -> str:
    """Return the ending that a file's first bytes deserve."""
    with path.open("rb") as file:
        head = file.read(6)
    if head[:4] == b"PAR1" or head == b"ARROW1":
        return ".parquet" if head[:4] == b"PAR1" else ".feather"
    if head[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(path) as archive:
            if "[Content_Types].xml" in archive.namelist():
                return ".xlsx"
    with open_text(path, options.encoding) as stream:
        begin = stream.read(_CHUNK).lstrip()[:1]
    return ".json" if begin in ("{", "[") else ".csv"


def _as_standard_input(blocks: Iterator[Table], path: Path) -> Iterator[Table]:
    for table in blocks:
        table.source = _STDIN
        table.notes = [_unnamed(note, path) for note in table.notes]
        yield table


def _unnamed(text: str, path: Path) -> str:
    return text.replace(str(path), _STDIN).replace(str(path.with_suffix("")), _STDIN)


def _module(source: object) -> str:
    return type(source).__module__.split(".")[0]


def _is_rows(source: object) -> bool:
    return isinstance(source, list) and bool(source) and all(isinstance(r, Mapping) for r in source)


def _from_memory(source: Any) -> Table:
    if isinstance(source, Table):
        return source
    module, kind = _module(source), type(source).__name__
    if module == "pandas" and kind == "Series":
        source = source.to_frame(name=source.name if source.name is not None else "x0")
        return frames.from_pandas(source)
    if module == "pandas":
        return frames.from_pandas(source)
    if module == "polars":
        return frames.from_polars(source.collect() if kind == "LazyFrame" else source)
    if module == "pyarrow":
        return frames.from_arrow(source, "the table")
    if isinstance(source, Mapping):
        return frames.from_mapping(source)
    if _is_rows(source):
        return table_of_records(list(source), "the rows")
    if isinstance(source, tuple) and len(source) == 2:
        return _with_target(*source)
    if isinstance(source, (np.ndarray, list)) or hasattr(source, "__array__"):
        try:
            return frames.from_arrays(source)
        except ValueError as error:
            if isinstance(error, DataError):
                raise
            raise DataError(
                "the array: expected rows of the same length, got different ones; "
                "give an array of shape (rows, columns)."
            ) from None
    raise DataError(
        f"read_table: expected a path, a frame of pandas or polars, arrays or columns by name, "
        f"got {kind}; convert it to one of these."
    )


def _with_target(features: Any, target: Any) -> Table:
    """Join features and target given side by side; the target's column is named `target`."""
    table = _from_memory(features)
    values = _from_memory(target)
    if len(values.columns) != 1:
        raise DataError(
            f"read_table: expected a target of shape (rows,), got {len(values.columns)} columns; "
            "give one column."
        )
    if values.rows != table.rows:
        raise DataError(
            f"read_table: expected as many targets as rows, got {values.rows:,} targets for "
            f"{table.rows:,} rows; give one for each row."
        )
    name = "target" if values.names[0] == "x0" else values.names[0]
    if name in table:
        raise DataError(
            f"read_table: the features have a column {name!r} like the target; drop or rename it."
        )
    declared = dict(table.declared)
    if values.declared:
        declared[name] = values.declared[values.names[0]]
    return Table(
        {**table.columns, name: values.columns[values.names[0]]},
        source=table.source,
        lines=table.lines,
        declared=declared,
        notes=table.notes,
    )


def iter_table(
    source: Any,
    *,
    chunk_rows: int = _CHUNK,
    sep: str | None = None,
    header: str | None = None,
    encoding: str | None = None,
    na_values: str | float | Sequence[str | float] = (),
) -> Iterator[Table]:
    """Read a table chunk by chunk, so that it need not fit into memory.

    Args:
        source: A path, or anything else that `read_table` takes.
        chunk_rows: Rows of a chunk, at least 1; the last one may have fewer.
        sep: As `read_table` takes it, like the others.
        header: As there.
        encoding: As there.
        na_values: As there.

    Yields:
        Tables in order. The text of a delimited file is unchanged in them, so that
        `table.records()` writes the same fields again.

    Raises:
        DataError: As `read_table`; an error far down in a file comes when its chunk does.

    >>> [chunk.rows for chunk in iter_table({"a": [1, 2, 3]}, chunk_rows=2)]
    [2, 1]
    """
    if chunk_rows < 1:
        raise ValueError(f"iter_table: expected chunk_rows of at least 1, got {chunk_rows}.")
    options = read_options(sep=sep, header=header, encoding=encoding, na_values=na_values)
    if not isinstance(source, (str, os.PathLike)):
        table = _from_memory(source).with_missing(options.na_values)
        for start in range(0, table.rows, chunk_rows):
            yield table.take(slice(start, start + chunk_rows))
        return
    with _opened(str(source), options) as blocks:
        waiting: list[Table] = []
        for block in blocks(chunk_rows):
            waiting.append(block.with_missing(options.na_values))
            if sum(part.rows for part in waiting) < chunk_rows:
                continue
            whole = concatenate(waiting)
            full = whole.rows - whole.rows % chunk_rows
            for start in range(0, full, chunk_rows):
                yield whole.take(slice(start, start + chunk_rows))
            waiting = [whole.take(slice(full, None))] if full < whole.rows else []
        if waiting:
            yield concatenate(waiting)


def read_table(
    source: Any,
    *,
    sep: str | None = None,
    header: str | None = None,
    encoding: str | None = None,
    na_values: str | float | Sequence[str | float] = (),
    as_text: Collection[str] = (),
) -> Table:
    """Read a whole table.

    A table of a million fields and more is held in less memory than its text takes: text that
    repeats by its different values, text that is numbers or dates as these.

    Args:
        source: A path to .csv, .tsv, .txt, .jsonl, .json (each also with .gz, .bz2, .xz or .zip),
            .parquet, .feather or .xlsx (its first sheet); "-" for standard input; the
            name of a bundled data set (`"iris"`); a frame of pandas or polars; a pyarrow table;
            columns by name; a list of rows as dictionaries; an array of shape (rows, columns),
            whose columns are named x0, x1, ...; or a pair (features, target), whose second part
            becomes the column `target`.
        sep: What separates the fields of a text file, one character, "tab" or "space" (any number
            of blanks); None finds it.
        header: "none" where no line names the columns, which are x0, x1, ... then; "first" where
            the first line does, whatever it looks like; None decides by the lines below it.
        encoding: A text file's encoding, such as "latin-1"; None takes UTF-8, or UTF-16 with a
            byte order mark.
        na_values: Values that mean missing in any column, besides those that are known.
        as_text: Columns of text that must not be held as numbers or dates: how these are written
            (1.50, not 1.5) matters where they name something.

    Returns:
        The table.

    Raises:
        DataError: If it cannot be read; the message says what is wrong, where, and what to do.
        UsageError: If an option is out of range.

    >>> read_table("iris")
    Table(iris: 150 rows, 5 columns)
    """
    options = read_options(sep=sep, header=header, encoding=encoding, na_values=na_values)
    if not isinstance(source, (str, os.PathLike)):
        table = _from_memory(source).with_missing(options.na_values)
        if not table.columns or not table.rows:
            raise DataError(
                f"{table.source}: there are no {'rows' if table.columns else 'columns'}; "
                "expected one row for each example."
            )
        return table
    with _opened(str(source), options) as blocks:
        table = _gathered(lambda: blocks(_CHUNK), options, set(as_text))
    if _bundled(str(source)):
        table.source = str(source)
    return table


def _gathered(
    blocks: Callable[[], Iterator[Table]], options: ReadOptions, as_text: set[str]
) -> Table:
    """Read a whole file, once more where columns turn out to be text after all."""
    while True:
        try:
            read = (block.with_missing(options.na_values) for block in blocks())
            return gather(read, as_text=as_text)
        except TextNeededError as found:
            as_text |= set(found.names)
