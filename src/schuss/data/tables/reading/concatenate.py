"""Putting tables one below the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.data.tables.parsing import TEXT, Array
from schuss.data.tables.table import Column, Table, text_of
from schuss.data.tables.values import LARGEST_EXACT, text_column

__all__ = ["concatenate", "joined", "table_of"]


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
    lines = [part.lines for part in parts]
    return table_of({name: joined(_pieces(parts, name)) for name in names}, parts, lines)


def _pieces(parts: Sequence[Table], name: str) -> list[Array | int]:
    has = [name in part for part in parts]
    return [part[name] if there else part.rows for part, there in zip(parts, has, strict=True)]


def table_of(
    columns: Mapping[str, Column],
    parts: Sequence[Table],
    lines: Sequence[npt.NDArray[np.int64] | None],
) -> Table:
    """Make a table of the columns of several, with their lines and all that was said of them.

    Args:
        columns: The joined columns.
        parts: The tables; their columns may be gone.
        lines: The lines of each.
    """
    numbered = [some for some in lines if some is not None]
    return Table(
        columns,
        source=parts[0].source,
        lines=np.concatenate(numbered) if len(numbered) == len(parts) else None,
        declared={k: v for part in parts for k, v in part.declared.items()},
        notes=list(dict.fromkeys(note for part in parts for note in part.notes)),
        decimal_comma=parts[0].decimal_comma,
    )


def joined(pieces: Sequence[Array | int]) -> Array:
    """Put pieces of a column one below the other; a number means so many missing values."""
    lengths = [piece if isinstance(piece, int) else len(piece) for piece in pieces]
    telling = [
        p for p in pieces if not isinstance(p, int) and not (p.dtype == TEXT and np.all(p == ""))
    ]
    whole = sum(map(len, telling)) == sum(lengths)
    types = {piece.dtype.kind for piece in telling}
    if types == {"i", "f"} and any(_too_large(p) for p in telling):
        return np.concatenate([_whole_text(p, n) for p, n in zip(pieces, lengths, strict=True)])
    if types <= {"i", "f"} and types:
        dtype: Any = np.int64 if types == {"i"} and whole else np.float64
        empty: Any = np.nan
    elif types == {"b"} and whole:
        dtype, empty = np.bool_, False
    elif types == {"M"}:
        dtype, empty = np.dtype("datetime64[us]"), np.datetime64("NaT", "us")
    else:
        return np.concatenate([_as_text(p, n) for p, n in zip(pieces, lengths, strict=True)])
    kept = {id(p) for p in telling}
    found: Array = np.empty(sum(lengths), dtype=dtype)
    place = 0
    for piece, length in zip(pieces, lengths, strict=True):
        if length:
            found[place : place + length] = piece if id(piece) in kept else empty
        place += length
    return found


def _as_text(values: Array | int, rows: int) -> Array:
    if isinstance(values, int):
        return np.full(rows, "", dtype=TEXT)
    return values if values.dtype == TEXT else np.array(text_of(values), dtype=TEXT)


def _too_large(values: Array) -> bool:
    """Tell whether whole numbers are there that float64 would change."""
    if values.dtype.kind != "i" or not len(values):
        return False
    return max(int(values.max()), -int(values.min())) > LARGEST_EXACT


def _whole_text(values: Array | int, rows: int) -> Array:
    """Return numbers as text, whole ones without a fraction, so that no digit is lost."""
    if isinstance(values, int) or values.dtype == TEXT:
        return np.full(rows, "", dtype=TEXT)
    numbers = values.tolist()
    return text_column(["" if n != n else str(n if n % 1 else int(n)) for n in numbers])
