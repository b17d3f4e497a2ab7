"""The scale of a quantity: its values as they are or their logarithms, from a centre, in a unit."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Quantity", "Scale", "spans_powers_of_ten"]

Floats = npt.NDArray[np.float64]
Scale = Literal["linear", "log"]

#: The quartiles of a normal distribution are so many standard deviations apart.
_QUARTILES = 1.349
#: Where all but the outermost hundredths span so many powers of ten, their logarithms are tried.
_MANY_POWERS = 3.0


class Quantity(NamedTuple):
    """How the values of a quantity become numbers of order 1, and back.

    On a linear scale y = (value - mean) / std; on a log scale y = (log(value + shift) - mean) /
    std.

    >>> scale = Quantity.of(np.array([1.0, 10.0, 100.0]), "log")
    >>> scale.values(scale.standardised(np.array([10.0, 1000.0]))).round(6).tolist()
    [10.0, 1000.0]
    """

    scale: Scale
    shift: float
    mean: float
    std: float

    @classmethod
    def of(cls, values: Floats, scale: Scale = "linear", *, robust: bool = False) -> Quantity:
        """Learn the scale of some values.

        Args:
            values: Finite, of shape (rows,), at least one; on a log scale none below 0.
            scale: "linear" or "log".
            robust: Whether median and quartiles decide, which a few odd values do not move,
                rather than mean and standard deviation.

        Returns:
            The scale; its `std` is 0 where the values do not vary.
        """
        shift = 0.0
        if scale == "log":
            least = float(values.min())
            # Zeros go half as far below the least value above them as it is large.
            shift = 0.0 if least > 0.0 else 0.5 * float(values[values > 0.0].min(initial=np.inf))
            values = np.log(values + shift)
        unit = _power_of_two(float(np.abs(values).max(initial=0.0)))
        # In units of a power of two nothing is rounded, and no square overflows or vanishes.
        scaled = values / unit
        mean, std = float(np.mean(scaled)), float(np.std(scaled))
        if robust and std:
            low, middle, high = np.quantile(scaled, [0.25, 0.5, 0.75]).tolist()
            mean, std = middle, (high - low) / _QUARTILES or std
        return cls(scale, shift, mean * unit, std * unit)

    def standardised(self, values: Floats) -> Floats:
        """Return values as numbers of order 1; those that have no logarithm as very low."""
        if self.scale == "log":
            lowest = max(math.exp(max(self.mean - 10.0 * self.std, -700.0)), 5e-324)
            values = np.log(np.maximum(values + self.shift, lowest))
        unit = _power_of_two(self.std)
        found: Floats = (values / unit - self.mean / unit) / (self.std / unit)
        return found

    def values(self, standardised: npt.NDArray[np.floating]) -> Floats:
        """Return numbers of order 1 as values in the quantity's own unit; some may be infinite."""
        with np.errstate(over="ignore"):
            values: Floats = np.asarray(standardised, dtype=np.float64) * self.std + self.mean
            if self.scale == "log":
                values = np.exp(values) - self.shift
        return values


def spans_powers_of_ten(values: Floats) -> bool:
    """Tell whether values are so many powers of ten apart that a log scale is worth a try.

    >>> spans_powers_of_ten(np.array([0.01, 3.0, 5e4])), spans_powers_of_ten(np.array([1.0, 9.0]))
    (True, False)
    """
    above = values[values > 0.0]
    if values.min() < 0.0 or not len(above):
        return False
    low, high = np.quantile(np.log10(above), [0.01, 0.99]).tolist()
    return bool(high - low >= _MANY_POWERS)


def _power_of_two(size: float) -> float:
    """Return the largest power of two that is not above size; 1 for 0."""
    return math.ldexp(1.0, math.frexp(size)[1] - 1) if size > 0.0 else 1.0
