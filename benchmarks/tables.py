"""Schuss beside scikit-learn's models and RealMLP_TD on tables, same rows, same columns.

    python benchmarks/tables.py                          # the three main tables, five seeds
    python benchmarks/tables.py --tables all --peers schuss realmlp
    python benchmarks/tables.py --tables rare --peers schuss logistic boosting truth --seeds 3
    python benchmarks/tables.py --json results.json      # adds to what the file holds already

For each seed a share of the rows (a fifth, more where rows are drawn) is held out, stratified for
classes, and used for nothing but the figures printed: accuracy, log loss and calibration error for
classes, root mean squared error for values, each as mean ± standard error over the seeds, with the
seconds of one fit. sklearn is its best plain pipeline (imputer, scaler, one-hot, MLP), chosen from
a few variants on a validation fifth of the training rows and then fitted on all of them; logistic
and boosting are its LogisticRegression (with the same pipeline) and HistGradientBoostingClassifier
with their defaults. RealMLP_TD has its defaults, with medians for missing numbers. truth is the
chance that rows were drawn by, where it is known.

The calibration error is the mean over the classes of the mean over ten groups of rows, equally many
by their chance of the class, of |mean chance - share of the class|.
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

from rare_tables import RARE, TRUTH

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Table:
    """One task: where the rows come from, what is predicted and what is left out."""

    name: str
    target: str
    classes: bool
    source: str
    exclude: tuple[str, ...] = ()
    held: float = 0.2
    text: tuple[str, ...] = field(default=(), metadata={"doc": "free text, which no peer can use"})


TITANIC_REPEATS = ("alive", "class", "who", "adult_male", "embark_town")
TABLES = {
    table.name: table
    for table in (
        Table("titanic", "survived", True, "titanic.csv", TITANIC_REPEATS),
        Table("mpg", "mpg", False, "mpg.csv", text=("name",)),
        Table("taxis", "fare", False, "taxis.csv"),
        Table("taxis-payment", "payment", True, "taxis.csv"),
        Table("taxis-tip", "tip", False, "taxis.csv", ("total",)),
        Table("mpg-origin", "origin", True, "mpg.csv", text=("name",)),
        Table("titanic-fare", "fare", False, "titanic.csv", TITANIC_REPEATS),
        Table("iris", "target", True, "sklearn:iris"),
        Table("wine", "target", True, "sklearn:wine"),
        Table("breast-cancer", "target", True, "sklearn:breast_cancer"),
        Table("digits", "target", True, "sklearn:digits"),
        Table("diabetes", "target", False, "sklearn:diabetes"),
        *(Table(name, "target", True, "rare", held=held) for name, (held, _) in RARE.items()),
    )
}
SETS = {
    "all": [table.name for table in TABLES.values() if table.source != "rare"],
    "rare": list(RARE),
}
MAIN_TABLES = ("titanic", "mpg", "taxis")
PEERS = ("schuss", "sklearn", "realmlp", "logistic", "boosting", "truth")


def read(table: Table, data: Path) -> pd.DataFrame:
    """Return the rows of a table that have a target."""
    if table.source == "rare":
        return RARE[table.name][1]()
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
    """Hold out a share of the rows, in proportion to the classes."""
    from sklearn.model_selection import train_test_split

    labels = frame[table.target] if table.classes else None
    train, test = train_test_split(frame, test_size=table.held, random_state=seed, stratify=labels)
    return train.reset_index(drop=True), test.reset_index(drop=True)


def peer_columns(frame: pd.DataFrame, table: Table) -> pd.DataFrame:
    """Return the inputs as the peers can take them: numbers and categories, no text, no dates."""
    inputs = frame.drop(columns=[table.target, *table.text, TRUTH], errors="ignore")
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


@dataclass(frozen=True)
class Predicted:
    """What a model says of the held-out rows: values or classes, and the chances of the latter."""

    values: Any
    chances: Any = None
    classes: Any = None

    @classmethod
    def by(cls, table: Table, model: Any, inputs: pd.DataFrame) -> Predicted:
        """Ask a model with scikit-learn's face."""
        if not table.classes:
            return cls(model.predict(inputs))
        return cls(model.predict(inputs), model.predict_proba(inputs), model.classes_)


def score(table: Table, truth: pd.Series, predicted: Any) -> float:
    """Accuracy for classes, root mean squared error for values."""
    if table.classes:
        return float(np.mean(np.asarray(truth).astype(str) == np.asarray(predicted).astype(str)))
    error = np.asarray(truth, dtype=np.float64) - np.asarray(predicted, dtype=np.float64)
    return float(np.sqrt(np.mean(error**2)))


def figures_of(table: Table, truth: pd.Series, predicted: Predicted) -> dict[str, float]:
    """Return all figures of one fit, by name."""
    found = {"figure": score(table, truth, predicted.values)}
    if predicted.chances is not None:
        names = [str(label) for label in predicted.classes]
        codes = np.array([names.index(str(label)) for label in truth])
        chances = np.asarray(predicted.chances, dtype=np.float64)
        chosen = np.clip(chances[np.arange(len(codes)), codes], 1e-15, 1.0)
        found["log loss"] = float(-np.log(chosen).mean())
        found["calibration error"] = calibration_error(chances, codes)
    return found


def calibration_error(chances: Any, codes: Any, groups: int = 10) -> float:
    """Return how far chances are from shares, in groups of equally many rows; see above."""
    errors = []
    for code, chance in enumerate(chances.T):
        gap = chance - (codes == code)
        parts = np.array_split(gap[np.argsort(chance, kind="stable")], groups)
        errors.append(sum(abs(part.sum()) for part in parts) / len(codes))
    return float(np.mean(errors))


