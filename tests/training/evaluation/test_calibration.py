from __future__ import annotations

import numpy as np
import pytest

from schuss.training.evaluation.calibration import fit_temperature
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
