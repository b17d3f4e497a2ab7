"""Putting tables one below the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from schuss.data.tables.parsing import TEXT, Array
from schuss.data.tables.table import Table
from schuss.data.tables.values import LARGEST_EXACT, text_column

__all__ = ["concatenate"]


def concatenate(tables: Iterable[Table], *, release: bool = False) -> Table:
    """Put tables one below the other.

    A column that a table lacks is missing there; numbers and text together become text.

    Args:
        tables: At least one table.
        release: Whether each column is taken out of the tables when it is joined, so that it is
            not in memory twice for long.

    Returns:
        One table with the columns of all of them, in the order in which they appear.

    >>> concatenate([Table({"a": [1]}), Table({"a": ["x"]})])["a"].tolist()
    ['1', 'x']
    """
    parts = list(tables)
    if len(parts) == 1:
        return parts[0]
    names = dict.fromkeys(name for part in parts for name in part.columns)
    lengths = [part.rows for part in parts]
    columns = {}
    for name in names:
        columns[name] = _joined(parts, lengths, name)
        for part in parts if release else ():
            part.columns.pop(name, None)
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


def _joined(parts: list[Table], lengths: list[int], name: str) -> Array:
    pieces = [part.columns.get(name) for part in parts]
    telling = [
        p for p in pieces if p is not None and not (p.dtype == TEXT and bool(np.all(p == "")))
    ]
    types = {piece.dtype.kind for piece in telling}
    if types == {"i", "f"} and any(_too_large(p) for p in telling):
        return np.concatenate([_whole_text(p, n) for p, n in zip(pieces, lengths, strict=True)])
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


def _too_large(values: Array) -> bool:
    """Tell whether whole numbers are there that float64 would change."""
    if values.dtype.kind != "i" or not len(values):
        return False
    return max(int(values.max()), -int(values.min())) > LARGEST_EXACT


def _whole_text(values: Array | None, rows: int) -> Array:
    """Return numbers as text, whole ones without a fraction, so that no digit is lost."""
    if values is None or values.dtype == TEXT:
        return np.full(rows, "", dtype=TEXT)
    numbers = values.tolist()
    return text_column(["" if n != n else str(n if n % 1 else int(n)) for n in numbers])
