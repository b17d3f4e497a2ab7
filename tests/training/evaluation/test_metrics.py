from __future__ import annotations

import math

import numpy as np
import pytest

from schuss.errors import UsageError
from schuss.training.evaluation import metrics


def _classes(seed: int, rows: int, classes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    y = draw.integers(0, classes, rows)
    chances = draw.random((rows, classes)) ** 2
    # Rounding makes ties, which the area under the curve has to share out.
    chances = np.round(chances / chances.sum(axis=1, keepdims=True), 2) + 1e-3
    return y, chances / chances.sum(axis=1, keepdims=True), draw.random(rows) + 0.1


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("weighted", [False, True])
def test_class_metrics_equal_those_of_scikit_learn(classes: int, weighted: bool) -> None:
    sk = pytest.importorskip("sklearn.metrics")
    for seed in range(5):
        y, chances, weight = _classes(seed, 200, classes)
        w = weight if weighted else None
        predicted = chances.argmax(axis=1)
        expected = {
            "accuracy": sk.accuracy_score(y, predicted, sample_weight=w),
            "balanced_accuracy": sk.balanced_accuracy_score(y, predicted, sample_weight=w),
            "log_loss": sk.log_loss(y, chances, sample_weight=w, labels=range(classes)),
            "auc": sk.roc_auc_score(y, chances[:, 1], sample_weight=w)
            if classes == 2
            else sk.roc_auc_score(y, chances, sample_weight=w, multi_class="ovr"),
        }
        found = metrics.measure(metrics.CLASS_METRICS, y, chances, w)
        assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_value_metrics_equal_those_of_scikit_learn(weighted: bool) -> None:
    sk = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(0)
    y, predicted, weight = draw.normal(5.0, 2.0, 100), draw.normal(5.0, 2.0, 100), draw.random(100)
    w = weight if weighted else None
    assert metrics.measure(metrics.VALUE_METRICS, y, predicted, w) == pytest.approx(
        {
            "rmse": math.sqrt(sk.mean_squared_error(y, predicted, sample_weight=w)),
            "mae": sk.mean_absolute_error(y, predicted, sample_weight=w),
            "r2": sk.r2_score(y, predicted, sample_weight=w),
        },
        rel=1e-12,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_log_loss_of_a_certain_mistake_is_finite_and_that_of_scikit_learn(dtype: type) -> None:
    sk = pytest.importorskip("sklearn.metrics")
    chances = np.array([[1.0, 0.0], [0.0, 1.0]], dtype=dtype)
    y = np.array([1, 1])
    assert metrics.log_loss(y, chances) == pytest.approx(
        sk.log_loss(y, chances, labels=[0, 1]), rel=1e-6
    )


def test_what_is_undefined_is_none() -> None:
    one_class = np.array([1, 1])
    chances = np.array([[0.2, 0.8], [0.6, 0.4]])
    assert metrics.auc(one_class, chances) is None
    assert metrics.balanced_accuracy(one_class, chances) == 0.5
    assert metrics.r2(np.array([2.0, 2.0]), np.array([1.0, 2.0])) is None
    assert metrics.auc(np.array([0, 1]), np.array([[0.2, 0.5, 0.3]] * 2)) is None
    none = np.zeros(2)
    assert metrics.accuracy(one_class, chances, none) is None
    assert metrics.rmse(np.array([1.0]), np.array([np.inf])) == math.inf
    assert metrics.measure(["rmse"], np.array([1.0]), np.array([np.inf])) == {"rmse": None}


def test_weights_count_like_repetitions() -> None:
    y, chances, _ = _classes(3, 30, 3)
    times = np.random.default_rng(1).integers(1, 4, 30)
    many = np.repeat(np.arange(30), times)
    weighted = metrics.measure(metrics.CLASS_METRICS, y, chances, times)
    assert weighted == pytest.approx(metrics.measure(metrics.CLASS_METRICS, y[many], chances[many]))


def test_wrong_arguments_are_named() -> None:
    chances = np.array([[0.2, 0.8]])
    with pytest.raises(ValueError, match=r"accuracy: expected y of shape \(rows,\)"):
        metrics.accuracy(np.array([0, 1]), chances)
    with pytest.raises(TypeError, match="expected y to be class numbers, got float64"):
        metrics.auc(np.array([0.0]), chances)
    with pytest.raises(ValueError, match="expected classes from 0 to 1, got 2 to 2"):
        metrics.log_loss(np.array([2]), chances)
    with pytest.raises(ValueError, match="rmse: expected y and predictions of the same shape"):
        metrics.rmse(np.zeros(2), np.zeros((2, 1)))
    with pytest.raises(UsageError, match="no metric 'acuracy'; did you mean 'accuracy'"):
        metrics.metric("acuracy")


@pytest.mark.parametrize("scale", [1e-300, 1e-170, 1e170, 1e300, 5e307])
def test_figures_of_values_of_any_size(scale: float) -> None:
    y, predicted = np.array([-3.0, 0.0, 1.0, 3.5]), np.array([-2.0, 0.0, 3.0, -3.5])
    weight = np.array([1.0, 2.0, 1.0, 1.0])
    plain = metrics.measure(metrics.VALUE_METRICS, y, predicted, weight)
    found = metrics.measure(metrics.VALUE_METRICS, y * scale, predicted * scale, weight)
    for name, value in plain.items():
        assert value is not None
        assert found[name] == pytest.approx(value if name == "r2" else value * scale, rel=1e-13)


def test_small_errors_of_large_values_are_exact() -> None:
    y = np.array([1e300, 1.0])
    predicted = y + [0.0, 1e-9]
    assert metrics.rmse(y, predicted) == pytest.approx(1e-9 / math.sqrt(2.0), rel=1e-6)
    assert metrics.mae(np.array([3e-310]), np.array([1e-310])) == pytest.approx(2e-310)


def test_pinball_loss_and_coverage() -> None:
    sk = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(0)
    y, predicted, weight = draw.normal(size=50), draw.normal(size=50), draw.random(50)
    for quantile in (0.1, 0.5, 0.9):
        expected = sk.mean_pinball_loss(y, predicted, sample_weight=weight, alpha=quantile)
        assert metrics.pinball_loss(quantile)(y, predicted, weight) == pytest.approx(expected)
    expected = np.average(y <= predicted, weights=weight)
    assert metrics.coverage(y, predicted, weight) == pytest.approx(expected)


def test_log_loss_weighted_by_classes() -> None:
    y, chances, weight = _classes(0, 100, 3)
    factors = np.array([1.0, 5.0, 0.5])
    expected = metrics.log_loss(y, chances, factors[y] * weight)
    assert metrics.weighted_log_loss(factors)(y, chances, weight) == expected
    assert metrics.weighted_log_loss(np.ones(3))(y, chances, None) == metrics.log_loss(y, chances)
