"""The options of a table's training, checked all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from schuss.errors import UsageError
from schuss.training.trainer import OPTIMIZERS

__all__ = ["check_options", "class_weight_pairs"]


def class_weight_pairs(given: Any) -> Any:
    """Return factors by class as pairs, which JSON holds whatever the classes' type."""
    if not isinstance(given, Mapping):
        return given
    return [[_plain(label), float(factor)] for label, factor in given.items()]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options out of range, all of them at once."""
    problems = []
    for name in ("epochs", "batch_size", "patience"):
        value = options[name]
        if value is not None and not (isinstance(value, int) and value >= 1):
            problems.append(f"{name} a whole number of at least 1, got {value!r}")
    for name in ("test_share", "validation_share", "dropout"):
        value = options[name]
        if value is not None and not (isinstance(value, (int, float)) and 0.0 <= value < 1.0):
            problems.append(f"{name} in [0, 1), got {value!r}")
    if options["lr"] is not None and not 0.0 < options["lr"] < np.inf:
        problems.append(f"lr above 0, got {options['lr']!r}")
    if options["weight_decay"] is not None and not 0.0 <= options["weight_decay"] < np.inf:
        problems.append(f"weight_decay of at least 0, got {options['weight_decay']!r}")
    if options["optimizer"] is not None and options["optimizer"] not in OPTIMIZERS:
        problems.append(f"optimizer one of {', '.join(OPTIMIZERS)}, got {options['optimizer']!r}")
    hidden = options["hidden"]
    if hidden is not None and not all(isinstance(n, int) and n >= 1 for n in hidden):
        problems.append(f"hidden to be widths of at least 1, got {hidden!r}")
    if not isinstance(options["seed"], int) or options["seed"] < 0:
        problems.append(f"seed a whole number from 0, got {options['seed']!r}")
    weight = options["class_weight"]
    if isinstance(weight, str) and weight != "balanced":
        problems.append(f"class_weight 'balanced' or factors by class, got {weight!r}")
    problems += [
        f"{name} to name a column, got {type(options[name]).__name__}"
        for name in ("sample_weight", "group", "time")
        if not isinstance(options[name], str | None)
    ]
    if problems:
        raise UsageError(f"train: expected {'; '.join(problems)}.")
