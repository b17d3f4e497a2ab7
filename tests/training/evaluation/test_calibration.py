from __future__ import annotations

import numpy as np
import pytest

from schuss.training.evaluation.calibration import fit_biases, fit_temperature
from schuss.training.evaluation.evaluate import softmax
from schuss.training.evaluation.metrics import log_loss


def _drawn(rows: int, classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and classes drawn from their probabilities."""
    draw = np.random.default_rng(seed)
    logits = draw.normal(size=(rows, classes)) * 2.0 - np.arange(classes)
    y = (softmax(logits).cumsum(axis=1) < draw.random((rows, 1))).sum(axis=1)
    return logits, y


@pytest.mark.parametrize("wrong", [0.2, 1.0, 5.0])
def test_finds_what_logits_were_multiplied_by(wrong: float) -> None:
    logits, y = _drawn(20_000, 3)
    assert fit_temperature(logits * wrong, y) == pytest.approx(wrong, rel=0.05)


def test_is_the_minimum_of_log_loss_and_penalty() -> None:
    logits, y = _drawn(60, 4)
    weight = np.random.default_rng(1).random(60)
    found = fit_temperature(logits * 3.0, y, weight)

    def cost(temperature: float) -> float:
        loss = log_loss(y, softmax(logits * 3.0 / temperature), weight)
        assert loss is not None
        return loss * 60 + np.log(temperature) ** 2 / (2.0 * 0.3**2)

    grid = np.exp(np.linspace(-1.0, 2.0, 3001))
    assert found == pytest.approx(grid[np.argmin([cost(t) for t in grid])], rel=2e-3)
    assert fit_temperature(logits * 3.0, y, weight * 7.0) == pytest.approx(found, rel=1e-8)


def test_few_rows_that_are_all_right_do_not_make_it_certain() -> None:
    logits = np.array([[4.0, 0.0], [0.0, 5.0], [6.0, 0.0]])
    assert 0.8 < fit_temperature(logits, np.array([0, 1, 0])) < 1.0
    # Nor do many: they say that it may be surer, as far as they are.
    many = fit_temperature(np.tile(logits, (1000, 1)), np.tile([0, 1, 0], 1000))
    assert 0.1 < many < 0.8


def test_a_class_without_rows_does_no_harm() -> None:
    logits, _ = _drawn(50, 3)
    found = fit_temperature(logits, np.zeros(50, np.int64))
    assert np.exp(-4.0) <= found <= np.exp(4.0)


def test_is_one_where_nothing_is_known() -> None:
    y = np.array([0, 1])
    assert fit_temperature(np.array([[np.inf, 0.0], [0.0, 1.0]]), y) == 1.0
    assert fit_temperature(np.eye(2), y, np.zeros(2)) == 1.0
    assert fit_temperature(np.empty((0, 2)), np.empty(0, np.int64)) == 1.0
    assert fit_temperature(np.zeros((2, 2)), y) == pytest.approx(1.0)


def test_finds_what_was_added_to_the_logits() -> None:
    logits, y = _drawn(20_000, 3)
    wrong = np.array([0.5, -0.7, 0.2])
    assert fit_biases(logits + wrong, y) == pytest.approx(-wrong, abs=0.06)


def test_biases_are_the_minimum_of_log_loss_and_penalty() -> None:
    logits, y = _drawn(60, 3)
    weight = np.random.default_rng(1).random(60)
    found = fit_biases(logits * 3.0, y, weight)

    def cost(biases: np.ndarray) -> float:
        loss = log_loss(y, softmax(logits * 3.0 + biases), weight)
        assert loss is not None
        return loss * 60 + float((biases**2).sum()) / (2.0 * 0.3**2)

    moved = [found + 1e-3 * step for step in (*np.eye(3), *-np.eye(3))]
    assert all(cost(found) < cost(biases) for biases in moved)
    assert fit_biases(logits * 3.0, y, weight * 7.0) == pytest.approx(found, rel=1e-6)


def test_with_biases_the_mean_chance_of_a_class_is_its_share() -> None:
    logits, y = _drawn(5000, 4)
    mean = softmax(logits / 3.0 + fit_biases(logits / 3.0, y)).mean(axis=0)
    assert mean == pytest.approx(np.bincount(y) / 5000, abs=2e-3)


def test_biases_are_zero_where_nothing_is_known() -> None:
    assert not fit_biases(np.array([[np.inf, 0.0], [0.0, 1.0]]), np.array([0, 1])).any()
    assert not fit_biases(np.eye(2), np.array([0, 1]), np.zeros(2)).any()
    assert not fit_biases(np.empty((0, 3)), np.empty(0, np.int64)).any()
    # Logits that are far too sure, and a class without rows.
    far = fit_biases(np.array([[300.0, 0.0, -300.0]] * 20), np.ones(20, np.int64))
    assert np.isfinite(far).all()
    assert far[1] > 0.0 > far[0]
