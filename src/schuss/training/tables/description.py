"""Checks of a run's description, which may come from another version, or from anybody."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from itertools import pairwise
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from schuss.core import Array
from schuss.data import Table, TablePreprocessor, TargetEncoder
from schuss.errors import FileFormatError, SchussError
from schuss.training.tables.options import ADDED, TableOptions

__all__ = ["check_config", "check_parts", "check_result", "check_size"]

_COUNTS = ("numeric_features", "out_features", "embedded")
_NETWORK = (
    *_COUNTS,
    *("cardinalities", "hidden", "activation", "dropout", "baseline", "members", "calibrated"),
    "embedding_std",
)

# What comes of a training, by name; an older or unfinished run lacks some of it.
_RESULT: dict[str, Any] = {
    "epoch": int,
    "epochs": int,
    "seconds": float,
    "stopped": str,
    "finished": bool,
    "notes": list[str],
    "validation": dict[str, float | None] | None,
    "test": dict[str, float | None] | None,
    "confusion": list[list[int]] | None,
}
_CONFIG: dict[str, Any] = {
    "notes": list[str],
    "shares": dict[str, int],
    "range": list[float] | None,
    "seen": list[float] | None,
    "class_factors": list[float] | None,
    "options": dict[str, Any],
    "recipe": dict[str, Any],
    "target": str,
    "sources": dict[str, dict[str, Any] | None],
}
# Those that runs of earlier versions do not have.
_ADDED = dict.fromkeys(("seen", "class_factors"))
# How a source was read, where that was told.
_READING: dict[str, Any] = {
    "sep": str | None,
    "header": str | None,
    "encoding": str | None,
    "na_values": list[str],
    "as_text": list[str],
}
# Besides what TableOptions looks at.
_OPTIONS: dict[str, Any] = {
    "task": str | None,
    "exclude": list[str],
    "kinds": dict[str, str],
    "class_weight": str | list[list[Any]] | None,
    "test_share": float,
    "seed": int,
    "eager": bool | None,
    "quantile": float | None,
    "time_budget": float | None,
}


def check_size(network: Mapping[str, Any], arrays: Mapping[str, Array]) -> None:
    """Refuse a network that is larger than the tensors that are there for it.

    Args:
        network: the arguments of `TabularMLP`.
        arrays: its weights.

    Raises:
        FileFormatError: if it has more numbers than these; nothing has been built then.
        KeyError, TypeError, ValueError: if the description is none of a network.
    """
    unknown = [name for name in network if name not in _NETWORK]
    if unknown:
        raise ValueError(f"a network has no {', '.join(unknown)}")
    cardinalities, hidden = list(network["cardinalities"]), list(network["hidden"])
    members = 1 if network["members"] is None else network["members"]
    counts = [*(network[name] for name in _COUNTS), *cardinalities, *hidden, members]
    if not all(type(n) is int and n >= 0 for n in counts):
        raise ValueError("a network's sizes have to be whole numbers")
    # Not all of its parameters, but more than a fixed share of them.
    widths = [network["numeric_features"] + len(cardinalities), *hidden, network["out_features"]]
    least = members * (sum(a * b for a, b in pairwise(widths)) + sum(cardinalities) + members)
    there = sum(array.size for array in arrays.values())
    if least > there + members * members:
        raise FileFormatError(
            f"the description is of a network of at least {least:,} numbers, but {there:,} are "
            "there; take another copy."
        )


def check_config(config: Mapping[str, Any]) -> None:
    """Refuse a config whose parts are of other types or out of range.

    Raises:
        KeyError, TypeError, ValueError: if something is wrong.
    """
    config = {**_ADDED, **config}
    for name, kind in _CONFIG.items():
        _check(name, config[name], kind)
    options, bounds = {**ADDED, **config["options"]}, config["range"]
    for name, kind in _OPTIONS.items():
        _check(name, options[name], kind)
    TableOptions.of_config(options)
    for source in (config["sources"]["data"], *config["sources"].values()):
        for name, value in ((source or {}).get("reading") or {}).items():
            _check(name, value, _READING[name])
    weights = options["class_weight"]
    for pair in weights if isinstance(weights, list) else []:
        if len(pair) != 2 or not _conforms(pair[1], float):
            raise ValueError("class_weight has to be pairs of a class and its factor")
    for name in ("range", "seen"):
        pair = config[name]
        if pair is not None and not (len(pair) == 2 and pair[0] <= pair[1]):
            raise ValueError(f"{name} has to be two numbers in their order")
    if (config["target_encoding"]["task"] == "regression") != (bounds is not None):
        raise ValueError("range goes with a quantity")


def check_result(result: Mapping[str, Any]) -> None:
    """Refuse what cannot have come of a training.

    Raises:
        ValueError: if something is wrong.
    """
    for name, kind in _RESULT.items():
        if name in result:
            _check(name, result[name], kind)


def check_parts(
    config: Mapping[str, Any],
    prepared: TablePreprocessor,
    target: TargetEncoder,
    measure: Callable[[Table], object],
) -> None:
    """Refuse a run whose parts do not fit together: predict two rows, and measure that.

    Args:
        config: the run's.
        prepared: what makes the network's inputs.
        target: what its outputs mean.
        measure: predicts and measures the rows of a table.

    Raises:
        ValueError: if types or sizes are wrong; and whatever fails on the way, except for what
            Schuss raises on purpose.
    """
    network = config["network"]
    _check("preprocessing", prepared.learned, type(prepared.learned))
    _check("target_encoding", target, type(target))
    sizes = {
        "numeric_features": prepared.n_numeric,
        "embedded": prepared.n_continuous if network["embedded"] else 0,
        "cardinalities": list(prepared.category_sizes),
        "out_features": target.n_outputs,
    }
    wrong = [name for name, size in sizes.items() if network[name] != size]
    if wrong:
        raise ValueError(f"network and preprocessing differ in {', '.join(wrong)}")
    columns: dict[str, Any] = {
        name: [np.nan, 1.0] if kind.kind == "numeric" else [None, "a"]
        for name, kind in prepared.kinds.items()
        if kind.kind != "timestamp"
    }
    columns |= {name: [None, None] for name in prepared.kinds if name not in columns}
    ends = target.class_array.tolist() or [target.mean - target.std, target.mean + target.std]
    columns[target.name] = [ends[0], ends[-1]]
    with suppress(SchussError):
        measure(Table(columns))
    prepared.describe()


def _check(name: str, value: Any, kind: Any) -> None:
    """Raise ValueError unless a value, or all that it holds, is of a type as annotated."""
    if not _conforms(value, kind):
        shown = repr(value)
        raise ValueError(f"{name} is not what it was: {shown[:60]}")


def _conforms(value: Any, kind: Any) -> bool:
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return True
    if origin in (Union, UnionType):
        return any(_conforms(value, one) for one in inner)
    if origin is Literal:
        return value in inner
    if origin in (list, tuple):
        return type(value) is origin and all(_conforms(item, inner[0]) for item in value)
    if origin is np.ndarray:
        return isinstance(value, np.ndarray) and bool(np.isfinite(value).all())
    if origin is dict:
        return type(value) is dict and all(
            _conforms(key, inner[0]) and _conforms(item, inner[1]) for key, item in value.items()
        )
    if kind in (None, NoneType):
        return value is None
    if kind is float:
        return type(value) in (int, float) and isfinite(value)
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return isinstance(value, kind) and all(  # type: ignore[arg-type]
            _conforms(getattr(value, field.name), hints[field.name]) for field in fields(kind)
        )
    return type(value) is kind
