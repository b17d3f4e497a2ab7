"""Calibration: what turns logits into probabilities that can be trusted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from schuss.core import Array

__all__ = ["Calibration", "fit_calibration", "fit_temperature"]

# How far the logarithm of the temperature, and biases, are expected from 0: few rows move them
# little.
_EXPECTED = 0.3
_FARTHEST = 4.0
# Beyond so many classes each has too few rows to tell its bias.
_MOST_BIASES = 100


class Calibration(NamedTuple):
    """Logits are divided by the temperature, and each class's bias is added then."""

    temperature: float
    bias: Array


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


def fit_calibration(logits: Array, y: Array, weight: Array | None = None) -> Calibration:
    r"""Return the temperature T and the biases b that tell the classes of held-out rows best.

    .. math:: \min_{T, b} \; -\sum_{i} w_{i} \log \mathrm{softmax}(z_{i} / T + b)_{y_{i}}
        + \frac{(\log T)^2 + \lVert b \rVert^2}{2 \cdot 0.3^2}

    (Alexandari, Kundaje and Shrikumar, "Maximum Likelihood with Bias-Corrected Calibration is
    Hard-To-Beat at Label Shift Adaptation", arXiv 1901.06852). The biases put right how often
    rare classes are expected in all; one of a class without held-out rows stays 0.

    Args:
        logits: as for `fit_temperature`.
        y: as there.
        weight: as there.

    Returns:
        Both; the temperature alone where classes are many.
    """
    z = logits.astype(np.float64)
    classes = z.shape[1]
    counts = np.bincount(y if weight is None else y[weight > 0], minlength=classes)
    temperature = fit_temperature(logits, y, weight)
    rows = int(counts.sum())
    if classes > _MOST_BIASES or not rows or not np.isfinite(z).all():
        return Calibration(temperature, np.zeros(classes))
    shares = np.ones(len(z)) if weight is None else np.asarray(weight, dtype=np.float64)
    shares = shares / shares.sum()
    pull = 1.0 / (_EXPECTED**2 * rows)
    z = z - z.max(axis=1, keepdims=True)
    free = np.concatenate([[0], 1 + np.flatnonzero(counts)])
    # The first is -log T, the others are the biases.
    found = np.zeros(classes + 1)
    found[0] = -np.log(temperature)
    cost, slope, bend = _likelihood(z, y, shares, pull, found)
    for _ in range(50):
        step = np.zeros_like(found)
        step[free] = -np.linalg.solve(bend[np.ix_(free, free)], slope[free])
        length = 1.0
        while length > 1e-6:
            after = _likelihood(z, y, shares, pull, found + length * step)
            if after[0] <= cost:
                break
            length *= 0.5
        else:
            break
        found = found + length * step
        cost, slope, bend = after
        if length * float(np.abs(step).max()) < 1e-9:
            break
    limit = np.clip(found[0], -_FARTHEST, _FARTHEST)
    return Calibration(float(np.exp(-limit)), found[1:])


def _likelihood(
    z: Array, y: Array, shares: Array, pull: float, given: Array
) -> tuple[float, Array, Array]:
    """Return what `fit_calibration` minimises, its gradient, and its Gauss-Newton matrix."""
    factor = np.exp(given[0])
    scores = factor * z + given[1:]
    scores -= scores.max(axis=1, keepdims=True)
    p = np.exp(scores)
    total = p.sum(axis=1)
    true = scores[np.arange(len(z)), y] - np.log(total)
    p /= total[:, None]
    mean = (p * z).sum(axis=1)
    weighted = shares[:, None] * p
    cost = float(-(shares @ true) + 0.5 * pull * (given @ given))
    slope = pull * given
    slope[0] += factor * float(shares @ (mean - z[np.arange(len(z)), y]))
    slope[1:] += weighted.sum(axis=0) - np.bincount(y, shares, minlength=z.shape[1])
    bend = pull * np.eye(len(given))
    apart = z - mean[:, None]
    bend[0, 0] += factor**2 * float((weighted * apart * apart).sum())
    bend[0, 1:] = bend[1:, 0] = factor * (weighted * apart).sum(axis=0)
    bend[1:, 1:] += np.diag(weighted.sum(axis=0)) - weighted.T @ p
    return cost, slope, bend
