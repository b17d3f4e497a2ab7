"""Python numbers as NumPy takes them fastest: arrays without axes, of the dtype they meet."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from schuss.core import Array, float32, float64

__all__ = ["as_operand", "number"]

# NumPy takes an array of its own in half the time that a Python number costs it, so those met
# before are kept, by dtype and value. Zero is left out: there are two of them.
_NUMBERS: dict[np.dtype[Any], dict[float, Array]] = {float32: {}, float64: {}}
_MOST_NUMBERS = 1024


def as_operand(number: float, dtype: np.dtype[Any]) -> Any:
    """Return what NumPy computes with in the place of a number beside floats of `dtype`."""
    known = _NUMBERS[dtype]
    found = known.get(number)
    if found is not None:
        return found
    if type(number) is not float or not number or len(known) >= _MOST_NUMBERS:
        return number
    with np.errstate(over="ignore"):
        known[number] = found = np.array(number, dtype)
    return found


@lru_cache(256)
def _kept(value: float, dtype: np.dtype[Any]) -> Array:
    with np.errstate(over="ignore"):
        return np.array(value, dtype)


def number(value: float, dtype: np.dtype[Any]) -> Array:
    """Return a number as an array without axes, the same at every call unless it is zero."""
    return _kept(value, dtype) if value else np.array(value, dtype)
