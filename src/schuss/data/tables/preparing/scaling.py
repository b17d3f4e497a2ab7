"""Robust scaling and one-hot encoding of columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Levels", "Scaled", "empty_codes", "learn_levels", "one_hot", "repeats", "robust_scale"]
__all__ += ["scale_into"]

Floats = npt.NDArray[np.float64]
_CLIP = 3.0
#: Categories of up to this size (with one place for a missing value) are one-hot.
_MAX_ONE_HOT = 9
#: A level seen so often has an embedding of its own; rarer ones share that of the unknown.
_MIN_LEVEL_COUNT = 2
#: Codes that take fewer bytes are of the type that networks take.
_MANY_BYTES = 16 << 20
#: So many rows are scaled at a time.
_ROWS = 1 << 16
#: Parts of dates whose correlation is higher than this say the same.
_SAME = 0.9


@dataclass(frozen=True)
class Scaled:
    """One input column: the table's columns that it comes from, and its centre and factor."""

    name: str
    columns: tuple[str, ...]
    center: float
    factor: float

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Scaled:
        """Make the column that a dictionary of its fields describes."""
        center, factor = float(config["center"]), float(config["factor"])
        return cls(str(config["name"]), tuple(config["columns"]), center, factor)


@dataclass(frozen=True)
class Levels:
    """A category's levels; level k has the code k + 1, and 0 is missing or unknown."""

    column: str
    levels: list[str]
    one_hot: bool


def empty_codes(rows: int, sizes: Sequence[int]) -> npt.NDArray[Any]:
    """Return room for codes, of columns with so many codes each: int32, or as little as is enough.

    >>> empty_codes(100, [300]).dtype, empty_codes(10**7, [300]).dtype
    (dtype('int32'), dtype('uint16'))
    """
    shape, wide = (rows, len(sizes)), np.dtype(np.int32)
    if rows * len(sizes) * wide.itemsize < _MANY_BYTES:
        return np.empty(shape, wide)
    return np.empty(shape, np.min_scalar_type(max(sizes) - 1))


def learn_levels(
    column: str, labels: Sequence[str], codes: npt.NDArray[np.int64]
) -> tuple[list[Levels], str]:
    """Return the levels of a category, none where there is nothing to tell, and what to say of it.

    Args:
        column: its name.
        labels: its different values.
        codes: which one each row has, -1 where it is missing.
    """
    counts = np.bincount(codes[codes >= 0], minlength=len(labels))
    order = sorted(np.flatnonzero(counts).tolist(), key=lambda k: labels[k])
    missing = bool((codes < 0).any())
    if not order or (len(order) == 1 and not missing):
        return [], "the same in all training rows, left out"
    if len(order) + 1 <= _MAX_ONE_HOT:
        how = "one column" if len(order) <= 2 else f"{len(order)} columns, one for each"
        return [Levels(column, [labels[k] for k in order], True)], how
    kept = [labels[k] for k in order if counts[k] >= _MIN_LEVEL_COUNT]
    rare = len(order) - len(kept)
    note = f"embedding of {len(kept)} levels" + (
        f" ({rare} more, seen once, count as unknown)" if rare else ""
    )
    return [Levels(column, kept, False)], note


def robust_scale(values: Floats) -> tuple[float, float]:
    """Return centre and factor of robust scaling; a factor of 0 means that nothing varies.

    The factor is 1 over the range between the quartiles; where that is zero, 2 over the
    whole range. Missing values are left out.
    """
    present = values[~np.isnan(values)]
    if not len(present):
        return 0.0, 0.0
    low, center, high = np.quantile(present, [0.25, 0.5, 0.75]).tolist()
    spread = high - low
    if spread == 0.0:
        spread = 0.5 * float(present.max() - present.min())
    # A range that a float64 can barely hold would make the factor infinite.
    return float(center), (1.0 / spread if spread > 1e-300 else 0.0)


def scale_into(out: npt.NDArray[np.float32], values: Floats, scaled: Scaled) -> None:
    """Scale, clip smoothly to (-3, 3), and put the median in the place of missing values.

    Args:
        out: Where to, of shape (rows,).
        values: Of shape (rows,).
        scaled: Centre and factor.
    """
    for start in range(0, len(values), _ROWS):
        rows = slice(start, start + _ROWS)
        with np.errstate(over="ignore"):
            x = np.clip((values[rows] - scaled.center) * scaled.factor, -1e100, 1e100)
        x = np.where(np.isnan(x), 0.0, x)
        out[rows] = x / np.sqrt(1.0 + (x / _CLIP) ** 2)


def one_hot(codes: npt.NDArray[np.int64], levels: Levels) -> Iterator[tuple[str, Floats]]:
    """Encode codes: one level or two as a single column of -1, 0, 1; more as 0 and 1 each.

    Yields:
        The name of each column and its values.
    """
    name, count = levels.column, len(levels.levels)
    if count == 1:
        yield f"{name} = {levels.levels[0]}", np.where(codes == 1, 1.0, -1.0)
    elif count == 2:
        yield f"{name} = {levels.levels[0]}", np.array([0.0, 1.0, -1.0])[codes]
    else:
        for k, level in enumerate(levels.levels, start=1):
            yield f"{name} = {level}", (codes == k).astype(np.float64)


def repeats(values: Floats, others: list[Floats]) -> bool:
    """Tell whether a part of a date says the same as one that is there already."""
    for other in others:
        both = ~(np.isnan(values) | np.isnan(other))
        a, b = values[both], other[both]
        if len(a) < 3:
            continue
        a, b = a - a.mean(), b - b.mean()
        norm = float(np.sqrt((a @ a) * (b @ b)))
        if norm > 0.0 and abs(float(a @ b)) > _SAME * norm:
            return True
    return False