def fit_schuss(table: Table, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Any:
    """Train Schuss with its defaults, as from the command line, and predict the held-out rows."""
    import schuss

    with tempfile.TemporaryDirectory() as folder:
        run = schuss.train(
            train.drop(columns=[TRUTH], errors="ignore"),
            target=table.target,
            seed=seed,
            test_share=0.0,
            out=Path(folder) / "run",
            quiet=True,
        )
        rows = test.drop(columns=[table.target])
        chances = run.predict_proba(rows) if table.classes else None
        return Predicted(run.predict(rows), chances, run.classes)


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
    return Predicted.by(table, model, held_out)


def encoder(inputs: pd.DataFrame, *, one_hot: bool = True) -> Any:
    """Return scikit-learn's preprocessing: scaled and one-hot columns, or as trees take them."""
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

    numeric = list(inputs.select_dtypes("number").columns)
    others = [name for name in inputs.columns if name not in set(numeric)]
    numbers: Any = "passthrough"
    codes: Any = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    if one_hot:
        codes = OneHotEncoder(handle_unknown="ignore")
        numbers = make_pipeline(
            SimpleImputer(strategy="median", keep_empty_features=True), StandardScaler()
        )
    categories = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="missing", missing_values=None), codes
    )
    return ColumnTransformer([("numbers", numbers, numeric), ("others", categories, others)])


def fit_logistic(table: Table, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Any:
    """Fit scikit-learn's LogisticRegression."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    inputs = peer_columns(train, table)
    model = make_pipeline(encoder(inputs), LogisticRegression(max_iter=1000))
    model.fit(inputs, train[table.target].astype(str))
    return Predicted.by(table, model, peer_columns(test, table))


def fit_boosting(table: Table, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Any:
    """Fit scikit-learn's HistGradientBoostingClassifier."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline

    inputs = peer_columns(train, table)
    trees = HistGradientBoostingClassifier(random_state=seed)
    model = make_pipeline(encoder(inputs, one_hot=False), trees)
    model.fit(inputs, train[table.target].astype(str))
    return Predicted.by(table, model, peer_columns(test, table))


def fit_truth(table: Table, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Any:
    """Return the chances that the rows were drawn by."""
    chance = test[TRUTH].to_numpy()
    classes = np.array(["no", "yes"])
    return Predicted(
        classes[(chance > 0.5).astype(int)], np.stack([1 - chance, chance], 1), classes
    )


def sklearn_variants(table: Table, inputs: pd.DataFrame, seed: int) -> list[Any]:
    """Return the plain pipelines that compete for scikit-learn."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    encode = encoder(inputs)
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
        best = variants[int(np.argmax(figures))].fit(inputs, target)
        return Predicted.by(table, best, held_out)


FITS: dict[str, Callable[[Table, pd.DataFrame, pd.DataFrame, int], Any]] = {
    "schuss": fit_schuss,
    "sklearn": fit_sklearn,
    "realmlp": fit_realmlp,
    "logistic": fit_logistic,
    "boosting": fit_boosting,
    "truth": fit_truth,
}


def can(peer: str, table: Table) -> bool:
    """Tell whether a peer fits a table at all."""
    if peer == "truth":
        return table.source == "rare" and TRUTH in RARE[table.name][1]()
    return table.classes or peer not in ("logistic", "boosting")


def cell(
    results: dict[str, dict[str, float]], table: Table, peer: str, figure: str, *, seconds: bool
) -> str:
    """Format one entry of the table: mean ± standard error, and the seconds of a fit."""
    found = [r for key, r in results.items() if key.startswith(f"{table.name}/{peer}/")]
    values = np.array([r[figure] for r in found if figure in r])
    if not len(values):
        return "–"
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    took = f" ({np.mean([r['seconds'] for r in found]):.1f} s)" if seconds else ""
    return f"{values.mean():.4f} ± {error:.4f}{took}"


def markdown(results: dict[str, dict[str, float]], names: list[str], peers: list[str]) -> str:
    """Return the results as a Markdown table."""
    lines = ["| table | figure | " + " | ".join(peers) + " |", "|---|---|" + "---|" * len(peers)]
    for name in names:
        table = TABLES[name]
        first = "accuracy ↑" if table.classes else "RMSE ↓"
        figures = {"figure": first}
        if table.classes:
            figures |= {"log loss": "log loss ↓", "calibration error": "calibration error ↓"}
        for figure, shown in figures.items():
            once = figure == "figure"
            cells = [cell(results, table, peer, figure, seconds=once) for peer in peers]
            title = f"{name} → {table.target}" if once else ""
            lines.append(f"| {title} | {shown} | {' | '.join(cells)} |")
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
    parser.add_argument(
        "--tables", nargs="+", default=list(MAIN_TABLES), help="names, or all, or rare"
    )
    parser.add_argument("--peers", nargs="+", default=list(PEERS[:3]), choices=PEERS)
    parser.add_argument("--seeds", type=int, default=5, help="number of held-out fifths")
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--json", type=Path, help="keep the results here, and reuse them")
    options = parser.parse_args(arguments)
    names = [name for given in options.tables for name in SETS.get(given, [given])]
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
            for peer in [peer for peer in options.peers if can(peer, table)]:
                key = f"{name}/{peer}/{seed}"
                if key in results:
                    continue
                start = time.perf_counter()
                predicted = FITS[peer](table, train, test, seed)
                seconds = time.perf_counter() - start
                figures = figures_of(table, test[table.target], predicted)
                results[key] = {**figures, "seconds": seconds}
                shown = ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
                print(f"{key}: {shown} in {seconds:.1f} s", flush=True)
                if options.json:
                    options.json.write_text(json.dumps(results, indent=1))
    print()
    print(markdown(results, names, options.peers))
    print()
    print(versions())


if __name__ == "__main__":
    main()
