"""What a table's training aims at: the target's scale, the figure that chooses, the calibration."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss.core import Array
from schuss.data import PreparedTable, TargetEncoder, permutation
from schuss.data.tables.preparing.quantity import spans_powers_of_ten
from schuss.errors import UsageError
from schuss.nn.tabular.baseline import MOST_COLUMNS, ridge
from schuss.training.evaluation.calibrated import class_weights
from schuss.training.evaluation.calibration import fit_biases, fit_temperature
from schuss.training.evaluation.evaluate import outputs
from schuss.training.evaluation.examples import Examples
from schuss.training.evaluation.metrics import Metric
from schuss.training.tables.options import TableOptions
from schuss.training.tables.recipe import tabular_recipe

__all__ = ["calibrate", "check_task", "choose_scale", "is_robust", "value_metrics"]

# So many rows tell which scale fits better.
_ROWS = 10_000


def check_task(options: TableOptions, target: TargetEncoder) -> None:
    """Refuse options of classes for a quantity, and of a quantity for classes.

    Raises:
        UsageError: naming the first of them.
    """
    rows, training = options.rows, options.training
    quantity = target.task == "regression"
    wrong: dict[str, Any] = {"class_weight": rows.class_weight}
    if not quantity:
        wrong = {name: getattr(training, name) for name in ("loss", "quantile")}
        wrong["target_scale"] = rows.target_scale
    known = tabular_recipe(target.task, value_loss=training.loss).metrics()
    if training.metric not in (None, "loss", *known):
        wrong["metric"] = training.metric
    needs, has = ("classes", "is a quantity") if quantity else ("a quantity", "holds classes")
    other = "classification" if quantity else "regression"
    for name, given in wrong.items():
        if given is not None:
            shown = f"{name} {given!r}" if name == "metric" else name
            raise UsageError(
                f"train: {shown} needs {needs}, but {target.name!r} {has}; leave it out, or give "
                f'task="{other}".'
            )


def is_robust(loss: str | None) -> bool:
    """Return whether a loss is meant for odd values, so that they should not set the scale."""
    return loss not in (None, "mse")


def choose_scale(prepared: PreparedTable, options: TableOptions, seed: int) -> list[str]:
    """Learn the logarithms of a quantity that spans many powers of ten, where that fits better.

    A line is fitted in either scale; the one is taken that gives each row the higher likelihood
    by all the others.

    Returns:
        Sentences to show: that the scale is logarithmic, and why.
    """
    target, train = prepared.target, prepared.train
    if target.task == "classification":
        return []
    if options.rows.target_scale is None:
        values, _ = target.values(train.table)
        if not spans_powers_of_ten(values):
            return []
        chosen = np.sort(permutation(len(train), seed)[:_ROWS])
        linear = _density(train.numeric[chosen], train.y[chosen]) - math.log(target.std)
        robust = is_robust(options.training.loss)
        prepared.rescale("log", robust=robust)
        # The density of a value is that of its logarithm, over the value.
        stretch = float(np.log(values[chosen] + target.shift).mean())
        log = _density(train.numeric[chosen], train.y[chosen]) - math.log(target.std) - stretch
        if not log > linear:
            prepared.rescale("linear", robust=robust)
            return []
        why = "it spans many powers of ten, and left-out rows fit better so"
    elif target.scale == "linear":
        return []
    else:
        why = "as you said"
    said = f"{target.name}: learned on a log scale ({why}); errors count in proportion"
    if options.training.loss in (None, "mse"):
        said += ", and a prediction is a median, not a mean"
    return [said]


def _density(x: Array, y: Array) -> float:
    """Return the mean logarithm of the normal density of y by a line, each row left out of it."""
    x, y = x.astype(np.float64), y.astype(np.float64)
    x = x[:, x.std(axis=0) > 0.0][:, :MOST_COLUMNS]
    y = y - y.mean()
    error = float((y * y).mean())
    if x.shape[1]:
        x = (x - x.mean(axis=0)) / x.std(axis=0)
        error = ridge(x, y)[1]
    return -0.5 * math.log(max(error, 1e-12))


def value_metrics(
    prepared: PreparedTable, bounds: tuple[float, float], metrics: dict[str, Metric]
) -> dict[str, Metric]:
    """Return metrics of a network's outputs, in the target's own unit and within its range."""
    decode = prepared.target.decode

    def in_unit(metric: Metric) -> Metric:
        return lambda y, output, weight: metric(decode(y), np.clip(decode(output), *bounds), weight)

    return {name: in_unit(metric) for name, metric in metrics.items()}


def calibrate(model: Any, validation: Examples, class_factors: Sequence[float] | None) -> None:
    """Give a network the temperature and the biases that fit its logits on validation rows."""
    weight = class_weights(validation.y, validation.weight, class_factors)
    logits = outputs(model, validation)
    temperature = fit_temperature(logits, validation.y, weight)
    model.calibrate(temperature, fit_biases(logits / temperature, validation.y, weight))
