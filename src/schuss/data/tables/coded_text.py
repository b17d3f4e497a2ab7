"""CodedText: a column of text held as its different values and each row's place among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss.data.tables.parsing import TEXT, Array, NumberFormat, parse_numbers
from schuss.data.tables.timestamps import TimeFormat, parse_stamps

__all__ = ["CodedText"]


class CodedText:
    """A column of text that repeats: one to four bytes a row, and what its words are read as.

    Args:
        words: The different values, some of which the rows may lack.
        codes: Place of each row's value among them, unsigned or signed whole numbers of shape
            (rows,).

    >>> column = CodedText(["b", "a"], np.array([0, 1, 0]))
    >>> column.decoded().tolist(), column[:1].decoded().tolist()
    (['b', 'a', 'b'], ['b'])
    """

    dtype = TEXT

    def __init__(self, words: Sequence[str], codes: Array) -> None:
        """Hold words and codes; see the class."""
        self.words = list(words)
        self.codes = codes
        # What the words were read as, by reading; rows taken from the column take it along.
        self._read: dict[str, tuple[Array, Array]] = {}

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.codes)

    def __getitem__(self, rows: Any) -> CodedText:
        """Return the column of these rows: positions, a mask or a slice."""
        found = CodedText((), self.codes[rows])
        found.words, found._read = self.words, self._read
        return found

    def decoded(self) -> Array:
        """Return the text of each row, of shape (rows,)."""
        words: Array = np.array(self.words, dtype=TEXT)
        return words[self.codes]

    def numbers(self, style: NumberFormat) -> tuple[Array, Array]:
        """Read each row as a number; see `schuss.data.tables.parsing.parse_numbers`."""
        if style not in self._read:
            self._read[style] = parse_numbers(np.array(self.words, dtype=TEXT), style)
        numbers, bad = self._read[style]
        return numbers[self.codes], bad[self.codes]

    def stamps(self, style: TimeFormat) -> tuple[Array, Array]:
        """Read each row as a date; see `schuss.data.tables.timestamps.parse_stamps`."""
        if style not in self._read:
            self._read[style] = parse_stamps(np.array(self.words, dtype=TEXT), style)
        stamps, bad = self._read[style]
        return stamps[self.codes], bad[self.codes]
