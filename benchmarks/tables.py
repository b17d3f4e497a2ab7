"""Schuss beside scikit-learn's MLP and RealMLP_TD on tables, same rows, same columns.

    python benchmarks/tables.py                          # the three main tables, five seeds
    python benchmarks/tables.py --tables all --peers schuss realmlp
    python benchmarks/tables.py --json results.json      # adds to what the file holds already

For each seed a fifth of the rows is held out (stratified for classes) and used for nothing but the
figure printed: accuracy for classes, root mean squared error for values, each as mean ± standard
error over the seeds, with the seconds of one fit. scikit-learn's entry is its best plain pipeline
(imputer, scaler, one-hot, MLP), chosen from a few variants on a validation fifth of the training
rows and then fitted on all of them. RealMLP_TD has its defaults, with medians for missing numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Table:
    """One task: where the rows come from, what is predicted and what is left out."""

    name: str
    target: str
    classes: bool
    source: str
    exclude: tuple[str, ...] = ()
    text: tuple[str, ...] = field(default=(), metadata={"doc": "free text, which no peer can use"})


TITANIC_REPEATS = ("alive", "class", "who", "adult_male", "embark_town")
TABLES = {
    table.name: table
    for table in (
        Table("titanic", "survived", True, "titanic.csv", TITANIC_REPEATS),
        Table("mpg", "mpg", False, "mpg.csv", (), ("name",)),
        Table("taxis", "fare", False, "taxis.csv"),
        Table("taxis-payment", "payment", True, "taxis.csv"),
        Table("taxis-tip", "tip", False, "taxis.csv", ("total",)),
        Table("mpg-origin", "origin", True, "mpg.csv", (), ("name",)),
        Table("titanic-fare", "fare", False, "titanic.csv", TITANIC_REPEATS),
        Table("iris", "target", True, "sklearn:iris"),
        Table("wine", "target", True, "sklearn:wine"),
        Table("breast-cancer", "target", True, "sklearn:breast_cancer"),
        Table("digits", "target", True, "sklearn:digits"),
        Table("diabetes", "target", False, "sklearn:diabetes"),
    )
}
MAIN_TABLES = ("titanic", "mpg", "taxis")
PEERS = ("schuss", "sklearn", "realmlp")


def read(table: Table, data: Path) -> pd.DataFrame:
    """Return the rows of a table that have a target."""
    if table.source.startswith("sklearn:"):
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{table.source.removeprefix('sklearn:')}")(as_frame=True)
        frame = bunch.frame.copy()
        if table.classes:
            frame["target"] = frame["target"].map(lambda code: f"class {code}")
    else:
        frame = pd.read_csv(data / "tables" / table.source)
    frame = frame.drop(columns=list(table.exclude))
    return frame[frame[table.target].notna()].reset_index(drop=True)


def split(frame: pd.DataFrame, table: Table, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hold out a fifth of the rows, in proportion to the classes."""
    from sklearn.model_selection import train_test_split

    labels = frame[table.target] if table.classes else None
    train, test = train_test_split(frame, test_size=0.2, random_state=seed, stratify=labels)
    return train.reset_index(drop=True), test.reset_index(drop=True)


