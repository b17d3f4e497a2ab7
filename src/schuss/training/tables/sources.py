"""Sources of a run's tables: paths and checksums, so that resuming finds the same rows again."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from schuss.data import BUNDLED, Table, read_table
from schuss.errors import DataError, UsageError

__all__ = [
    "check_source",
    "describe_source",
    "fingerprint",
    "open_source",
    "read_training_table",
    "run_name",
]

#: So many rows are turned into bytes at a time.
_ROWS = 1 << 16


def fingerprint(table: Table) -> str:
    """Return a checksum of a table's names and values.

    >>> fingerprint(Table({"a": [1, 2]})) == fingerprint(Table({"a": [1, 2]}))
    True
    """
    sha = hashlib.sha256()
    for name in table.names:
        values = table.columns[name]
        kind = "text" if table.is_text(name) else values.dtype.str
        kind = np.dtype(np.int64).str if values.dtype.kind == "M" else kind
        sha.update(f"{name}\0{kind}\0{len(values)}\0".encode())
        for start in range(0, len(values), _ROWS):
            part = values[start : start + _ROWS]
            some = part if isinstance(part, np.ndarray) else part.decoded()
            if not table.is_text(name):
                sha.update(some.tobytes())
                continue
            sha.update(("\0" * (start > 0) + "\0".join(some.tolist())).encode())
    return sha.hexdigest()


def is_path(data: Any) -> bool:
    """Tell whether data is the name of a file or of a bundled set, and not standard input."""
    return isinstance(data, (str, os.PathLike)) and str(data) != "-"


def run_name(data: Any) -> str:
    """Return what a run on this data is called: the file's name without its endings.

    >>> run_name("data/iris.csv.gz"), run_name({"a": [1]})
    ('iris', 'table')
    """
    if not is_path(data):
        return "table"
    name = Path(data).name.partition(".")[0] or "table"
    return re.sub(r"[^\w\-]+", "-", name)


def describe_source(
    data: Any, table: Table, reading: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return what finds the same table again, as JSON can hold it.

    Args:
        data: what `read_table` took.
        table: the table.
        reading: options of `read_table`, by name.
    """
    path = None
    if is_path(data):
        # A bundled set's name means the set, whatever is called so in the folder.
        path = str(data) if str(data) in BUNDLED else str(Path(data).expanduser().resolve())
    told = {name: value for name, value in (reading or {}).items() if value}
    more = {"reading": told} if told else {}
    return {"path": path, "rows": table.rows, "sha256": fingerprint(table), **more}


def check_source(source: object) -> None:
    """Refuse what `describe_source` cannot have returned.

    Raises:
        ValueError: if it is something else, and not None.
    """
    if source is None:
        return
    kinds = {"path": (str, type(None)), "rows": (int,), "sha256": (str,)}
    if not isinstance(source, dict) or source.keys() - {"reading"} != kinds.keys():
        raise ValueError("a source is no description of a table")
    if not isinstance(source.get("reading", {}), dict):
        raise ValueError("a source's reading")
    wrong = [name for name, types in kinds.items() if not isinstance(source[name], types)]
    if wrong:
        raise ValueError(f"a source's {', '.join(wrong)}")


def open_source(source: Mapping[str, Any] | None, given: Any, what: str) -> Table | None:
    """Read a table again, and check that it is the same.

    Args:
        source: what `describe_source` returned, or None where there was no such table.
        given: the data, where it was in memory or the file has moved; else None.
        what: "data", "validation" or "test", for messages.

    Raises:
        UsageError: if the data was in memory and is not given.
        DataError: if the file is gone or has changed.
    """
    if source is None:
        return None
    data = source["path"] if given is None else given
    if data is None:
        raise UsageError(
            f"resume: this run's {what} was in memory, not in a file; give it again as {what}=..."
        )
    try:
        table = read_table(data, **source.get("reading", {}))
    except DataError as error:
        raise DataError(f"resume: the run's {what} cannot be read again: {error}") from None
    if fingerprint(table) != source["sha256"]:
        rows = f"{source['rows']:,} rows then, {table.rows:,} now"
        raise DataError(
            f"{table.source}: has changed since the run began ({rows}), so the run cannot go on; "
            "put the old table back, or train anew."
        )
    return table


def read_training_table(
    data: Any, target: Any, reading: Mapping[str, Any] | None = None
) -> tuple[Table, str, Any]:
    """Return the table, the target's name, and the data as one thing that reads the same again.

    Args:
        data: what `read_table` takes.
        target: the target's column; or its values, where `data` holds the features; or None for
            a bundled set or a pair (features, target).
        reading: options of `read_table`, by name.

    Raises:
        UsageError: if no target is given.
    """
    if isinstance(target, (int, np.integer)):
        target = str(target)  # columns of pandas may be named by numbers; a table's names are text
    if target is not None and not isinstance(target, str):
        data, target = (data, target), None
    pair = isinstance(data, tuple) and len(data) == 2
    table = read_table(data, **(reading or {}))
    if target is None:
        if pair:
            target = table.names[-1]
        elif is_path(data) and str(data) in BUNDLED:
            target = BUNDLED[str(data)][1]
        else:
            shown = ", ".join(table.names[:12]) + (" and more" if len(table.names) > 12 else "")
            raise UsageError(
                f"train: expected the target, the column to predict; {table.source} has the "
                f"columns {shown}."
            )
    return table, target, data
