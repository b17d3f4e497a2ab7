"""Bins of numbers: codes for embeddings, for what a smooth function of a number cannot follow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Binned", "bin_codes", "learn_bins", "telling_rows"]

Floats = npt.NDArray[np.float64]

#: From so many training rows on, a bin has enough of them to learn from.
_LEAST_ROWS = 5_000
_ROWS_OF_A_BIN = 50
#: Values that repeat so often have bins of their own, up to the most bins; others share a few.
_REPEATS = 4
_MOST_BINS = 1_024
_BINS_OF_MEASUREMENTS = 64
#: Beyond so many numbers, the embeddings would be most of the network.
_MOST_NUMBERS = 64


@dataclass(frozen=True)
class Binned:
    """A number's bins: code k + 1 is from edges[k - 1] to below edges[k]; 0 is missing."""

    name: str
    edges: list[float]


def telling_rows(classes: npt.NDArray[np.int64]) -> int:
    """Return as how many rows of two equal classes so many rows of some classes tell.

    What can be learned of a rare class is in its own rows, however many others there are.

    Args:
        classes: Codes from 0, of shape (rows,).

    >>> telling_rows(np.array([0, 0, 0, 0, 0, 1])), telling_rows(np.array([0, 1, 2]))
    (2, 3)
    """
    return min(len(classes), 2 * (len(classes) - int(np.bincount(classes).max(initial=0))))


def learn_bins(numbers: Mapping[str, Floats], telling: int | None = None) -> list[Binned]:
    """Cut each number into bins of about as many rows, one for each value where they are few.

    An embedding of the bins is a free function of the number, step by step, as that of a tree is.
    It takes many rows, and helps where something happened at certain hours, days or prices.

    Args:
        numbers: values by name in the training rows, NaN where missing, each of shape (rows,). On
            few rows, or with many numbers, there are no bins.
        telling: How many of the rows count; see `telling_rows`. None for all.

    >>> learn_bins({"x": np.arange(6000.0) % 4})
    [Binned(name='x', edges=[0.5, 1.5, 2.5])]
    """
    rows = len(next(iter(numbers.values()), ()))
    if (
        min(rows, rows if telling is None else telling) < _LEAST_ROWS
        or len(numbers) > _MOST_NUMBERS
    ):
        return []
    found = {name: _edges(values[~np.isnan(values)]) for name, values in numbers.items()}
    return [Binned(name, edges.tolist()) for name, edges in found.items() if len(edges) > 1]


def _edges(values: Floats) -> Floats:
    """Return the borders between bins, in rising order."""
    distinct = np.unique(values)
    most = _MOST_BINS if _REPEATS * len(distinct) <= len(values) else _BINS_OF_MEASUREMENTS
    bins = min(most, len(values) // _ROWS_OF_A_BIN)
    if len(distinct) > bins:
        # Of a value that fills several bins, one is left.
        borders = np.unique(np.quantile(values, np.arange(1, bins) / bins, method="higher"))
        above: Floats = borders[borders > distinct[0]]
        return above
    # Halved first, so that two huge numbers have a finite mean.
    return distinct[:-1] * 0.5 + distinct[1:] * 0.5


def bin_codes(values: Floats, binned: Binned) -> npt.NDArray[np.int32]:
    """Return the bin of each value, from 1 to len(edges) + 1, and 0 where it is missing."""
    codes = np.searchsorted(binned.edges, values, side="right").astype(np.int32) + np.int32(1)
    codes[np.isnan(values)] = 0
    return codes
