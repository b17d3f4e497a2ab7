"""The options of a training on files: those of all kinds of data, and the kind's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from schuss.errors import UsageError
from schuss.training.arguments import (
    BUDGET,
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    SHARE,
    Requirement,
    one_of,
    problems,
    refuse,
    seconds_of,
)
from schuss.training.descent.learner import OPTIMIZERS
from schuss.training.evaluation.metrics import CLASS_METRICS
from schuss.training.items.interface import Items

__all__ = ["ItemOptions"]

_REQUIRED: dict[str, Requirement] = {
    **dict.fromkeys(("epochs", "batch_size", "patience"), COUNT),
    **dict.fromkeys(("test_share", "validation_share"), SHARE),
    "time_budget": BUDGET,
    "lr": POSITIVE,
    "weight_decay": NOT_NEGATIVE,
    "optimizer": one_of(tuple(OPTIMIZERS)),
    "seed": SEED,
    "metric": one_of(("loss", *CLASS_METRICS)),
    "class_weight": Requirement("'balanced'", lambda given: given == "balanced"),
}
# Where something is found, and what is done with it; not what is learned.
_ELSEWHERE = ("out", "overwrite", "test", "validation")


@dataclass(frozen=True)
class ItemOptions:
    """Options that decide what a training on files gives, as `train` takes them; see there."""

    test_share: float
    validation_share: float
    class_weight: str | None
    epochs: int | None
    time_budget: float | None
    batch_size: int | None
    lr: float | None
    weight_decay: float | None
    patience: int | None
    optimizer: str | None
    metric: str | None
    seed: int
    eager: bool | None
    own: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of_call(cls, kind: Items, given: Mapping[str, Any]) -> ItemOptions:
        """Take the options out of the arguments of `train`.

        Raises:
            UsageError: if some are out of range, or mean tables alone.
        """
        own = {option.name: given[option.name] for option in kind.options}
        names = {f.name for f in fields(cls)} - {"own"}
        for name, value in given.items():
            known = name in names or name in own or name in _ELSEWHERE
            if not known and value not in (None, (), [], {}, ""):
                raise UsageError(f"train: {name} is of tables; {kind.noun[1]} have no such option.")
        found = {name: given[name] for name in names}
        found["lr"] = None if found["lr"] == "auto" else found["lr"]
        for name in ("test_share", "validation_share"):
            found[name] = 0.1 if found[name] is None else found[name]
        return cls.of_config({**found, "own": own})

    @classmethod
    def of_config(cls, options: Mapping[str, Any]) -> ItemOptions:
        """Make the options that config.json holds.

        Raises:
            UsageError: if some are out of range.
        """
        refuse("train", problems(options, _REQUIRED))
        return cls(**{**options, "time_budget": seconds_of(options["time_budget"])})
