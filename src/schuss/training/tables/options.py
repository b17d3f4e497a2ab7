"""The options of a table's training, checked all at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from schuss.errors import UsageError
from schuss.training.trainer import OPTIMIZERS

__all__ = ["check_options", "plain_options"]


def plain_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as JSON can hold them: NumPy's numbers as Python's, sequences as lists.

    Factors by class become pairs, which JSON holds whatever the classes' type.
    """
    found = {name: _plain(value) for name, value in options.items()}
    if isinstance(found["class_weight"], Mapping):
        pairs = found["class_weight"].items()
        found["class_weight"] = [[_plain(label), float(factor)] for label, factor in pairs]
    found["lr"] = None if found["lr"] == "auto" else found["lr"]
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    return value


def _is_number(value: Any, least: float, most: float, *, open_below: bool = False) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return (value > least if open_below else value >= least) and value < most


def _is_count(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options out of range, all of them at once."""
    given = {name: value for name, value in options.items() if value is not None}
    problems = [
        f"{name} a whole number of at least 1, got {given[name]!r}"
        for name in ("epochs", "batch_size", "patience")
        if name in given and not _is_count(given[name], 1)
    ]
    problems += [
        f"{name} in [0, 1), got {given[name]!r}"
        for name in ("test_share", "validation_share", "dropout")
        if name in given and not _is_number(given[name], 0.0, 1.0)
    ]
    if "lr" in given and not _is_number(given["lr"], 0.0, np.inf, open_below=True):
        problems.append(f"lr above 0, got {given['lr']!r}")
    if "weight_decay" in given and not _is_number(given["weight_decay"], 0.0, np.inf):
        problems.append(f"weight_decay of at least 0, got {given['weight_decay']!r}")
    if "optimizer" in given and given["optimizer"] not in OPTIMIZERS:
        problems.append(f"optimizer one of {', '.join(OPTIMIZERS)}, got {given['optimizer']!r}")
    if "hidden" in given and not all(_is_count(n, 1) for n in given["hidden"]):
        problems.append(f"hidden to be widths of at least 1, got {given['hidden']!r}")
    if not _is_count(given.get("seed"), 0):
        problems.append(f"seed a whole number from 0, got {options['seed']!r}")
    weight = given.get("class_weight")
    if isinstance(weight, str) and weight != "balanced":
        problems.append(f"class_weight 'balanced' or factors by class, got {weight!r}")
    problems += [
        f"{name} to name a column, got {type(given[name]).__name__}"
        for name in ("sample_weight", "group", "time")
        if name in given and not isinstance(given[name], str)
    ]
    if problems:
        raise UsageError(f"train: expected {'; '.join(problems)}.")
