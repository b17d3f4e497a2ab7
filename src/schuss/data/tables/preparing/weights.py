"""Class weights and sample weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.data.tables.columns import ColumnKind, numbers_of
from schuss.data.tables.parsing import TEXT, number_format
from schuss.data.tables.table import Table
from schuss.errors import DataError

__all__ = ["class_weights", "no_weight", "weight_column"]


def class_weights(codes: npt.NDArray[Any], n_classes: int) -> npt.NDArray[np.float32]:
    """Weigh the classes so that each counts the same in sum: n / (classes * n_c).

    Args:
        codes: Classes of the training rows, int64 of shape (rows,), each in [0, n_classes).
        n_classes: Number of classes.

    Returns:
        float32 weights of shape (n_classes,); 1 for a class without rows.

    >>> class_weights(np.array([0, 0, 0, 1]), 2).tolist()
    [0.6666666865348816, 2.0]
    """
    counts = np.bincount(codes, minlength=n_classes)
    weights = len(codes) / (n_classes * np.maximum(counts, 1))
    return np.where(counts == 0, 1.0, weights).astype(np.float32)


def weight_column(table: Table, name: str, *, part: bool = False) -> npt.NDArray[np.float32]:
    """Read a column of sample weights.

    Args:
        table: The table.
        name: The column.
        part: Whether these are some of many rows, so that all of them may have the weight 0.

    Returns:
        float32 weights of shape (rows,), as they are in the table.

    Raises:
        DataError: If a weight is missing, negative, infinite or not a number, or all are zero.

    >>> weight_column(Table({"w": ["1", "0.5"]}), "w").tolist()
    [1.0, 0.5]
    """
    values = table[name]
    style = number_format(values.tolist()) if values.dtype == TEXT else "plain"
    weights = numbers_of(table, ColumnKind(name, "numeric", "", True, number_format=style))
    wrong = ~(weights >= 0.0)
    if wrong.any():
        remedy = "correct it, or give 0 to leave the row out"
        raise table.unexpected(name, wrong, "a weight of 0 or more", remedy)
    if not part and not weights.any():
        raise no_weight(table.source, name)
    return weights.astype(np.float32)


def no_weight(source: str, name: str) -> DataError:
    """Return the error of rows whose weights are all 0."""
    return DataError(
        f"{source}: expected some weight above 0 in column {name!r}, got none; "
        "choose another column."
    )
