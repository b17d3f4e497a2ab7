"""ColumnBuilder: the values of one column, block by block, in little memory."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from dataclasses import dataclass
from itertools import count
from typing import TypeGuard

import numpy as np
import numpy.typing as npt

from schuss.data.tables.coded_text import CodedText
from schuss.data.tables.parsing import TEXT, Array, has_leading_zeros, is_missing, parse_numbers
from schuss.data.tables.reading.concatenate import joined
from schuss.data.tables.stored_column import ColumnStore, StoredColumn
from schuss.data.tables.timestamps import iso_stamps, time_format
from schuss.data.tables.values import LARGEST_EXACT

__all__ = ["ColumnBuilder"]

#: A word in the dictionary takes about as much memory as so many rows do as numbers.
_ROWS_OF_A_WORD = 16
#: So few words are kept as such, however few rows there are.
_FEW_WORDS = 16
_SAMPLE = 2_000


@dataclass
class _Codes:
    """The words of some rows by their places in the dictionary."""

    codes: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.codes)


class ColumnBuilder:
    """The values of a column so far: as they came, as codes of words, or read from text.

    Args:
        rows: Rows above the first one that has the column.
        stays: Whether text must not be turned into numbers or dates.
    """

    def __init__(self, rows: int = 0, *, stays: bool = False) -> None:
        """Begin a column; see the class."""
        self._stays = stays
        # A number: so many rows without values.
        self._pieces: list[Array | _Codes | StoredColumn | int] = [rows]
        self._dictionary: defaultdict[str, int] = defaultdict(count().__next__)
        self._coded_rows = 0
        self._read_as: str | None = None
        self._broken = self._typed = False

    @property
    def holds_numbers(self) -> bool:
        """Whether text was turned into numbers."""
        return self._read_as == "numbers"

    @property
    def needs_text(self) -> bool:
        """Whether text was turned into numbers or dates, and there are other values as well."""
        return self._read_as is not None and (self._broken or self._typed)

    def add(self, values: Array) -> None:
        """Add the values of a block."""
        self._typed = self._typed or values.dtype != TEXT
        self._pieces.append(values)

    def skip(self, rows: int) -> None:
        """Add the rows of a block that lacks the column."""
        self._pieces.append(rows)

    def compact(self, *, plain: bool, store: ColumnStore | None = None) -> None:
        """Turn text into what takes less memory.

        Args:
            plain: Whether it may be turned into numbers. It may not where other columns have
                decimal commas, since 1.234 may be one thousand and some there.
            store: Where numbers and dates are put, or None.
        """
        begin = len(self._pieces)
        while begin and _is_text(self._pieces[begin - 1]):
            begin -= 1
        fresh = [piece for piece in self._pieces[begin:] if isinstance(piece, np.ndarray)]
        if fresh:
            self._pieces[begin:] = [np.concatenate(fresh) if len(fresh) > 1 else fresh[0]]
        for place, piece in enumerate(self._pieces):
            if isinstance(piece, np.ndarray) and piece.dtype == TEXT:
                self._pieces[place] = self._compacted(piece)
        if self._read_as is None and not self._stays:
            self._read_words(plain=plain)
        if store is not None:
            self._pieces = [
                store.keep(piece) if _is_compact(piece) else piece for piece in self._pieces
            ]

    def _compacted(self, text: Array) -> Array | _Codes:
        if self._read_as is None:
            self._coded_rows += len(text)
            places = map(self._dictionary.__getitem__, text.tolist())
            return _Codes(np.fromiter(places, np.int32, len(text)))
        read = _READERS[self._read_as](text)
        self._broken = self._broken or read is None
        return text if read is None else read

    def _read_words(self, *, plain: bool) -> None:
        """Read the words as numbers or dates where they are many, and so from then on."""
        many = max(_FEW_WORDS, self._coded_rows // _ROWS_OF_A_WORD)
        if len(self._dictionary) <= many:
            return
        words: Array = np.array(list(self._dictionary), dtype=TEXT)
        for name, reader in _READERS.items():
            read = reader(words) if plain or name != "numbers" else None
            if read is not None:
                self._read_as = name
                self._pieces = [
                    read[piece.codes] if isinstance(piece, _Codes) else piece
                    for piece in self._pieces
                ]
                self._dictionary.clear()
                return
        self._stays = True

    def column(self) -> Array | CodedText:
        """Return the whole column, and forget it."""
        pieces: list[Array | _Codes | int] = [
            piece.decoded() if isinstance(piece, StoredColumn) else piece for piece in self._pieces
        ]
        self._pieces = []
        words = list(self._dictionary)
        if not words:
            return joined([piece for piece in pieces if not isinstance(piece, _Codes)])
        if not self._typed:
            missing = words.index("") if "" in words else len(words)
            words += [""] * (missing == len(words))
            dtype = np.min_scalar_type(len(words) - 1)
            codes = [
                piece.codes.astype(dtype)
                if isinstance(piece, _Codes)
                else np.full(piece if isinstance(piece, int) else 0, missing, dtype)
                for piece in pieces
            ]
            return CodedText(words, np.concatenate(codes))
        held: Array = np.array(words, dtype=TEXT)
        return joined([held[p.codes] if isinstance(p, _Codes) else p for p in pieces])


def _is_text(piece: object) -> bool:
    return isinstance(piece, np.ndarray) and piece.dtype == TEXT


def _is_compact(piece: object) -> TypeGuard[Array]:
    return isinstance(piece, np.ndarray) and piece.dtype != TEXT


def _numbers(text: Array) -> Array | None:
    """Read text as numbers, if that keeps all that matters of it; else return None.

    Zeros in front are part of a code, and so are digits that a float64 does not hold.
    """
    numbers, bad = parse_numbers(text)
    if bad.any() or np.isinf(numbers).any():
        return None
    present = numbers[~np.isnan(numbers)]
    if bool(np.all(present == np.floor(present))):
        if float(np.abs(present).max(initial=0.0)) > LARGEST_EXACT or has_leading_zeros(text):
            return None
        with contextlib.suppress(ValueError):
            return text.astype(np.int64)
    return numbers


def _stamps(text: Array) -> Array | None:
    """Read text as dates, if all are of the year-first format; else return None."""
    stamps = iso_stamps(text)
    if stamps is None:
        return None
    some = [value.strip() for value in text[:: max(len(text) // _SAMPLE, 1)].tolist()]
    form = time_format([value for value in some if not is_missing(value)])
    return stamps if form == ("year first", False) else None


_READERS = {"numbers": _numbers, "dates": _stamps}
