"""The options of a table's training: grouped, checked at once, and as config.json holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from schuss.errors import UsageError
from schuss.training.arguments import (
    BETWEEN,
    BUDGET,
    COLUMN,
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    SHARE,
    WIDTHS,
    Requirement,
    grouped,
    one_of,
    problems,
    refuse,
    seconds_of,
)
from schuss.training.evaluation.metrics import METRICS
from schuss.training.tables.recipe import VALUE_LOSSES

__all__ = ["ADDED", "OPTIMIZERS", "RowOptions", "TableOptions", "TrainingOptions"]

# The rules that learning rates of the recipe's size, and its groups with rates of their own, suit.
OPTIMIZERS = ("sgd", "adagrad", "rmsprop", "adam", "adamw")

#: Options that runs of earlier versions do not have.
_NEWER = ("eager", "target_scale", "loss", "quantile", "metric", "time_budget")
ADDED = dict.fromkeys(_NEWER)


@dataclass(frozen=True)
class RowOptions:
    """What is learned from which rows, as `train` takes it; see there."""

    task: str | None
    exclude: Sequence[str]
    kinds: Mapping[str, str]
    test_share: float
    validation_share: float | None
    class_weight: Any
    sample_weight: str | None
    group: str | None
    time: str | None
    target_scale: str | None

    def labels(self, target: object) -> list[str]:
        """Return the columns whose values are said to be names, and no numbers or dates."""
        found = [name for name, kind in self.kinds.items() if kind not in ("numeric", "timestamp")]
        found += [self.group] if self.group is not None else []
        found += [str(target)] if self.task == "classification" and target is not None else []
        return sorted(set(found))


@dataclass(frozen=True)
class TrainingOptions:
    """Which network is trained and how, as `train` takes it; None leaves it to the recipe."""

    epochs: int | None
    time_budget: float | None
    batch_size: int | None
    lr: float | None
    weight_decay: float | None
    patience: int | None
    optimizer: str | None
    hidden: Sequence[int] | None
    dropout: float | None
    loss: str | None
    quantile: float | None
    metric: str | None
    seed: int
    eager: bool | None


_REQUIRED: dict[str, Requirement] = {
    **dict.fromkeys(("epochs", "batch_size", "patience"), COUNT),
    **dict.fromkeys(("test_share", "validation_share", "dropout"), SHARE),
    "time_budget": BUDGET,
    "lr": POSITIVE,
    "weight_decay": NOT_NEGATIVE,
    "optimizer": one_of(OPTIMIZERS),
    "hidden": WIDTHS,
    "seed": SEED,
    "target_scale": one_of(("linear", "log"), "one of auto, linear, log"),
    "loss": one_of(tuple(VALUE_LOSSES), f"one of auto, {', '.join(VALUE_LOSSES)}"),
    "quantile": BETWEEN,
    "metric": one_of(("loss", *METRICS)),
    "class_weight": Requirement(
        "'balanced' or factors by class",
        lambda given: not isinstance(given, str) or given == "balanced",
    ),
    **dict.fromkeys(("sample_weight", "group", "time"), COLUMN),
}


@dataclass(frozen=True)
class TableOptions:
    """All options that decide what a table's training gives."""

    rows: RowOptions
    training: TrainingOptions

    @classmethod
    def of_call(cls, given: Mapping[str, Any]) -> TableOptions:
        """Take the options out of the arguments of `train`.

        Raises:
            UsageError: if some are out of range; it names all of them.
        """
        return cls.of_config(cls.plain(given))

    @staticmethod
    def plain(given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the options among the arguments of `train`, as JSON can hold them."""
        names = [field.name for kind in (RowOptions, TrainingOptions) for field in fields(kind)]
        options = {name: _plain(given[name]) for name in names}
        # Factors by class become pairs, which JSON holds whatever the classes' type.
        if isinstance(options["class_weight"], Mapping):
            pairs = options["class_weight"].items()
            options["class_weight"] = [[_plain(label), float(factor)] for label, factor in pairs]
        for name in ("lr", "loss", "target_scale"):
            options[name] = None if options[name] == "auto" else options[name]
        return options

    @classmethod
    def of_config(cls, options: Mapping[str, Any]) -> TableOptions:
        """Make the options that `to_config` returned.

        Raises:
            UsageError: if some are out of range; it names all of them.
        """
        whole = {**ADDED, **options}
        refuse("train", problems(whole, _REQUIRED))
        if whole["quantile"] is not None and whole["loss"] != "quantile":
            raise UsageError(
                'train: quantile goes with the loss that aims at it; give loss="quantile", too.'
            )
        whole["time_budget"] = seconds_of(whole["time_budget"])
        return cls(grouped(RowOptions, whole), grouped(TrainingOptions, whole))

    def labels(self, target: object) -> list[str]:
        """Return the columns whose values are said to be names, and no numbers or dates."""
        return self.rows.labels(target)

    def to_config(self) -> dict[str, Any]:
        """Return the options by name, as JSON can hold them."""
        return {**vars(self.rows), **vars(self.training)}


def _plain(value: Any) -> Any:
    """Return NumPy's numbers as Python's, sequences as lists."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    return value
