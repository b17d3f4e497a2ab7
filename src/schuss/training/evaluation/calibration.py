"""Calibration: the temperature and biases by which logits become probabilities to be trusted."""

from __future__ import annotations

import numpy as np

from schuss.core import Array
from schuss.training.evaluation.evaluate import softmax

__all__ = ["fit_biases", "fit_temperature"]

# How far the logarithm of the temperature, and each bias, is expected from 0: so few rows move
# them little.
_EXPECTED = 0.3
_FARTHEST = 4.0


def fit_temperature(logits: Array, y: Array, weight: Array | None = None) -> float:
    r"""Return the temperature T at which logits / T tell the classes of held-out rows best.

    .. math:: \min_{T} \; -\sum_{i} w_{i} \log \mathrm{softmax}(z_{i} / T)_{y_{i}}
        + \frac{(\log T)^2}{2 \cdot 0.3^2}

    (Guo et al., "On Calibration of Modern Neural Networks", arXiv 1706.04599), with a penalty that
    keeps T near 1 where rows are few. One number for all classes needs none of them to be there.

    Args:
        logits: outputs on rows that were not learned from, (rows, classes).
        y: their classes, int64 of shape (rows,).
        weight: of shape (rows,), or None where all rows count the same.

    Returns:
        T, between exp(-4) and exp(4); 1 where logits are not finite or no row counts.

    >>> fit_temperature(np.array([[3.0, 0.0]] * 400), np.array([0] * 300 + [1] * 100)) > 2.0
    True
    """
    z = logits.astype(np.float64)
    weights = np.ones(len(z)) if weight is None else np.asarray(weight, dtype=np.float64)
    total = float(weights.sum())
    if not total > 0.0 or not np.isfinite(z).all():
        return 1.0
    shares, rows = weights / total, np.count_nonzero(weights)
    pull = 1.0 / (_EXPECTED**2 * rows)
    z = z - z.max(axis=1, keepdims=True)
    true = shares @ z[np.arange(len(z)), y]
    # Newton's steps on b = -log T, inside of an interval that shrinks to the one minimum.
    low, high, b = -_FARTHEST, _FARTHEST, 0.0
    for _ in range(60):
        factor = np.exp(b)
        p = np.exp(factor * z)
        p /= p.sum(axis=1, keepdims=True)
        mean = (p * z).sum(axis=1)
        gap = factor * float(shares @ mean - true)
        variance = float(shares @ ((p * z * z).sum(axis=1) - mean * mean))
        slope, bend = gap + pull * b, gap + factor**2 * variance + pull
        low, high = (low, b) if slope > 0.0 else (b, high)
        step = b - slope / bend if bend > 0.0 else low
        after = step if low < step < high else 0.5 * (low + high)
        done, b = abs(after - b) < 1e-9, after
        if done:
            break
    return float(np.exp(-b))


def fit_biases(logits: Array, y: Array, weight: Array | None = None) -> Array:
    r"""Return the bias of each class at which logits + biases tell the classes of rows best.

    .. math:: \min_{b} \; -\sum_{i} w_{i} \log \mathrm{softmax}(z_{i} + b)_{y_{i}}
        + \frac{\|b\|^2}{2 \cdot 0.3^2}

    A temperature draws rare classes towards the others; with biases, the mean of a class's
    probabilities is again its share of the rows (Alexandari et al., "Maximum Likelihood with
    Bias-Corrected Calibration is Hard-To-Beat at Label Shift Adaptation", arXiv 1901.06852).

    Args:
        logits: outputs on rows that were not learned from, (rows, classes), divided by their
            temperature.
        y: their classes, int64 of shape (rows,).
        weight: of shape (rows,), or None where all rows count the same.

    Returns:
        float64 of shape (classes,), of sum 0; zeros where logits are not finite or no row counts.

    >>> fit_biases(np.zeros((4000, 2)), np.arange(4000) % 4 // 3).round(2).tolist()
    [0.55, -0.55]
    """
    z = logits.astype(np.float64)
    weights = np.ones(len(z)) if weight is None else np.asarray(weight, dtype=np.float64)
    total, classes = float(weights.sum()), z.shape[1]
    biases: Array = np.zeros(classes)
    if not total > 0.0 or not np.isfinite(z).all():
        return biases
    shares, pull = weights / total, 1.0 / (_EXPECTED**2 * np.count_nonzero(weights))
    wanted = np.bincount(y, shares, minlength=classes)
    for _ in range(60):
        p = softmax(z + biases)
        found = shares @ p
        bend = np.diag(found + pull) - (p * shares[:, None]).T @ p
        step = np.linalg.solve(bend, found - wanted + pull * biases)
        # Within a unit, probabilities change little enough for Newton's step to be one down.
        biases = biases - step / max(1.0, float(np.abs(step).max()))
        if float(np.abs(step).max()) < 1e-9:
            break
    centred: Array = biases - biases.mean()
    return centred
