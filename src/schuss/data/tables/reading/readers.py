"""read_table and iter_table: tables from files, frames and arrays; whole, or chunk by chunk."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from schuss.data.tables.parsing import TEXT, Array
from schuss.data.tables.reading import frames
from schuss.data.tables.reading.delimited import iter_delimited
from schuss.data.tables.reading.jsonlines import iter_json_lines, table_of_records
from schuss.data.tables.reading.streams import existing_file
from schuss.data.tables.table import Table
from schuss.errors import DataError

__all__ = ["BUNDLED", "concatenate", "iter_table", "read_table"]


#: Data sets that come with Schuss, by name: their file and the column to predict.
BUNDLED = {"iris": ("iris.csv", "species")}

_TEXT = {".csv": None, ".txt": None, ".data": None, ".tsv": "\t", ".tab": "\t", ".psv": "|"}
_JSON = (".jsonl", ".ndjson", ".json")
_ARROW = (".parquet", ".pq", ".feather", ".arrow")
_CHUNK = 50_000


def _bundled(source: str) -> Path | None:
    """Return the file of a bundled data set; `./iris` is a file of the user's own."""
    if source not in BUNDLED:
        return None
    return Path(__file__).parents[2] / "bundled" / BUNDLED[source][0]


def _iter_file(path: Path, rows: int, delimiter: str | None) -> Iterator[Table]:
    suffixes = [s.lower() for s in path.suffixes]
    if suffixes and suffixes[-1] == ".gz":
        suffixes.pop()
    suffix = suffixes[-1] if suffixes else ""
    if suffix in _ARROW:
        return frames.iter_arrow_file(path, rows=rows)
    if suffix in _JSON:
        return iter_json_lines(path, rows=rows)
    if suffix not in _TEXT:
        existing_file(path)
        raise DataError(
            f"{path}: expected a table in a .csv, .tsv, .jsonl, .parquet or .feather file, "
            f"got {suffix or 'a name without an ending'}; save it as one of these."
        )
    return iter_delimited(path, delimiter=delimiter or _TEXT[suffix])


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


def concatenate(tables: Iterable[Table]) -> Table:
    """Put tables one below the other.

    A column that a table lacks is missing there; numbers and text together become text.

    Args:
        tables: At least one table.

    Returns:
        One table with the columns of all of them, in the order in which they appear.

    >>> concatenate([Table({"a": [1]}), Table({"a": ["x"]})])["a"].tolist()
    ['1', 'x']
    """
    parts = list(tables)
    if len(parts) == 1:
        return parts[0]
    names = dict.fromkeys(name for part in parts for name in part.columns)
    columns = {name: _joined(parts, name) for name in names}
    lines = None
    numbered = [part.lines for part in parts if part.lines is not None]
    if len(numbered) == len(parts):
        lines = np.concatenate(numbered)
    return Table(
        columns,
        source=parts[0].source,
        lines=lines,
        declared={k: v for part in parts for k, v in part.declared.items()},
        notes=list(dict.fromkeys(note for part in parts for note in part.notes)),
        decimal_comma=parts[0].decimal_comma,
    )


def _joined(parts: list[Table], name: str) -> Array:
    pieces = [part.columns.get(name) for part in parts]
    telling = [
        p for p in pieces if p is not None and not (p.dtype == TEXT and bool(np.all(p == "")))
    ]
    types = {piece.dtype.kind for piece in telling}
    lengths = [part.rows for part in parts]
    if types <= {"i", "f"} and types:
        dtype: Any = np.int64 if types == {"i"} and len(telling) == len(parts) else np.float64
        empty: Any = np.nan
    elif types == {"b"} and len(telling) == len(parts):
        dtype, empty = np.bool_, False
    elif types == {"M"}:
        dtype, empty = np.dtype("datetime64[us]"), np.datetime64("NaT", "us")
    else:
        return np.concatenate(
            [
                np.full(n, "", dtype=TEXT)
                if piece is None
                else piece
                if piece.dtype == TEXT
                else np.array(part.text(name), dtype=TEXT)
                for part, piece, n in zip(parts, pieces, lengths, strict=True)
            ]
        )
    kept = {id(p) for p in telling}
    return np.concatenate(
        [
            p.astype(dtype) if p is not None and id(p) in kept else np.full(n, empty, dtype=dtype)
            for p, n in zip(pieces, lengths, strict=True)
        ]
    )


def iter_table(
    source: Any, *, chunk_rows: int = _CHUNK, delimiter: str | None = None
) -> Iterator[Table]:
    """Read a table chunk by chunk, so that it need not fit into memory.

    Args:
        source: A path, or anything else that `read_table` takes.
        chunk_rows: Rows of a chunk, at least 1; the last one may have fewer.
        delimiter: What separates the fields of a text file; None finds it.

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
    if not isinstance(source, (str, os.PathLike)):
        table = _from_memory(source)
        for start in range(0, table.rows, chunk_rows):
            yield table.take(slice(start, start + chunk_rows))
        return
    path = _bundled(str(source)) or Path(source).expanduser()
    waiting: list[Table] = []
    for block in _iter_file(path, chunk_rows, delimiter):
        waiting.append(block)
        if sum(part.rows for part in waiting) < chunk_rows:
            continue
        whole = concatenate(waiting)
        full = whole.rows - whole.rows % chunk_rows
        for start in range(0, full, chunk_rows):
            yield whole.take(slice(start, start + chunk_rows))
        waiting = [whole.take(slice(full, None))] if full < whole.rows else []
    if waiting:
        yield concatenate(waiting)


def read_table(source: Any, *, delimiter: str | None = None) -> Table:
    """Read a whole table.

    Args:
        source: A path to .csv, .tsv, .txt, .jsonl (each also with .gz), .parquet or .feather; the
            name of a bundled data set (`"iris"`); a frame of pandas or polars; a pyarrow table;
            columns by name; a list of rows as dictionaries; an array of shape (rows, columns),
            whose columns are named x0, x1, ...; or a pair (features, target), whose second part
            becomes the column `target`.
        delimiter: What separates the fields of a text file; None finds it.

    Returns:
        The table.

    Raises:
        DataError: If it cannot be read; the message says what is wrong, where, and what to do.

    >>> read_table("iris")
    Table(iris: 150 rows, 5 columns)
    """
    if not isinstance(source, (str, os.PathLike)):
        table = _from_memory(source)
        if not table.columns or not table.rows:
            raise DataError(
                f"{table.source}: there are no {'rows' if table.columns else 'columns'}; "
                "expected one row for each example."
            )
        return table
    bundled = _bundled(str(source))
    path = bundled or Path(source).expanduser()
    table = concatenate(_iter_file(path, _CHUNK, delimiter))
    if bundled:
        table.source = str(source)
    return table
