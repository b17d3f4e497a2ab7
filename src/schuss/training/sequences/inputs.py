"""A network's inputs: sequences as one flat array and its borders, padded batch by batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from schuss.core import Array

__all__ = ["Padded", "SequenceFormat"]

# So many steps a network sees at most, and so many rows of a sequence are one step then, that all
# but the longest twentieth of the sequences fit in.
_MOST_STEPS = 512
# The steps are those of the longest sequence, if that is not far longer than nearly all.
_FAR = 2.0
# Padded sequences up to this size are made once, and not in each epoch.
_KEPT_BYTES = 256 * 2**20


@dataclass(frozen=True)
class SequenceFormat:
    """What the rows of a sequence become: steps.

    Args:
        steps: how many there may be; of a longer sequence the last ones are taken.
        rows: rows of a sequence that are one step, as their means and standard deviations.
    """

    steps: int
    rows: int = 1

    @classmethod
    def choose(cls, lengths: Array) -> SequenceFormat:
        """Choose what fits sequences of these numbers of rows.

        >>> SequenceFormat.choose(np.array([10, 12, 11]))
        SequenceFormat(steps=16, rows=1)
        """
        usual = float(np.percentile(lengths, 95))
        rows = max(1, int(np.ceil(usual / _MOST_STEPS)))
        longest = min(float(lengths.max()), _FAR * usual) / rows
        return cls(min(int(np.ceil(longest / 8.0)) * 8, _MOST_STEPS), rows)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> SequenceFormat:
        """Make what `to_config` described."""
        return cls(**config)

    def to_config(self) -> dict[str, int]:
        """Return it as JSON can hold it."""
        return asdict(self)

    @property
    def factor(self) -> int:
        """Numbers of a step for each number of a row."""
        return 1 if self.rows == 1 else 2

    def describe(self, lengths: Array) -> list[str]:
        """Return what is done to long sequences, as sentences to show."""
        found = []
        if self.rows > 1:
            found.append(
                f"long sequences: {self.rows:,} rows are one step each, as their means and "
                "standard deviations"
            )
        cut = int((-(-lengths // self.rows) > self.steps).sum())
        if cut:
            found.append(
                f"of {cut:,} far longer {'sequence' if cut == 1 else 'sequences'} the last "
                f"{self.steps * self.rows:,} rows are taken"
            )
        return found

    def inputs(self, numbers: Array, codes: Array, starts: Array) -> tuple[Any, ...]:
        """Return what the network is called with, of each sequence.

        Args:
            numbers: of each row, float32 of shape (rows, columns).
            codes: of each row, whole numbers of shape (rows, columns).
            starts: where each sequence starts, and the number of rows.
        """
        lengths = np.diff(starts)
        first = starts[:-1] + np.maximum(lengths - self.steps * self.rows, 0)
        counts = -(-(starts[1:] - first) // self.rows)
        borders = np.concatenate([[0], np.cumsum(counts)])
        within = np.arange(borders[-1]) - np.repeat(borders[:-1], counts)
        begin = np.repeat(first, counts) + within * self.rows
        if self.rows == 1:
            steps = numbers[begin]
        else:
            end = np.minimum(begin + self.rows, np.repeat(starts[1:], counts))
            steps = _means_and_deviations(numbers, begin, end)
        parts = [Padded(steps, borders, self.steps)]
        if codes.shape[1]:
            parts.append(Padded(codes[begin].astype(np.int32), borders, self.steps))
        made = [part[:] if part.nbytes <= _KEPT_BYTES else part for part in parts]
        return (made[0], counts.astype(np.int32), *made[1:])


def _means_and_deviations(numbers: Array, begin: Array, end: Array) -> Array:
    """Return means and standard deviations of the rows from begin to end, side by side."""
    found = np.empty((len(begin), 2 * numbers.shape[1]), np.float32)
    if not len(begin):
        return found
    count = (end - begin)[:, None]
    # Pairs of borders; what lies between the end of one and the begin of the next is not used.
    borders = np.stack([begin, end], axis=1).ravel()
    for column in range(numbers.shape[1]):
        values = np.append(numbers[:, column].astype(np.float64), 0.0)
        mean = np.add.reduceat(values, borders)[::2] / count[:, 0]
        square = np.add.reduceat(values * values, borders)[::2] / count[:, 0]
        found[:, column] = mean
        found[:, numbers.shape[1] + column] = np.sqrt(np.maximum(square - mean * mean, 0.0))
    return found


class Padded:
    """Sequences of unequal lengths: `padded[rows]` is an array of these, with zeros at the ends.

    Args:
        flat: steps of all sequences, shape (all steps, columns).
        starts: where each sequence starts in it, and the number of all steps.
        steps: of a padded sequence.

    >>> Padded(np.array([[1], [2], [3]]), np.array([0, 1, 3]), 2)[:].tolist()
    [[[1], [0]], [[2], [3]]]
    """

    def __init__(self, flat: Array, starts: Array, steps: int) -> None:
        self._flat, self._starts, self._steps = flat, starts, steps

    def __len__(self) -> int:
        return len(self._starts) - 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all padded sequences together."""
        return (len(self), self._steps, self._flat.shape[1])

    @property
    def nbytes(self) -> int:
        """How large they would be in memory."""
        return int(np.prod(self.shape)) * self._flat.dtype.itemsize

    def __getitem__(self, rows: Array | slice) -> Array:
        start, end = self._starts[:-1][rows, None], self._starts[1:][rows, None]
        places = start + np.arange(self._steps)
        inside = places < end
        found = np.zeros((*places.shape, self._flat.shape[1]), self._flat.dtype)
        found[inside] = self._flat[places[inside]]
        return found
