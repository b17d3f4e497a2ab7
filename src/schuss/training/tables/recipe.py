"""The training recipe for tables: RealMLP (arXiv 2407.04491).

Everything that changes while training is a pure function of the progress, the share of all steps
that is done, in [0, 1]. The Trainer sets a hyperparameter of an optimizer's group to its value at
the start ("initial_lr" for "lr") times its schedule, before each step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from schuss import functions as F
from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.module import Module
from schuss.nn.tabular.layers import FeatureScale, ParametricActivation, PeriodicEmbedding
from schuss.optim import AdamW, Optimizer
from schuss.optim.schedules import Schedule, cosine_log_cycles, flat_then_cosine
from schuss.training.evaluation.metrics import (
    CLASS_METRICS,
    VALUE_METRICS,
    Metric,
    coverage,
    pinball_loss,
    weighted_log_loss,
)

__all__ = ["VALUE_LOSSES", "TabularRecipe", "tabular_recipe"]


@dataclass(frozen=True)
class TabularRecipe:
    """All that the default training of a table needs, as plain data and pure functions.

    Attributes:
        task: "classification" or "regression".
        epochs: passes over the training rows; the schedules are stretched over them.
        batch_size: rows in a step; a last, smaller batch of an epoch is left out.
        lr: learning rate of the weights, before factors and schedule.
        weight_decay: decay of the weights, before factors and schedule.
        betas: Adam's two shares of the old averages that are kept.
        label_smoothing: share of each target spread over all classes; RealMLP has 0.1, which
            makes every rare class that share likely.
        dropout: share of the hidden neurons left out at the start.
        hidden: widths of the hidden layers.
        activation: name for `ParametricActivation`.
        baseline: whether the network learns what a `LinearBaseline` leaves over.
        waves: whether quantities are embedded by cosine waves.
        embedding_std: standard deviation of the categories' vectors at the start.
        patience: epochs without a better one after which training stops, or None.
        members: networks trained side by side and averaged, or None for one.
        average_epochs: length of the average of the weights that is validated, or None.
        metric: figure on the validation rows that chooses the epoch; of equals the last is taken.
        value_loss: loss of values: "mse", "mae", "huber" or "quantile".
        quantile: which quantile the last of them aims at, in (0, 1).
        schedules: factors by hyperparameter: "lr", "weight_decay" and "dropout".
    """

    task: str
    epochs: int = 256
    batch_size: int = 256
    lr: float = 0.04
    weight_decay: float = 0.02
    betas: tuple[float, float] = (0.9, 0.95)
    label_smoothing: float = 0.0
    dropout: float = 0.15
    hidden: tuple[int, ...] = (256, 256, 256)
    activation: str = "selu"
    baseline: bool = False
    waves: bool = True
    embedding_std: float = 1.0
    patience: int | None = None
    members: int | None = None
    average_epochs: int | None = 10
    metric: str = "log_loss"
    value_loss: str = "mse"
    quantile: float = 0.5
    schedules: Mapping[str, Schedule] = field(
        default_factory=lambda: {
            "lr": cosine_log_cycles,
            "weight_decay": flat_then_cosine,
            "dropout": flat_then_cosine,
        }
    )

    def network_options(self) -> dict[str, Any]:
        """Return the arguments of `TabularMLP` that the recipe decides."""
        return {
            "hidden": list(self.hidden),
            "activation": self.activation,
            "dropout": self.dropout,
            "baseline": self.baseline,
            "members": self.members,
            "embedding_std": self.embedding_std,
            "calibrated": self.task == "classification",
        }

    def param_groups(self, model: Module) -> list[dict[str, Any]]:
        """Sort the parameters into groups for the optimizer, with RealMLP's factors.

        Biases learn at a tenth of the rate without decay; scales at six times the rate with six
        times the decay; embeddings of numbers and strengths of activations at a tenth of both.

        Args:
            model: the network, or any module.

        Returns:
            Groups with "params", "lr", "weight_decay", and "initial_lr" and
            "initial_weight_decay", which the schedules multiply.
        """
        kinds: dict[tuple[float, float], list[Tensor]] = {}
        for owner in model.modules():
            for name, parameter in owner.named_parameters(recurse=False):
                kinds.setdefault(_factors(owner, name), []).append(parameter)
        return [
            {
                "params": parameters,
                "lr": self.lr * rate,
                "weight_decay": self.weight_decay * decay,
                "initial_lr": self.lr * rate,
                "initial_weight_decay": self.weight_decay * decay,
            }
            for (rate, decay), parameters in kinds.items()
        ]

    def optimizer(self, model: Module) -> Optimizer:
        """Make the optimizer, AdamW over `param_groups`."""
        return AdamW(self.param_groups(model), lr=self.lr, betas=self.betas, eps=1e-8)

    def metrics(self, class_factors: Sequence[float] | None = None) -> dict[str, Metric]:
        """Return what is measured: of probabilities, or of values in the target's own unit.

        Args:
            class_factors: what rows of each class count, or None where all count the same.
        """
        if self.task == "classification":
            if class_factors is None:
                return dict(CLASS_METRICS)
            weighted = weighted_log_loss(np.asarray(class_factors))
            return {**CLASS_METRICS, "weighted_log_loss": weighted}
        if self.value_loss == "quantile":
            aimed = {"pinball_loss": pinball_loss(self.quantile), "coverage": coverage}
            return {**VALUE_METRICS, **aimed}
        return dict(VALUE_METRICS)

    def loss(self, outputs: Tensor, targets: Tensor, weights: Tensor | None = None) -> Tensor:
        """Return the loss of a batch.

        Args:
            outputs: logits (batch, classes), or values (batch, 1); members may come before that.
            targets: codes (batch,), int64, or standardised values (batch,).
            weights: weight of each row (batch,), or None for equal ones.

        Returns:
            The mean of cross-entropy with label smoothing, or of the values' loss.
        """
        if outputs.ndim == 3:
            members, batch, width = outputs.shape
            outputs = outputs.reshape((members * batch, width))
            targets = F.broadcast_to(targets, (members, batch)).reshape((-1,))
            if weights is not None:
                weights = F.broadcast_to(weights, (members, batch)).reshape((-1,))
        if self.task == "classification":
            each = functional.cross_entropy(
                outputs, targets, label_smoothing=self.label_smoothing, reduction="none"
            )
        else:
            each = VALUE_LOSSES[self.value_loss](targets - outputs[:, 0], self.quantile)
        if weights is None:
            return each.mean()
        return (each * weights).sum() / weights.sum()


def _squared(gap: Tensor, _: float) -> Tensor:
    """Return gap^2."""
    return gap * gap


def _absolute(gap: Tensor, _: float) -> Tensor:
    """Return |gap|."""
    return F.abs(gap)


def _huber(gap: Tensor, _: float) -> Tensor:
    """Return gap^2 / 2 up to one standard deviation, and |gap| - 1/2 beyond."""
    size = F.abs(gap)
    near = F.minimum(size, 1.0)
    each: Tensor = near * (size - 0.5 * near)
    return each


def _pinball(gap: Tensor, quantile: float) -> Tensor:
    """Return quantile * gap above the prediction, (quantile - 1) * gap below it."""
    return F.maximum(gap * quantile, gap * (quantile - 1.0))


#: Losses of a value by target - output, in standard deviations, and the quantile.
VALUE_LOSSES = {"mse": _squared, "mae": _absolute, "huber": _huber, "quantile": _pinball}


def _factors(owner: Module, name: str) -> tuple[float, float]:
    """Return the factors of learning rate and weight decay for a parameter of a layer."""
    if isinstance(owner, FeatureScale):
        return 6.0, 6.0
    if isinstance(owner, (PeriodicEmbedding, ParametricActivation)):
        return 0.1, 0.1
    if name == "bias":
        return 0.1, 0.0
    return 1.0, 1.0


def tabular_recipe(task: str, **changes: Any) -> TabularRecipe:
    """Return RealMLP's defaults for a task.

    Args:
        task: "classification" or "regression".
        changes: attributes of `TabularRecipe` to set; None leaves the default.

    Returns:
        The recipe.

    Raises:
        ValueError: for another task.

    >>> tabular_recipe("regression", epochs=10).epochs
    10
    """
    if task == "classification":
        recipe: dict[str, Any] = {}
    elif task == "regression":
        recipe = {"lr": 0.2, "activation": "mish", "metric": "rmse"}
        recipe["baseline"] = True
    else:
        raise ValueError(
            f"tabular_recipe: expected task classification or regression, got {task!r}."
        )
    recipe |= {name: value for name, value in changes.items() if value is not None}
    return TabularRecipe(task, **recipe)
