"""What rows and outputs show: labels that contradict each other, outputs that are all the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schuss.core import Array
from schuss.inspect.finding import Finding

__all__ = ["collapsed_outputs", "contradicting_labels"]

# Outputs that vary by less than this, relative to their size (at least 1), say the same of all.
_COLLAPSED = 1e-4


def contradicting_labels(inputs: Sequence[Array], y: Array) -> list[Finding]:
    """Say which rows have the same inputs and different targets."""
    seen: dict[bytes, int] = {}
    pairs = []
    for row in range(len(y)):
        key = b"|".join(np.ascontiguousarray(x[row]).tobytes() for x in inputs)
        first = seen.setdefault(key, row)
        if not np.array_equal(y[first], y[row]):
            pairs.append((first + 1, row + 1))
    if not pairs:
        return []
    shown = ", ".join(f"{i} and {j}" for i, j in pairs[:3])
    more = f", and {len(pairs) - 3} more" if len(pairs) > 3 else ""
    text = f"labels contradict each other: rows {shown}{more} have the same inputs"
    return [Finding("contradicting labels", "", text, len(pairs) / len(y))]


def collapsed_outputs(output: Array, y: Array) -> list[Finding]:
    """Say that the network gives all rows the same, though their targets differ."""
    values = output.reshape(len(output), -1).astype(np.float64)
    if len(values) < 2 or (y == y[:1]).all():
        return []
    spread = values.std(axis=0).max()
    if spread > _COLLAPSED * max(float(np.abs(values).max()), 1.0):
        return []
    text = "the outputs have collapsed: every row gets the same, though the targets differ"
    return [Finding("collapsed outputs", "", text, float(spread))]
