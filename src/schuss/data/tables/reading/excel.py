"""Reading the first sheet of an Excel workbook (.xlsx), with openpyxl."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from schuss.data.tables.reading.layout import check_names, new_names
from schuss.data.tables.reading.options import READ, ReadOptions
from schuss.data.tables.reading.streams import existing_file
from schuss.data.tables.table import Table
from schuss.data.tables.values import as_column
from schuss.errors import DataError

__all__ = ["iter_excel"]

_DAMAGED = (zipfile.BadZipFile, zlib.error, SyntaxError, LookupError, TypeError, ValueError)
_LARGE = 1 << 26
_MOST_PACKED = 100


def iter_excel(path: Path, options: ReadOptions = READ, *, rows: int) -> Iterator[Table]:
    """Read the first sheet of a workbook in blocks of at most `rows` rows.

    Rows without any value are left out, and so are lines above the names that have one value.

    Raises:
        DataError: If the file is no workbook, holds no rows, or openpyxl is not installed.
    """
    existing_file(path)
    try:
        import openpyxl
    except ImportError:
        raise DataError(
            f"{path}: reading this format needs openpyxl; install it with "
            "pip install 'schuss[excel]', or save the sheet as CSV."
        ) from None
    with _reading(path):
        _refuse_bomb(path)
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    try:
        if not book.worksheets:
            raise DataError(f"{path}: the workbook has no sheet with cells.")
        sheet = book.worksheets[0]
        sheet.reset_dimensions()  # each row ends at its last cell, wherever the sheet's is
        notes = [f"{path}: the first sheet, {sheet.title!r}"] if len(book.sheetnames) > 1 else []
        with _reading(path):
            yield from _tables(_records(sheet), path, notes, options, rows)
    finally:
        book.close()


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say that a file is damaged in the place of the errors of zip, XML and openpyxl."""
    try:
        yield
    except DataError:
        raise
    except (*_DAMAGED, OSError) as error:
        detail = " ".join(str(error).split())[:120]
        raise DataError(
            f"{path}: expected an Excel workbook, got something else or a damaged one ({detail}); "
            "save it again."
        ) from None


def _refuse_bomb(path: Path) -> None:
    """Refuse a file that is much larger unpacked: openpyxl holds all its texts in memory."""
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > _LARGE and size > _MOST_PACKED * path.stat().st_size:
        raise DataError(
            f"{path}: unpacks to {size >> 20:,} MB, which is no sheet of numbers; save it as CSV."
        )


def _records(sheet: Any) -> Iterator[tuple[int, list[Any]]]:
    """Read the rows that hold a value, each without the empty cells at its end."""
    for line, cells in enumerate(sheet.iter_rows(values_only=True), start=1):
        record = [None if isinstance(c, str) and not c.strip() else c for c in cells]
        while record and record[-1] is None:
            record.pop()
        if record:
            yield line, record


def _tables(
    records: Iterator[tuple[int, list[Any]]],
    path: Path,
    notes: list[str],
    options: ReadOptions,
    rows: int,
) -> Iterator[Table]:
    head = list(islice(records, 100))
    width = max((len(record) for _, record in head), default=0)
    named = options.header != "none"
    if named and options.header is None:
        titles = 0
        while titles < len(head) - 1 and width > 1 and _values(head[titles][1]) == 1:
            titles += 1
        if titles:
            head = head[titles:]
            notes.append(f"{path}: the lines above the column names are left out")
    if not head or (named and len(head) == 1):
        raise DataError(f"{path}: the sheet has no rows; expected one row for each example.")
    if named:
        line, first = head.pop(0)
        raw = ["" if cell is None else str(cell) for cell in first] + [""] * (width - len(first))
        names, more = check_names(raw, str(path), line)
    else:
        names, more = check_names(new_names(width), str(path))
    while head:
        yield _table(head, names, path, [*notes, *more])
        head = list(islice(records, rows))


def _values(record: list[Any]) -> int:
    return sum(cell is not None for cell in record)


def _table(
    records: list[tuple[int, list[Any]]], names: list[str], path: Path, notes: list[str]
) -> Table:
    for line, record in records:
        if len(record) > len(names):
            raise DataError(
                f"{path}, line {line}: expected {len(names)} cells, got {len(record)}; "
                "give every column a name."
            )
        record.extend([None] * (len(names) - len(record)))
    columns = zip(*(record for _, record in records), strict=True)
    return Table(
        {name: as_column(list(values)) for name, values in zip(names, columns, strict=True)},
        source=str(path),
        lines=np.array([line for line, _ in records], dtype=np.int64),
        notes=notes,
    )
