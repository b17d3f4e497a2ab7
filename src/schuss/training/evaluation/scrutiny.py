"""A look at rows before they are learned: outliers beyond all measure, scales, rows all alike."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import Array
from schuss.training.evaluation.examples import Examples

__all__ = ["far_out", "is_far_from_one", "remarks", "size_of"]

# A number is no outlier but an error from so many times the others' size on.
_FAR = 1e6
# So many rows tell how large numbers are; the largest hundredth of them does not count.
_SAMPLE, _USUAL = 10_000, 0.99
# Sizes of inputs that networks begin to have trouble with.
_SMALL, _LARGE = 1e-2, 3e2


def far_out(examples: Examples) -> Array:
    """Return the positions of rows with a number a million times as large as those of others.

    >>> import numpy as np
    >>> x = np.linspace(-1.0, 1.0, 100)[:, None]
    >>> far_out(Examples.of((x, np.where(np.arange(100) == 7, 1e12, x[:, 0])))).tolist()
    [7]
    """
    found = np.zeros(len(examples), bool)
    for values in _numbers(examples):
        rows = values.reshape(len(values), -1)
        size = _size(rows)
        with np.errstate(over="ignore"):
            found |= (np.abs(rows) > _FAR * size).any(axis=1) & bool(size > 0.0)
    return np.flatnonzero(found)


def remarks(examples: Examples) -> list[str]:
    """Return what somebody should know of the rows, in sentences."""
    said = []
    first = [np.asarray(x[:1]) for x in (*examples.inputs, examples.y) if isinstance(x, np.ndarray)]
    columns = [x for x in (*examples.inputs, examples.y) if isinstance(x, np.ndarray)]
    if len(examples) > 1 and len(columns) == len(examples.inputs) + 1:
        # A few rows tell that not all are alike.
        few = all((x[:64] == one).all() for x, one in zip(columns, first, strict=True))
        if few and all((x == one).all() for x, one in zip(columns, first, strict=True)):
            said.append("all rows are alike: there is nothing to learn but one answer")
    if examples.y.dtype.kind in "iu" and examples.y.ndim == 1 and len(examples):
        counts = np.bincount(examples.y[examples.y >= 0])
        single = np.flatnonzero(counts == 1)
        if len(single):
            shown = ", ".join(map(str, single[:8]))
            kind = "class" if len(single) == 1 else "classes"
            said.append(f"{kind} {shown}: one row each is too little to learn from")
    return said


def _numbers(examples: Examples) -> list[Any]:
    """Return the inputs that are arrays of floats, and the targets, where these are floats."""
    inputs = [x for x in examples.inputs if isinstance(x, np.ndarray) and x.dtype.kind == "f"]
    y = examples.y
    return [*inputs, y if y.dtype.kind == "f" else np.zeros((len(y), 1), np.float32)]


def size_of(x: Array) -> float:
    """Return the mean size of an array's numbers other than zero, but for the largest."""
    return _size(x.reshape(len(x), -1)) if len(x) else 0.0


def is_far_from_one(size: float) -> bool:
    """Return whether networks have trouble with numbers of this size; not of 0."""
    return bool(size) and not _SMALL <= size <= _LARGE


def _size(rows: Array) -> float:
    """Return the mean size of numbers other than zero, but for the largest."""
    step = max(len(rows) // _SAMPLE, 1)
    sizes = np.abs(rows[::step].astype(np.float64))
    sizes = sizes[sizes > 0.0]
    if not sizes.size:
        return 0.0
    return float(sizes[sizes <= np.quantile(sizes, _USUAL)].mean())
