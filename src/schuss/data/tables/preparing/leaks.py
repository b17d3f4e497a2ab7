"""Target leaks: columns that give the target away."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.data.tables.columns import ColumnKind, labels_of, numbers_of
from schuss.data.tables.table import Table

__all__ = ["telling_columns"]

#: A column with more different values than one in so many rows may tell the target by chance.
_ROWS_PER_VALUE = 10
_SAME = 0.999999


def telling_columns(
    table: Table, kinds: Mapping[str, ColumnKind], y: npt.NDArray[Any], *, classes: bool
) -> list[str]:
    """Name columns each of whose values goes with a single class, or that run with the target.

    Args:
        table: The training rows.
        kinds: What the columns are.
        y: The encoded target, of shape (rows,).
        classes: Whether it is classes.

    >>> rows = Table({"alive": ["yes", "no"] * 10, "age": np.arange(20.0) % 7})
    >>> from schuss.data.tables.inference import infer_kinds
    >>> telling_columns(rows, infer_kinds(rows), np.arange(20) % 2, classes=True)
    ['alive']
    """
    found = []
    for kind in kinds.values():
        if not kind.used or kind.kind == "timestamp":
            continue
        if classes and kind.kind in ("category", "boolean"):
            telling = _one_class_each(labels_of(table, kind)[1], y)
        elif classes and kind.kind == "numeric":
            telling = _one_class_each(numbers_of(table, kind), y)
        elif not classes and kind.kind == "numeric":
            telling = _runs_along(numbers_of(table, kind), y.astype(np.float64))
        else:
            continue
        if telling:
            found.append(kind.name)
    return found


def _one_class_each(values: npt.NDArray[Any], y: npt.NDArray[Any]) -> bool:
    distinct = np.unique(values)
    if not 2 <= len(distinct) <= len(values) / _ROWS_PER_VALUE:
        return False
    pairs = np.searchsorted(distinct, values) * (int(y.max()) + 1) + y
    return len(np.unique(pairs)) == len(distinct)


def _runs_along(values: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> bool:
    both = ~np.isnan(values)
    if int(both.sum()) < _ROWS_PER_VALUE:
        return False
    a, b = values[both], y[both]
    a, b = a / max(float(np.abs(a).max()), 1e-300), b / max(float(np.abs(b).max()), 1e-300)
    a, b = a - a.mean(), b - b.mean()
    norm = float(np.sqrt((a @ a) * (b @ b)))
    return norm > 0.0 and abs(float(a @ b)) >= _SAME * norm
