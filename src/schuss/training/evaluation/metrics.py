"""Metrics: how good predictions are, one number each, equal to scikit-learn's definitions.

All take (y, predicted, weight): those of classes as `accuracy` does, those of values as `rmse`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TypeAlias

import numpy as np

from schuss.core import Array
from schuss.training.arguments import look_up

__all__ = [
    "CLASS_METRICS",
    "HIGHER_IS_BETTER",
    "METRICS",
    "VALUE_METRICS",
    "accuracy",
    "auc",
    "balanced_accuracy",
    "by_name",
    "confusion_matrix",
    "coverage",
    "log_loss",
    "mae",
    "measure",
    "metric",
    "pinball_loss",
    "r2",
    "rmse",
    "weighted_log_loss",
]

Weight: TypeAlias = "Array | None"
Metric: TypeAlias = Callable[[Array, Array, Weight], "float | None"]


def _weights(y: Array, weight: Weight) -> Array:
    return np.ones(len(y)) if weight is None else np.asarray(weight, dtype=np.float64)


def _mean(values: Array, weight: Weight) -> float | None:
    """Return the mean of rows by weight; None without rows that count."""
    weights = _weights(values, weight)
    total = float(weights.sum())
    return None if total == 0.0 else float((values * weights).sum() / total)


def _check_classes(owner: str, y: Array, probabilities: Array) -> None:
    if probabilities.ndim != 2 or y.shape != probabilities.shape[:1]:
        raise ValueError(
            f"{owner}: expected y of shape (rows,) and probabilities of shape (rows, classes), "
            f"got {y.shape} and {probabilities.shape}."
        )
    if y.dtype.kind not in "iu":
        raise TypeError(f"{owner}: expected y to be class numbers, got {y.dtype}; encode them.")
    classes = probabilities.shape[1]
    if len(y) and (y.min() < 0 or y.max() >= classes):
        raise ValueError(
            f"{owner}: expected classes from 0 to {classes - 1}, got {y.min()} to {y.max()}."
        )


def _check_values(owner: str, y: Array, predicted: Array) -> None:
    if y.shape != predicted.shape:
        raise ValueError(
            f"{owner}: expected y and predictions of the same shape, got {y.shape} and "
            f"{predicted.shape}; flatten them first."
        )


def accuracy(y: Array, probabilities: Array, weight: Weight = None) -> float | None:
    """Return the share of rows whose most probable class is right.

    Args:
        y: classes, int64 of shape (rows,), each in [0, classes).
        probabilities: of shape (rows, classes).
        weight: of shape (rows,), or None where all rows count the same.

    >>> accuracy(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
    0.5
    """
    _check_classes("accuracy", y, probabilities)
    return _mean((probabilities.argmax(axis=1) == y).astype(np.float64), weight)


def balanced_accuracy(y: Array, probabilities: Array, weight: Weight = None) -> float | None:
    """Return the mean over the classes met of the share of their rows that is right.

    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([[1.0, 0.0]] * 4))
    0.5
    """
    _check_classes("balanced_accuracy", y, probabilities)
    weights = _weights(y, weight)
    classes = probabilities.shape[1]
    totals = np.bincount(y, weights, minlength=classes)
    right = np.bincount(y, weights * (probabilities.argmax(axis=1) == y), minlength=classes)
    met = totals > 0
    return float((right[met] / totals[met]).mean()) if met.any() else None


def confusion_matrix(y: Array, probabilities: Array) -> Array:
    """Return how many rows of each class (a row) were taken for each class (a column), int64.

    >>> chances = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7]])
    >>> confusion_matrix(np.array([0, 1, 1]), chances).tolist()
    [[1, 0], [1, 1]]
    """
    _check_classes("confusion_matrix", y, probabilities)
    classes = probabilities.shape[1]
    found = np.zeros((classes, classes), np.int64)
    np.add.at(found, (y, probabilities.argmax(axis=1)), 1)
    return found


def log_loss(y: Array, probabilities: Array, weight: Weight = None) -> float | None:
    """Return the mean of -log(probability of the true class).

    Probabilities are divided by their sum and kept from 0 by their dtype's smallest step.

    >>> round(log_loss(np.array([0]), np.array([[0.5, 0.5]])), 4)
    0.6931
    """
    _check_classes("log_loss", y, probabilities)
    kept = probabilities if probabilities.dtype.kind == "f" else probabilities.astype(np.float64)
    step = float(np.finfo(kept.dtype).eps)
    # The dtype's own arithmetic, as scikit-learn does it: 1 - step is not 1 only there.
    kept = np.clip(kept, step, 1.0 - step)
    total = kept.sum(axis=1, dtype=np.float64)
    chosen = kept[np.arange(len(y)), y].astype(np.float64)
    return _mean(-np.log(chosen / total), weight)


def weighted_log_loss(factors: Array) -> Metric:
    """Return the log loss of rows that count by the factor of their class, too.

    It is least for the probabilities of rows that come as often as they count.

    >>> chances = np.array([[0.5, 0.5], [0.5, 0.5]])
    >>> round(weighted_log_loss(np.array([1.0, 9.0]))(np.array([0, 1]), chances, None), 4)
    0.6931
    """

    def measured(y: Array, probabilities: Array, weight: Weight = None) -> float | None:
        return log_loss(y, probabilities, _weights(y, weight) * factors[y])

    return measured


def _binary_auc(positive: Array, score: Array, weights: Array) -> float | None:
    """Return the chance that a positive row scores above a negative one, ties counting half."""
    order = np.argsort(score, kind="stable")
    score, positive, weights = score[order], positive[order], weights[order]
    starts = np.flatnonzero(np.concatenate([[True], score[1:] != score[:-1]]))
    good = np.add.reduceat(weights * positive, starts)
    bad = np.add.reduceat(weights * ~positive, starts)
    if not good.sum() > 0 or not bad.sum() > 0:
        return None
    below = np.cumsum(bad) - bad
    return float((good * (below + 0.5 * bad)).sum() / (good.sum() * bad.sum()))


def auc(y: Array, probabilities: Array, weight: Weight = None) -> float | None:
    """Return the area under the ROC curve; for many classes the mean of one against the rest.

    Returns:
        From 0 to 1; None where a class has no rows, or all of them, so that it is undefined.

    >>> auc(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))
    1.0
    """
    _check_classes("auc", y, probabilities)
    weights = _weights(y, weight)
    if not len(y):
        return None
    if probabilities.shape[1] == 2:
        return _binary_auc(y == 1, probabilities[:, 1], weights)
    areas = [
        _binary_auc(y == k, probabilities[:, k], weights) for k in range(probabilities.shape[1])
    ]
    known = [area for area in areas if area is not None]
    return float(np.mean(known)) if known and len(known) == len(areas) else None


def _power_of_two(*values: Array) -> float:
    """Return a power of two of about the size of the largest value; 1 where all are 0."""
    largest = max((float(np.abs(v).max(initial=0.0)) for v in values), default=0.0)
    return math.ldexp(1.0, math.frexp(largest)[1] - 1) if 0.0 < largest < math.inf else 1.0


def _errors(y: Array, predicted: Array) -> tuple[Array, float]:
    """Return y - predicted of at most 2 in size, and the unit of that, a power of two.

    So no sum or square of them overflows or vanishes, and nothing is rounded.
    """
    y = np.asarray(y, dtype=np.float64)
    unit = _power_of_two(y, predicted)
    error = y / unit - predicted / unit
    finer = min(_power_of_two(error), 1.0)
    return error / finer, unit * finer


def rmse(y: Array, predicted: Array, weight: Weight = None) -> float | None:
    """Return the root of the mean squared error, in the target's unit.

    Args:
        y: values of shape (rows,).
        predicted: of the same shape.
        weight: of shape (rows,), or None where all rows count the same.

    >>> rmse(np.array([0.0, 0.0]), np.array([3.0, 3.0])), rmse(np.array([4e300]), np.array([1e300]))
    (3.0, 3e+300)
    """
    _check_values("rmse", y, predicted)
    error, unit = _errors(y, predicted)
    squared = _mean(error * error, weight)
    return None if squared is None else math.sqrt(squared) * unit


def mae(y: Array, predicted: Array, weight: Weight = None) -> float | None:
    """Return the mean absolute error, in the target's unit.

    >>> mae(np.array([0.0, 0.0]), np.array([1.0, -3.0]))
    2.0
    """
    _check_values("mae", y, predicted)
    error, unit = _errors(y, predicted)
    mean = _mean(np.abs(error), weight)
    return None if mean is None else mean * unit


def r2(y: Array, predicted: Array, weight: Weight = None) -> float | None:
    """Return the share of the variance that is explained, 1 - sum(error^2) / sum((y - mean)^2).

    Returns:
        At most 1; None where y does not vary.

    >>> r2(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    _check_values("r2", y, predicted)
    whole = _power_of_two(np.asarray(y, dtype=np.float64))
    center = _mean(y / whole, weight)
    if center is None:
        return None
    error, unit = _errors(y, predicted)
    spread, scale = _errors(y / whole, np.full(len(y), center))
    left, variance = _mean(error * error, weight), _mean(spread * spread, weight)
    ratio = unit / whole / scale
    return None if not variance or left is None else 1.0 - left / variance * ratio * ratio


def pinball_loss(quantile: float) -> Metric:
    """Return the metric that is least where a share `quantile` of all values lies below.

    Each row's is quantile * (y - predicted) above the prediction, and (1 - quantile) *
    (predicted - y) below it; in the target's unit.

    >>> pinball_loss(0.9)(np.array([10.0, 0.0]), np.array([0.0, 10.0]), None)
    5.0
    """

    def measured(y: Array, predicted: Array, weight: Weight = None) -> float | None:
        _check_values("pinball_loss", y, predicted)
        error, unit = _errors(y, predicted)
        mean = _mean(np.maximum(quantile * error, (quantile - 1.0) * error), weight)
        return None if mean is None else mean * unit

    return measured


def coverage(y: Array, predicted: Array, weight: Weight = None) -> float | None:
    """Return the share of the rows whose value is at most the predicted one.

    >>> coverage(np.array([1.0, 2.0, 3.0, 4.0]), np.full(4, 3.5))
    0.75
    """
    _check_values("coverage", y, predicted)
    return _mean((np.asarray(y) <= predicted).astype(np.float64), weight)


CLASS_METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "balanced_accuracy": balanced_accuracy,
    "log_loss": log_loss,
    "auc": auc,
}
VALUE_METRICS: dict[str, Metric] = {"rmse": rmse, "mae": mae, "r2": r2}
METRICS: dict[str, Metric] = CLASS_METRICS | VALUE_METRICS
HIGHER_IS_BETTER = frozenset({"accuracy", "balanced_accuracy", "auc", "r2"})


