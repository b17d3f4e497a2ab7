"""Codes: codes of categories in a small type, widened as a batch takes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.core import Array

__all__ = ["Codes", "widened"]


class Codes:
    """Many codes, in a quarter or half of the memory that a network's int32 takes.

    Args:
        codes: unsigned, of shape (rows, columns).

    >>> Codes(np.array([[3], [250]], np.uint8))[np.array([1])]
    array([[250]], dtype=int32)
    """

    def __init__(self, codes: Array) -> None:
        self._codes = codes
        self.shape = codes.shape

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, rows: Any) -> npt.NDArray[np.int32]:
        found: npt.NDArray[np.int32] = self._codes[rows].astype(np.int32)
        return found


def widened(codes: Array) -> Any:
    """Return codes as a network takes them, at least batch by batch."""
    return codes if codes.dtype == np.int32 else Codes(codes)