def peer_columns(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return the inputs as the peers can take them: numbers and categories, no text, no dates."""
    inputs = frame.drop(columns=[table.target, *table.text])
    columns: dict[str, Any] = {}
    for name in inputs.columns:
        column = inputs[name]
        if pd.api.types.is_bool_dtype(column):
            columns[name] = column.astype(str)
        elif pd.api.types.is_numeric_dtype(column):
            columns[name] = column.astype(float)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                stamps = pd.to_datetime(column, errors="coerce")
            if stamps.notna().mean() > 0.9:
                columns[f"{name} seconds"] = (stamps - pd.Timestamp(0)).dt.total_seconds()
                columns[f"{name} day"] = stamps.dt.day.astype(float)
                columns[f"{name} weekday"] = stamps.dt.dayofweek.astype(float)
                columns[f"{name} hour"] = stamps.dt.hour + stamps.dt.minute / 60.0
            else:
                columns[name] = column.astype(object).where(column.notna(), None)
    return pd.DataFrame(columns, index=inputs.index)


def score(table: Table, truth: pd.Series, predicted: Any) -> float:
    """Accuracy for classes, root mean squared error for values."""
    if table.classes:
        return float(np.mean(np.asarray(truth).astype(str) == np.asarray(predicted).astype(str)))
    error = np.asarray(truth, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)
    return float(np.sqrt(np.mean(error**2)))


def fit_schuss(table: Table, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Any:
    """Train Schuss with its defaults, as from the command line, and predict the held-out rows."""
    import schuss

    with tempfile.TemporaryDirectory() as folder:
        run = schuss.train(
            train,
            target=table.target,
            seed=seed,
            test_share=0.0,
            out=Path(folder) / "run",
            quiet=True,
        )
        return run.predict(test.drop(columns=[table.target]))


def fit_realmlp(table: Table, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Any:
    """Train pytabkit's RealMLP_TD with its defaults; missing numbers get the training median."""
    import logging

    from pytabkit import RealMLP_TD_Classifier, RealMLP_TD_Regressor

    for logger in ("lightning", "lightning.pytorch", "pytorch_lightning"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    inputs, held_out = peer_columns(train, table), peer_columns(test, table)
    numeric = inputs.select_dtypes("number").columns
    medians = inputs[numeric].median()
    inputs[numeric] = inputs[numeric].fillna(medians)
    held_out[numeric] = held_out[numeric].fillna(medians)
    others = [name for name in inputs.columns if name not in set(numeric)]
    inputs[others] = inputs[others].astype("category")
    for name in others:
        kinds = inputs[name].cat.categories
        held_out[name] = pd.Categorical(held_out[name], categories=kinds)
    kind = RealMLP_TD_Classifier if table.classes else RealMLP_TD_Regressor
    model = kind(random_state=seed, device="cpu", n_threads=1)
    target = train[table.target]
    model.fit(inputs, target.astype(str) if table.classes else target.astype(float))
    return model.predict(held_out)


def sklearn_variants(table: Table, inputs: pd.DataFrame, seed: int) -> list[Any]:
    """Return the plain pipelines that compete for scikit-learn."""
    from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
    from sklearn.impute import SimpleImputer
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numeric = list(inputs.select_dtypes("number").columns)
    others = [name for name in inputs.columns if name not in set(numeric)]
    numbers = make_pipeline(
        SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
    )
    categories = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing", missing_values=None),
        OneHotEncoder(handle_unknown="ignore"),
    )
    encode = ColumnTransformer([("numbers", numbers, numeric), ("others", categories, others)])
    options: tuple[dict[str, Any], ...] = (
        {},
        {"max_iter": 1000},
        {"alpha": 0.1, "max_iter": 500},
        {"alpha": 1.0, "max_iter": 500},
        {"early_stopping": True, "max_iter": 1000},
        {"hidden_layer_sizes": (256, 256), "early_stopping": True, "max_iter": 500},
    )
    if table.classes:
        return [make_pipeline(encode, MLPClassifier(random_state=seed, **o)) for o in options]
    return [
        TransformedTargetRegressor(
            make_pipeline(encode, MLPRegressor(random_state=seed, **o)),
            transformer=StandardScaler(),
        )
        for o in options
    ]


def fit_sklearn(table: Table, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Any:
    """Choose scikit-learn's best plain pipeline on validation rows, refit it on all, predict."""
    from sklearn.base import clone

    part, validation = split(train, table, seed + 1000)
    inputs, held_out = peer_columns(train, table), peer_columns(test, table)
    kind = str if table.classes else float
    target = train[table.target].astype(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        variants = sklearn_variants(table, inputs, seed)
        figures = []
        for variant in variants:
            model = clone(variant)
            model.fit(peer_columns(part, table), part[table.target].astype(kind))
            predicted = model.predict(peer_columns(validation, table))
            figure = score(table, validation[table.target], predicted)
            figures.append(figure if table.classes else -figure)
        return variants[int(np.argmax(figures))].fit(inputs, target).predict(held_out)


FITS: dict[str, Callable[[Table, pd.DataFrame, pd.DataFrame, int], Any]] = {
    "schuss": fit_schuss,
    "sklearn": fit_sklearn,
    "realmlp": fit_realmlp,
}


def cell(results: dict[str, dict[str, float]], table: Table, peer: str) -> str:
    """Format one entry of the table: mean ± standard error, and the seconds of a fit."""
    found = [r for key, r in results.items() if key.startswith(f"{table.name}/{peer}/")]
    if not found:
        return "–"
    figures = np.array([r["figure"] for r in found])
    error = figures.std(ddof=1) / np.sqrt(len(figures)) if len(figures) > 1 else float("nan")
    seconds = np.mean([r["seconds"] for r in found])
    return f"{figures.mean():.4f} ± {error:.4f} ({seconds:.1f} s)"


def markdown(results: dict[str, dict[str, float]], names: list[str], peers: list[str]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| table | figure | " + " | ".join(peers) + " |", "|---|---|" + "---|" * len(peers)]
    for name in names:
        table = TABLES[name]
        figure = "accuracy ↑" if table.classes else "RMSE ↓"
        cells = " | ".join(cell(results, table, peer) for peer in peers)
        lines.append(f"| {name} → {table.target} | {figure} | {cells} |")
    return "\n".join(lines)


def versions() -> str:
    """Name the machine and the versions that were measured."""
    from importlib import metadata

    parts = []
    for package in ("schuss", "numpy", "scikit-learn", "pytabkit", "torch"):
        try:
            parts.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            parts.append(f"{package} (not installed)")
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    return f"{machine}; {', '.join(parts)}"


def main(arguments: list[str] | None = None) -> None:
    """Run the chosen peers on the chosen tables and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tables", nargs="+", default=list(MAIN_TABLES), help="names, or 'all'")
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--seeds", type=int, default=5, help="number of held-out fifths")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--json", type=Path, help="keep the results here, and reuse them")
    options = parser.parse_args(arguments)
    names = list(TABLES) if options.tables == ["all"] else options.tables
    if unknown := [name for name in names if name not in TABLES]:
        parser.error(f"unknown tables {unknown}; there are {', '.join(TABLES)}")
    results: dict[str, dict[str, float]] = {}
    if options.json and options.json.exists():
        results = json.loads(options.json.read_text())
    for name in names:
        table = TABLES[name]
        frame = read(table, options.data)
        for seed in range(options.seeds):
            train, test = split(frame, table, seed)
            for peer in options.peers:
                key = f"{name}/{peer}/{seed}"
                if key in results:
                    continue
                start = time.perf_counter()
                predicted = FITS[peer](table, train, test, seed)
                seconds = time.perf_counter() - start
                results[key] = {
                    "figure": score(table, test[table.target], predicted),
                    "seconds": seconds,
                }
                print(f"{key}: {results[key]['figure']:.4f} in {seconds:.1f} s", flush=True)
                if options.json:
                    options.json.write_text(json.dumps(results, indent=1))
    print()
    print(markdown(results, names, options.peers))
    print()
    print(versions())


if __name__ == "__main__":
    main()
