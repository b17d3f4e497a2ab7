"""Labelled files: one folder a class, a labels.csv beside the files, or a table of paths."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from schuss.data.files.source import ArchiveSource, FolderSource, LeftOut, Source, is_archive
from schuss.data.tables.reading.readers import BUNDLED, iter_table, read_table
from schuss.data.tables.table import Table
from schuss.errors import DataError, UsageError

__all__ = ["LabelledFiles", "find_files"]

_LABELS = "labels.csv"
_TABLES = (".csv", ".tsv", ".jsonl", ".parquet")
_LABEL_NAMES = ("label", "class", "target", "category")
# So many rows of a table tell whether it has a column of paths.
_LOOKED_AT = 20


@dataclass(repr=False)
class LabelledFiles:
    """Files with their labels.

    Args:
        source: where the files are.
        names: of the files, in the source.
        labels: of each file; None where it has none, as what is to be predicted may.
        form: what the source is: "folder", "archive", either "with labels.csv", "table of paths",
            or "file".
        left_out: files that cannot be used.
    """

    source: Source
    names: list[str]
    labels: list[str | None]
    form: str
    left_out: list[LeftOut] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"LabelledFiles({len(self):,} in a {self.form})"

    @property
    def classes(self) -> list[str]:
        """All labels, in the order of their names, numbers by their size."""
        found = {label for label in self.labels if label is not None}
        return sorted(found, key=lambda x: (0, int(x), x) if x.isdecimal() else (1, 0, x))


def find_files(
    data: Any, suffixes: Sequence[str], target: str | None = None, *, labels: bool = True
) -> LabelledFiles | None:
    """Find the files that data names, with their labels.

    Args:
        data: the path of a folder with one folder a class, or with a labels.csv; of an archive of
            such a folder; of a table with a column of paths; or of a single file.
        suffixes: of the files, in lower case.
        target: the column of the labels, in a table.
        labels: whether labels are read out of a table, where there is one.

    Returns:
        The files; None where data is something else, or has none of them.

    Raises:
        DataError: if it cannot be read.
        UsageError: if a table has several columns that may be the labels, and none is named.
    """
    if not isinstance(data, str | os.PathLike) or str(data) in ("-", *BUNDLED):
        return None
    path = Path(data).expanduser()
    if path.is_dir() or (path.is_file() and is_archive(path)):
        folder = path.is_dir()
        kind = FolderSource if folder else ArchiveSource
        source: Source = kind.find(path, (*suffixes, ".csv"))
        tables = [name for name in source.names if name.lower().endswith(".csv")]
        names = [name for name in source.names if not name.lower().endswith(".csv")]
        if not names:
            source.close()
            return None
        form = "folder" if folder else "archive"
        if _LABELS in tables and labels:
            table = _read_labels(source)
            return _with_table(source, names, table, f"{form} with {_LABELS}", target)
        form += f" with {_LABELS}" * (_LABELS in tables)
        classes = [PurePosixPath(n).parts[0] if "/" in n else None for n in names]
        return LabelledFiles(source, names, classes, form, list(source.left_out))
    if path.is_file() and path.suffix.lower() in suffixes:
        return LabelledFiles(FolderSource(path.parent), [path.name], [None], "file")
    if path.is_file() and path.suffix.lower() in _TABLES:
        return _of_paths(path, suffixes, target, labels=labels)
    return None


def _read_labels(source: Source) -> Table:
    with tempfile.TemporaryDirectory() as place:
        file = Path(place) / _LABELS
        file.write_bytes(source.read(_LABELS))
        return read_table(file)


def _of_paths(
    path: Path, suffixes: Sequence[str], target: str | None, *, labels: bool
) -> LabelledFiles | None:
    """Find the files that a table's column of paths names."""
    try:
        head = next(iter(iter_table(path)), None)
    except DataError:
        return None  # the reader of tables says what is wrong
    if head is None or _path_column(head, path.parent, suffixes) is None:
        return None
    table = read_table(path)
    column = _path_column(head, path.parent, suffixes)
    assert column is not None
    names = [Path(name).as_posix() for name in _texts(table, column)]
    source = FolderSource(path.parent, names)
    if not labels:
        return LabelledFiles(source, names, [None] * len(names), "table of paths")
    return _with_table(source, names, table, "table of paths", target, column)


def _texts(table: Table, column: str) -> list[str]:
    return [str(value) for value in table[column].tolist()]


def _path_column(table: Table, folder: Path, suffixes: Sequence[str]) -> str | None:
    """Return the column whose values are files with one of the suffixes, or None."""
    head = table.take(slice(0, _LOOKED_AT))
    for column in filter(head.is_text, head.names):
        texts = _texts(head, column)
        ended = [Path(text).suffix.lower() in suffixes for text in texts if text]
        if ended and all(ended) and any((folder / text).is_file() for text in texts):
            return column
    return None


def _with_table(
    source: Source,
    names: Sequence[str],
    table: Table,
    form: str,
    target: str | None,
    column: str | None = None,
) -> LabelledFiles:
    """Give files the labels that a table has for them."""
    if column is None:
        known = set(names)
        column = next((c for c in table.names if known & set(_texts(table, c))), None)
        if column is None:
            raise DataError(
                f"{source.path}/{_LABELS}: expected a column with the names of the files beside "
                f"it, such as {names[0]!r}, got the columns {', '.join(table.names[:8])}."
            )
    others = [name for name in table.names if name != column]
    if target is None:
        likely = [name for name in others if name.lower() in _LABEL_NAMES]
        if len(others) != 1 and len(likely) != 1:
            raise UsageError(
                "train: expected the target, the column to predict; beside the paths there are "
                f"the columns {', '.join(others[:8]) or 'none'}."
            )
        target = others[0] if len(others) == 1 else likely[0]
    if target not in others:
        raise UsageError(f"train: no column {target!r}; there are {', '.join(others[:8])}.")
    found: dict[str, str] = {}
    left_out = list(source.left_out)
    listed = _texts(table, column)
    twice = {name for name, count in Counter(listed).items() if count > 1}
    for name, label in zip(listed, _texts(table, target), strict=True):
        if name in twice and found.get(name, label) != label:
            left_out.append(LeftOut(name, f"listed as {found[name]!r} and as {label!r}"))
        elif label:
            found[name] = label
    there = set(names)
    left_out += [LeftOut(name, "listed, but not there") for name in found if name not in there]
    left_out += [LeftOut(name, "without a label") for name in names if name not in found]
    kept = list(dict.fromkeys(name for name in names if name in found))
    return LabelledFiles(source, kept, [found[name] for name in kept], form, left_out)
