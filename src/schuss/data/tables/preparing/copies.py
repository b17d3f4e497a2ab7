"""Rows that are there more than once, and ids that repeat: kept together, or told of."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.data.splits import permutation
from schuss.data.tables.columns import ColumnKind, labels_of, numbers_of, stamps_of
from schuss.data.tables.preparing.target import TargetEncoder
from schuss.data.tables.table import Table

__all__ = ["copies_of_rows", "repeated_ids", "shared_rows", "together"]

Rows = npt.NDArray[np.int64]
Split = Callable[[Rows], tuple[Rows, Rows]]

#: Rows alike by chance that may be expected before copies are taken for copies.
_BY_CHANCE = 1e-3
_SAMPLE = 10_000
#: Beyond this share of the rows held out, copies are no longer moved one by one.
_FEW = 0.25
_LEAST_IDS = 20
_ID = re.compile(
    r"(?:^|[\W_])(?:ids?|uuid|guid|key|patient|subject|person|customer|user|client|household"
    r"|participant|session|device|machine|animal)(?:[\W_]?(?:id|nr|no|number|code))?$|[a-z]I[Dd]$"
)


def _mixed(hashes: npt.NDArray[np.uint64], bits: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """Mix 64 bits of each row into its hash (the steps of SplitMix64)."""
    x = hashes * np.uint64(0x9E3779B97F4A7C15) ^ bits.view(np.uint64)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def _bits(table: Table, kind: ColumnKind) -> npt.NDArray[Any]:
    """Return 64 bits for each value, the same for the same value in any table."""
    if kind.kind == "numeric":
        numbers = numbers_of(table, kind) + 0.0  # no -0
        return np.where(np.isnan(numbers), np.nan, numbers)
    if kind.kind == "timestamp":
        return stamps_of(table, kind).astype(np.int64)
    labels, codes = labels_of(table, kind)
    return np.array([*map(hash, labels), 0], dtype=np.int64)[codes]


def row_hashes(
    table: Table, kinds: Mapping[str, ColumnKind], target: TargetEncoder
) -> npt.NDArray[np.uint64]:
    """Return a hash of each row, the same for rows alike in target and all that is learned from.

    Args:
        table: Rows that have the target.
        kinds: What the columns are.
        target: Encodes the target.

    Returns:
        uint64 of shape (rows,), comparable between tables within one process.
    """
    hashes = np.zeros(table.rows, dtype=np.uint64)
    for kind in kinds.values():
        if kind.used:
            hashes = _mixed(hashes, _bits(table, kind))
    return _mixed(hashes, _answers(table, target))


def _answers(table: Table, target: TargetEncoder) -> npt.NDArray[np.float64]:
    values = target.values(table)[0] if target.task == "regression" else target.encode(table)[0]
    return np.asarray(values, dtype=np.float64) + 0.0


def copies_of_rows(
    table: Table, kinds: Mapping[str, ColumnKind], target: TargetEncoder
) -> Rows | None:
    """Number rows so that those alike have the same number.

    Returns:
        int64 of shape (rows,), or None where no rows are alike, or so many are by chance, since
        the columns have few different values.
    """
    hashes = row_hashes(table, kinds, target)
    ordered = np.sort(hashes)
    if not (ordered[1:] == ordered[:-1]).any() or _alike_by_chance(table, kinds, target):
        return None
    return np.unique(hashes, return_inverse=True)[1].astype(np.int64)


def shared_rows(
    table: Table, other: Table, kinds: Mapping[str, ColumnKind], target: TargetEncoder
) -> int:
    """Count the rows of another table that are in a table, too; 0 where they may be by chance."""
    ours, theirs = (row_hashes(rows, kinds, target) for rows in (table, other))
    found = int(np.isin(theirs, ours).sum())
    return 0 if found and _alike_by_chance(table, kinds, target) else found


def _alike_by_chance(table: Table, kinds: Mapping[str, ColumnKind], target: TargetEncoder) -> bool:
    """Tell whether rows may be alike since the columns have few different values."""
    some = table if table.rows <= _SAMPLE else table.take(slice(0, _SAMPLE))
    expected = 0.5 * table.rows**2 * _alike(_answers(some, target))
    for kind in kinds.values():
        if expected > _BY_CHANCE and kind.used:
            expected *= _alike(_bits(some, kind))
    return expected > _BY_CHANCE


def _alike(values: npt.NDArray[Any]) -> float:
    """Return the chance that two rows have the same value."""
    _, counts = np.unique(values, return_counts=True)
    return float(((counts / max(len(values), 1)) ** 2).sum())


def together(split: Split, rows: Rows, copies: Rows, classes: Any, seed: int) -> tuple[Rows, Rows]:
    """Split rows so that copies of a row are on one side.

    A few copies change places with other rows of their class; where there are many, the split is
    one of the different rows, and all copies go where the first goes.

    Args:
        split: Splits positions of rows into those to learn from and those held out.
        rows: Positions of the rows to split.
        copies: The number of each row of the table, equal where rows are alike.
        classes: Classes of all rows of the table, or None.
        seed: Decides which rows change places.
    """
    learn, held = split(rows)
    astray = np.isin(copies[held], copies[learn])
    if not astray.any():
        return learn, held
    if astray.sum() > _FEW * len(held):
        _, first, unit = np.unique(copies[rows], return_index=True, return_inverse=True)
        chosen = np.isin(first[unit], np.searchsorted(rows, split(rows[np.sort(first)])[1]))
        return rows[~chosen], rows[chosen]
    back = held[astray]
    counts = np.bincount(copies[rows])
    free = learn[permutation(len(learn), seed)]
    free = free[counts[copies[free]] == 1]
    of_class = np.zeros(len(copies), dtype=np.int64) if classes is None else classes
    out = [
        row
        for label in np.unique(of_class[back])
        for row in free[of_class[free] == label][: int((of_class[back] == label).sum())]
    ]
    gone = np.array(out, dtype=np.int64)
    learn = np.sort(np.concatenate([learn[~np.isin(learn, gone)], back]))
    return learn, np.sort(np.concatenate([held[~astray], gone]))


def repeated_ids(table: Table, kinds: Mapping[str, ColumnKind]) -> list[str]:
    """Say which columns are ids that repeat, so that rows of one are on both sides of a split."""
    found = []
    for kind in kinds.values():
        name = kind.name
        if kind.kind in ("timestamp", "boolean", "constant", "empty"):
            continue
        if not (_ID.search(name) or _ID.search(name.lower())):
            continue
        labels, codes = labels_of(table, ColumnKind(name, "category", "", True))
        if _LEAST_IDS <= len(labels) <= 0.7 * int((codes >= 0).sum()):
            found.append(
                f"{name}: {len(labels):,} different values in {table.rows:,} rows, so rows of one "
                f"may be on both sides of a split; group={name!r} (--group) keeps them together"
            )
    return found
