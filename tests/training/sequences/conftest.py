from __future__ import annotations

from typing import Any

import numpy as np

Columns = dict[str, Any]


def waves(count: int = 40, seed: int = 0, least: int = 5, most: int = 40) -> Columns:
    """Return rows of sequences that rise or fall by turns, in noise, each from 'least' rows on."""
    draw = np.random.default_rng(seed)
    parts: dict[str, list[Any]] = {name: [] for name in ("id", "t", "a", "place", "y", "size")}
    for number in range(count):
        steps = int(draw.integers(least, most + 1))
        fast = bool(draw.integers(2))
        phase = np.arange(steps) * (1.6 if fast else 0.5) + draw.uniform(0, 6)
        parts["id"] += [f"s{number}"] * steps
        parts["t"] += list(range(steps))
        parts["a"] += (np.sin(phase) + 0.1 * draw.normal(size=steps)).tolist()
        parts["place"] += [["hip", "wrist", "ankle"][int(draw.integers(3))]] * steps
        parts["y"] += ["fast" if fast else "slow"] * steps
        parts["size"] += [float(steps)] * steps
    return parts


def shuffled(columns: Columns, seed: int = 0) -> Columns:
    """Return the same rows in a random order."""
    order = np.random.default_rng(seed).permutation(len(columns["id"]))
    return {name: [values[k] for k in order] for name, values in columns.items()}
