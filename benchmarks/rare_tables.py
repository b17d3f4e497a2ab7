"""Tables with rare classes, made from what scikit-learn ships or generates, for `tables.py`.

Of those that are drawn from a known chance it is in the column `TRUTH`, which nobody learns from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

TRUTH = "true chance of yes"


def thinned(frame: pd.DataFrame, target: str, label: str, share: float) -> pd.DataFrame:
    """Keep a share of the rows of one class."""
    draw = np.random.default_rng(0).random(len(frame))
    return frame[(frame[target] != label) | (draw < share)].reset_index(drop=True)


def shipped(name: str, label: int, share: float) -> pd.DataFrame:
    """Return a data set of scikit-learn's as one class against the rest, with part of its rows."""
    from sklearn import datasets

    frame = getattr(datasets, f"load_{name}")(as_frame=True).frame.copy()
    frame["target"] = np.where(frame["target"] == label, "yes", "no")
    return thinned(frame, "target", "yes", share)


def drawn(log_odds: Callable[[Any], Any], rows: int, columns: int) -> pd.DataFrame:
    """Draw rows whose class is yes with a chance that is known."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, columns))
    chance = 1.0 / (1.0 + np.exp(-log_odds(x)))
    frame = pd.DataFrame(x, columns=[f"x{k}" for k in range(columns)])
    frame["target"] = np.where(rng.random(rows) < chance, "yes", "no")
    frame[TRUTH] = chance
    return frame


def generated(rows: int, **options: Any) -> pd.DataFrame:
    """Draw rows by scikit-learn's `make_classification`."""
    from sklearn.datasets import make_classification

    shape = {"n_features": 10, "n_informative": 5, "n_redundant": 2, "flip_y": 0.01}
    x, y = make_classification(rows, random_state=7, **shape, **options)
    frame = pd.DataFrame(x, columns=[f"x{k}" for k in range(10)])
    return frame.assign(target=[f"class {code}" for code in y])


#: Each with the share of its rows that is held out: more where rows cost nothing.
RARE: dict[str, tuple[float, Callable[[], pd.DataFrame]]] = {
    "cancer-11%": (0.3, lambda: shipped("breast_cancer", 0, 0.2)),
    "digit-8": (0.3, lambda: shipped("digits", 8, 1.0)),
    "wine-13%": (0.3, lambda: shipped("wine", 2, 0.4)),
    "made-3%": (0.6, lambda: generated(7500, weights=[0.97], class_sep=0.8)),
    "made-5%": (0.8, lambda: generated(6000, weights=[0.95])),
    "made-three": (
        0.6,
        lambda: generated(10_000, n_classes=3, weights=[0.9, 0.08], n_clusters_per_class=1),
    ),
    "line-0.4%": (0.5, lambda: drawn(lambda x: -8 + 2 * x[:, 0] + x[:, 1], 20_000, 4)),
    "line-6%": (0.8, lambda: drawn(lambda x: -4 + 1.5 * x[:, 0] + x[:, 1], 7500, 6)),
    "waves-7%": (
        0.5,
        lambda: drawn(lambda x: -5 + 3 * np.sin(2 * x[:, 0]) + 2 * x[:, 1] * x[:, 2], 10_000, 6),
    ),
    "noise-2%": (0.8, lambda: drawn(lambda x: np.full(len(x), -4.0), 5000, 8)),
}