def metric(name: str) -> Metric:
    """Return a metric by its name.

    Raises:
        UsageError: if there is none; the message names the nearest.

    >>> metric("rmse") is rmse
    True
    """
    return look_up("metrics", "metric", name, METRICS)


def by_name(metrics: Mapping[str, Metric] | Iterable[str]) -> dict[str, Metric]:
    """Return metrics by name, of such or of names alone."""
    if isinstance(metrics, Mapping):
        return dict(metrics)
    return {name: metric(name) for name in metrics}


def measure(
    metrics: Mapping[str, Metric] | Iterable[str], y: Array, predicted: Array, weight: Weight = None
) -> dict[str, float | None]:
    """Return each metric's value by name; None where it is undefined or not finite.

    Args:
        metrics: names, or functions of (y, predicted, weight) by name.
        y: classes or values of shape (rows,).
        predicted: probabilities of shape (rows, classes), or values of shape (rows,).
        weight: of shape (rows,), or None where all rows count the same.

    >>> measure(["mae", "r2"], np.array([1.0, 1.0]), np.array([1.0, 2.0]))
    {'mae': 0.5, 'r2': None}
    """
    found: dict[str, float | None] = {}
    for name, function in by_name(metrics).items():
        with np.errstate(over="ignore", invalid="ignore"):
            value = function(y, predicted, weight)
        found[name] = None if value is None or not math.isfinite(value) else float(value)
    return found
