"""Quality on sequences of a table's rows, beside scikit-learn on summary statistics of each.

    python benchmarks/sequences.py                     all sets that are there
    python benchmarks/sequences.py gait order          some of them
    python benchmarks/sequences.py --seeds 3

`gait` and `order` are made here: accelerations of three axes while somebody walks, runs, climbs or
sits, and logs whose rows say nothing but for the order in which two things happen. The others are
measurements that the package aeon ships (`pip install --no-deps aeon` is enough), with its own
shares to learn from and to test. All go in as one table of rows.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

Sets = dict[str, Callable[[], tuple[pd.DataFrame, pd.DataFrame]]]

AEON = (
    "ArrowHead",
    "BasicMotions",
    "GunPoint",
    "ItalyPowerDemand",
    "JapaneseVowels",
    "OSULeaf",
    "PickupGestureWiimoteZ",
)


def table(sequences: Iterator[tuple[str, np.ndarray]]) -> pd.DataFrame:
    """Put sequences, a label and an array (rows, columns) each, below each other."""
    parts = []
    for number, (label, values) in enumerate(sequences):
        part = pd.DataFrame(values, columns=[f"x{k}" for k in range(values.shape[1])])
        part.insert(0, "row", np.arange(len(values)))
        part.insert(0, "sequence", f"s{number}")
        part["label"] = label
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def gait(count: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield accelerations: cadence and shape of a step tell what somebody does, in much noise."""
    draw = np.random.default_rng(seed)
    cadences = {"walk": 1.8, "run": 2.6, "stairs": 1.5, "sit": 0.3}
    for _ in range(count):
        label = list(cadences)[int(draw.integers(4))]
        moments = np.arange(int(draw.integers(40, 160))) * 0.05
        turn = 2 * np.pi * cadences[label] * draw.normal(1.0, 0.12) * moments
        second = 0.5 + 0.5 * (label == "stairs")
        axes = [(1.0, 1.0), (2.0, second), (1.5, 0.4)]
        shape = [size * np.sin(rate * turn + draw.uniform(0, 6.28)) for rate, size in axes]
        values = np.stack(shape, 1) * draw.lognormal(0.0, 0.5)
        yield label, values + draw.normal(0, 0.6, values.shape) + draw.normal(0, 1, 3)


def order(count: int, seed: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield noise with two bumps; which of two signals has the first one is the label."""
    draw = np.random.default_rng(seed)
    for _ in range(count):
        length = int(draw.integers(40, 120))
        values = draw.normal(0, 0.7, (length, 2))
        first = int(draw.integers(2, length - 20))
        then = int(draw.integers(first + 8, length - 6))
        which = int(draw.integers(2))
        values[first : first + 5, which] += 2.0
        values[then : then + 5, 1 - which] += 2.0
        yield ("left", "right")[which], values


def read_ts(path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the sequences of a .ts file: dimensions between colons, the label last."""
    text = path.read_text()
    for line in re.split(r"@data\s*", text, flags=re.IGNORECASE)[1].splitlines():
        if line.strip():
            *dimensions, label = line.strip().split(":")
            values = [np.array(d.split(","), float) for d in dimensions]
            yield label, np.stack([v[: min(map(len, values))] for v in values], 1)


def known_sets() -> Sets:
    """Return what makes the shares to learn from and to test of each set."""
    made: Sets = {
        "gait": lambda: (table(gait(400, 0)), table(gait(1000, 1))),
        "order": lambda: (table(order(800, 0)), table(order(1000, 1))),
    }
    found = importlib.util.find_spec("aeon")
    for name in AEON if found is not None and found.origin is not None else ():
        folder = Path(found.origin).parent / "datasets" / "data" / name
        made[name] = lambda folder=folder, name=name: (
            table(read_ts(folder / f"{name}_TRAIN.ts")),
            table(read_ts(folder / f"{name}_TEST.ts")),
        )
    return made


def statistics(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return statistics of each sequence's columns, as somebody would take by hand, and labels."""
    features, labels = [], []
    for _, part in rows.groupby("sequence", sort=False):
        x = part.filter(regex=r"^x\d+$").to_numpy()
        steps = np.abs(np.diff(x, axis=0)) if len(x) > 1 else np.zeros_like(x)
        crossings = (np.diff(np.sign(x - x.mean(0)), axis=0) != 0).mean(0) if len(x) > 1 else x[0]
        quartiles = np.percentile(x, [0, 25, 50, 75, 100], axis=0).ravel()
        parts = [
            x.mean(0),
            x.std(0),
            quartiles,
            x[0],
            x[-1],
            steps.mean(0),
            steps.max(0),
            crossings,
        ]
        correlations = np.nan_to_num(np.atleast_2d(np.corrcoef(x.T)))
        correlations = correlations[np.triu_indices(x.shape[1], 1)]
        features.append(np.concatenate([*parts, np.ravel(correlations), [len(x)]]))
        labels.append(part["label"].iloc[0])
    return np.array(features), np.array(labels)


def baselines(training: pd.DataFrame, testing: pd.DataFrame) -> dict[str, float]:
    """Return the accuracy of scikit-learn's models on statistics."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    (x, y), (new, right) = statistics(training), statistics(testing)
    models = {
        "logistic": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "boosting": HistGradientBoostingClassifier(random_state=0),
    }
    return {name: float(model.fit(x, y).score(new, right)) for name, model in models.items()}


def ours(training: pd.DataFrame, testing: pd.DataFrame, seed: int, **options: Any) -> float:
    """Return the accuracy of `schuss.train` with its defaults."""
    import schuss as ss

    with tempfile.TemporaryDirectory() as folder:
        run = ss.train(
            training,
            target="label",
            sequence="sequence",
            order="row",
            test_share=0.0,
            task="classification",
            seed=seed,
            quiet=True,
            out=Path(folder) / "run",
            **options,
        )
        return float(run.evaluate(testing)["accuracy"] or 0.0)


def main() -> None:
    """Print a line for each set."""
    sets = known_sets()
    read = argparse.ArgumentParser(description=__doc__)
    read.add_argument("sets", nargs="*", choices=[*sets, []], metavar="SET", help=", ".join(sets))
    read.add_argument("--seeds", type=int, default=1)
    given = read.parse_args()
    print(f"{'accuracy':22} {'rows':>7} {'logistic':>9} {'boosting':>9} {'schuss':>9}   seconds")
    for name in given.sets or sets:
        training, testing = sets[name]()
        peers = baselines(training, testing)
        begun, cpu = time.perf_counter(), time.process_time()
        found = [ours(training, testing, seed) for seed in range(given.seeds)]
        wall, used = time.perf_counter() - begun, time.process_time() - cpu
        figures = [*peers.values(), float(np.mean(found))]
        shown = " ".join(f"{figure:9.3f}" for figure in figures)
        each = f"{wall / given.seeds:.0f} (of the processor {used / given.seeds:.0f})"
        print(f"{name:22} {len(training):7,} {shown}   {each}", flush=True)


if __name__ == "__main__":
    main()
