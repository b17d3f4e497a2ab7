"""What happens where something is wrong: rates, scales, outliers, labels, values that are missing.

    python benchmarks/robust.py

A network is trained on clean rows with nothing set, and then once for each thing that goes wrong.
For each a line says how far the loss (or the error) on clean test rows is from the clean result, or
how the training ended, with what it said. Losses are in the targets' own unit squared.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import schuss as ss
from schuss import nn, optim
from schuss.errors import SchussError
from schuss.training import Trainer

Rows = tuple[Any, Any]


def regression(seed: int) -> tuple[Rows, Rows, Rows]:
    """Return training, validation and test rows of a smooth function with noise."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(1500, 6))
    y = np.sin(x[:, 0]) + x[:, 1] * x[:, 2] + 0.5 * x[:, 3] + 0.3 * rng.normal(size=1500)
    return (x[:900], y[:900]), (x[900:1200], y[900:1200]), (x[1200:], y[1200:])


def classes(seed: int) -> tuple[Rows, Rows, Rows]:
    """Return training, validation and test rows of three classes that overlap a little."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, 1500)
    x = rng.normal(size=(1500, 6)) + 2.0 * np.eye(3, 6)[y]
    return (x[:900], y[:900]), (x[900:1200], y[900:1200]), (x[1200:], y[1200:])


def network(outputs: int) -> nn.Module:
    """Return a small network."""
    return nn.Sequential(nn.Linear(6, 48), nn.ReLU(), nn.Linear(48, 48), nn.ReLU(), _last(outputs))


def _last(outputs: int) -> nn.Module:
    return nn.Linear(48, outputs)


def train(rows: tuple[Rows, Rows, Rows], loss: str, start: float | None = None) -> Any:
    """Train with nothing set; return the trainer and what came of it."""
    ss.manual_seed(0)
    model = network(1 if loss == "mse" else 3)
    options: dict[str, Any] = {}
    if start is not None:
        options = {"optimizer": optim.NAdam(model.parameters(), lr=start), "lr": "auto"}
    trainer = Trainer(model, loss, epochs=40, progress=False, **options)
    return trainer, trainer.fit(rows[0], rows[1])


def changed(rows: Rows, change: Callable[[Any, Any], Rows]) -> Rows:
    """Return rows after a change of copies of them."""
    return change(rows[0].copy(), rows[1].copy())


def scaled(rows: tuple[Rows, Rows, Rows], inputs: float, targets: float) -> Any:
    """Return all rows with other units."""
    return tuple((x * inputs, y * targets if targets != 1.0 else y) for x, y in rows)


def with_outlier(x: Any, y: Any) -> Rows:
    y[17] = 1e12
    return x, y


def with_wild_input(x: Any, y: Any) -> Rows:
    x[17, 2] = 1e12
    return x, y


def with_nan(x: Any, y: Any) -> Rows:
    x[64:96] = np.nan
    return x, y


def with_wrong_labels(x: Any, y: Any) -> Rows:
    wrong = np.random.default_rng(1).random(len(y)) < 0.2
    y[wrong] = np.random.default_rng(2).integers(0, 3, int(wrong.sum()))
    return x, y


def with_rare_class(x: Any, y: Any) -> Rows:
    rare = np.flatnonzero(y == 2)[1:]
    return np.delete(x, rare, axis=0), np.delete(y, rare)


def all_alike(x: Any, y: Any) -> Rows:
    return np.repeat(x[:1], len(x), axis=0), np.repeat(y[:1], len(y))


CASES: dict[str, tuple[str, Callable[[Any], Any], float | None, float]] = {
    **{
        f"start value {factor:g} times": ("mse", lambda r: r, 2e-3 * factor, 1.0)
        for factor in (1e-4, 1e-2, 1e2, 1e4)
    },
    **{
        f"inputs times {s:g}": ("mse", lambda r, s=s: scaled(r, s, 1.0), None, 1.0)
        for s in (1e-6, 1e-3, 1e3, 1e6)
    },
    "targets times 1e8": ("mse", lambda r: scaled(r, 1.0, 1e8), None, 1e16),
    "a target of 1e12": ("mse", lambda r: (changed(r[0], with_outlier), *r[1:]), None, 1.0),
    "an input of 1e12": ("mse", lambda r: (changed(r[0], with_wild_input), *r[1:]), None, 1.0),
    "a batch of NaN": ("mse", lambda r: (changed(r[0], with_nan), *r[1:]), None, 1.0),
    "20 % wrong labels": (
        "cross_entropy",
        lambda r: (changed(r[0], with_wrong_labels), *r[1:]),
        None,
        1.0,
    ),
    "a class of one row": (
        "cross_entropy",
        lambda r: (changed(r[0], with_rare_class), *r[1:]),
        None,
        1.0,
    ),
    "all rows alike": ("mse", lambda r: (changed(r[0], all_alike), *r[1:]), None, 1.0),
}


def figure(trainer: Any, rows: Rows, loss: str) -> float:
    """Return the mean squared error, or the share of wrong classes."""
    outputs = trainer.predict(rows[0])
    if loss == "mse":
        return float(np.mean((outputs[:, 0].astype(np.float64) - rows[1]) ** 2))
    return float(np.mean(outputs.argmax(1) != rows[1]))


def main() -> None:
    """Print a line for each case."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    warnings.simplefilter("ignore")
    make = {"mse": regression, "cross_entropy": classes}
    clean, references = {}, {}
    for loss, rows in make.items():
        trainer, _ = train(rows(0), loss)
        references[loss] = trainer
        clean[loss] = figure(trainer, rows(0)[2], loss)
        print(f"{'clean, ' + loss:28} {clean[loss]:.4f}")
    for name, (loss, change, start, unit) in CASES.items():
        rows = change(make[loss](0))
        try:
            trainer, fit = train(rows, loss, start)
        except SchussError as error:
            print(f"{name:28} stopped: {error}")
            continue
        test = rows[2]
        expected = clean[loss]
        if name == "a class of one row":
            # Of which nothing can be learned: what counts is that the others do not suffer.
            kept = test[1] != 2
            test = (test[0][kept], test[1][kept])
            expected = figure(references[loss], test, loss)
        found = figure(trainer, test, loss) / unit
        ratio = found / expected - 1.0
        print(f"{name:28} {found:.4f} ({100 * ratio:+.0f} %); {'; '.join(fit.notes)[:200]}")


if __name__ == "__main__":
    main()
