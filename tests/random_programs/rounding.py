"""Whether results differ by more than rounding.

Sums in another order, or an exp of another library, round otherwise, and what follows may amplify
that: a division by a small difference, a comparison of what is nearly equal. How much is measured,
not guessed: what is computed eagerly is computed again with noise of a few units in the last
place, on its arguments and on the values on the way. Results may be off by as much as that moves
them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np

__all__ = ["Arrays", "Noise", "difference"]

Arrays: TypeAlias = Sequence[np.ndarray]
# Relative to the largest number of a result, without a look at what amplifies it.
TOLERANCES = {"float32": 1e-5, "float64": 2e-14}
# Units in the last place, runs with noise, and how much further than in any of them is a fault.
_UNITS, _RUNS, _MARGIN = 4.0, 6, 8.0


class Noise:
    """Noise of a few units in the last place, other noise in each run."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def factors(self, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """Return factors close to 1."""
        unit = _UNITS * np.finfo(dtype).eps
        return (1.0 + unit * self._rng.uniform(-1.0, 1.0, shape)).astype(dtype)

    def on(self, array: np.ndarray) -> np.ndarray:
        """Return an array with noise, or as it is where it holds no floats."""
        if array.dtype.kind != "f":
            return array
        return array * self.factors(array.shape, array.dtype)


def difference(
    found: Arrays, wanted: Arrays, noisy: Callable[[Noise], Arrays]
) -> tuple[int, str] | None:
    """Return the first result that differs by more than rounding, and how; or None.

    Args:
        found: what is looked at.
        wanted: what it should be.
        noisy: computes what is wanted with noise.
    """
    far = {}
    for place, (got, right) in enumerate(zip(found, wanted, strict=True)):
        if got.shape != right.shape or got.dtype != right.dtype:
            kinds = [f"{x.dtype}{list(x.shape)}" for x in (got, right)]
            return place, f"{kinds[0]} in the place of {kinds[1]}"
        off = _distance(got, right)
        if off > TOLERANCES.get(str(right.dtype), 0.0):
            far[place] = off
    if not far:
        return None
    runs = [noisy(Noise(seed)) for seed in range(_RUNS)]
    for place, off in far.items():
        moved = max(_distance(run[place], wanted[place]) for run in runs)
        if off > TOLERANCES.get(str(wanted[place].dtype), 0.0) + _MARGIN * moved:
            return place, f"off by {off:.2g} of the largest; rounding moves it by {moved:.2g}"
    return None


def _distance(got: np.ndarray, wanted: np.ndarray) -> float:
    """Return the largest difference relative to the largest number, infinite for other kinds."""
    if wanted.dtype.kind != "f":
        return 0.0 if np.array_equal(got, wanted) else np.inf
    same = np.isfinite(wanted)
    if not np.array_equal(got[~same], wanted[~same], equal_nan=True):
        return np.inf
    if not same.any():
        return 0.0
    with np.errstate(all="ignore"):
        worst = float(np.abs(got[same] - wanted[same]).max())
    return worst / max(float(np.abs(wanted[same]).max()), 1e-3) if np.isfinite(worst) else np.inf
