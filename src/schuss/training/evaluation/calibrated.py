"""Metrics of logits as if they were calibrated, by which epochs are compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schuss.core import Array
from schuss.training.evaluation.calibration import fit_temperature
from schuss.training.evaluation.evaluate import probabilities
from schuss.training.evaluation.metrics import Metric

__all__ = ["calibrated_metrics", "class_weights"]


def calibrated_metrics(
    metrics: dict[str, Metric], class_factors: Sequence[float] | None
) -> dict[str, Metric]:
    """Return metrics of a network's logits, as if it were calibrated on the very same rows.

    So an epoch is chosen by how well it tells the classes apart, and not by how sure it is, which
    one number sets right in the end (Berta et al., "Rethinking Early Stopping: Refine, Then
    Calibrate", arXiv 2501.19195).
    """
    last: tuple[Array, Array] | None = None

    def of_logits(metric: Metric) -> Metric:
        def measured(y: Array, output: Array, weight: Array | None) -> float | None:
            nonlocal last
            if last is None or last[0] is not output:
                temperature = fit_temperature(output, y, class_weights(y, weight, class_factors))
                last = output, probabilities(output / temperature)
            return metric(y, last[1], weight)

        return measured

    return {name: of_logits(metric) for name, metric in metrics.items()}


def class_weights(
    y: Array, weight: Array | None, class_factors: Sequence[float] | None
) -> Array | None:
    """Return each row's weight times the factor of its class; None where all count the same."""
    if class_factors is None:
        return weight
    factors: Array = np.asarray(class_factors)[y]
    return factors if weight is None else factors * weight
