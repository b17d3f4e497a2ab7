from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schuss import manual_seed, nn
from schuss.training import Trainer
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.scrutiny import far_out, is_far_from_one, remarks, size_of


def _rows(count: int = 400) -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(count, 3))
    return x, x @ np.array([1.0, -2.0, 0.5])


def _fit(x: np.ndarray, y: np.ndarray, held: Any) -> Any:
    manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1))
    return Trainer(model, "mse", epochs=20, progress=False).fit((x, y), held)


@pytest.mark.parametrize("place", ["input", "target"])
def test_a_number_beyond_all_measure_is_left_out_and_named(place: str) -> None:
    x, y = _rows()
    held = _rows(100)
    clean = _fit(x, y, held)
    if place == "input":
        x[17, 1] = 1e12
    else:
        y[17] = 1e12
    fit = _fit(x, y, held)
    assert "left out row 18: a number there" in fit.notes[0]
    ours, theirs = (f.best["validation_loss"] for f in (fit, clean))
    assert ours < 1.05 * theirs + 0.002


def test_heavy_tails_and_rare_columns_are_no_outliers() -> None:
    rng = np.random.default_rng(0)
    rare = np.zeros((5000, 2))
    rare[3, 0], rare[4, 1] = 1.0, 5.0
    tails = rng.standard_cauchy((5000, 2)), np.exp(3.0 * rng.normal(size=(5000, 2)))
    for x in (rare, *tails):
        assert not len(far_out(Examples.of((x, np.arange(5000) % 2))))


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e3, 1e6])
def test_sizes_are_those_of_most_numbers(scale: float) -> None:
    x, _ = _rows()
    x[3] = 1e9
    assert is_far_from_one(size_of(x * scale))
    assert 0.1 * scale < size_of(x * scale) < 10.0 * scale
    assert not is_far_from_one(size_of(x))
    assert not is_far_from_one(size_of(np.zeros((4, 2))))


def test_rows_all_alike_and_classes_of_one_row_are_named() -> None:
    x, y = np.ones((300, 3)), np.full(300, 2.0)
    assert remarks(Examples.of((x, y))) == [
        "all rows are alike: there is nothing to learn but one answer"
    ]
    x[299, 0] = 2.0
    assert remarks(Examples.of((x, y))) == []
    classes = np.arange(300) % 2
    classes[5] = 2
    (said,) = remarks(Examples.of((x, classes)))
    assert said.startswith("class 2: one row")
    assert remarks(Examples.of((x[:1], y[:1]))) == []
