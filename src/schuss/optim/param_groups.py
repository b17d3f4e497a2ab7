"""Parameter groups: parameters and the hyperparameters that hold for them, checked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import numpy as np

from schuss.core import Tensor

__all__ = ["NOT_NEGATIVE", "RANGES", "Group", "Params", "Range", "as_numbers", "check_ranges"]
__all__ += ["hyperparameters", "make_group", "require_fit", "required"]

Group: TypeAlias = dict[str, Any]
Params: TypeAlias = "Iterable[Tensor] | Iterable[tuple[str, Tensor]] | Iterable[Group]"
Range: TypeAlias = tuple[float, float, bool]  # lowest, highest, whether the highest is allowed


class _Required:
    """The default of a hyperparameter that has none."""

    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()

NOT_NEGATIVE: Range = (0.0, math.inf, False)
# Where the numbers must be that rules have in common.
RANGES: Mapping[str, Range] = {
    "lr": NOT_NEGATIVE,
    "lr_decay": NOT_NEGATIVE,
    "momentum": NOT_NEGATIVE,
    "alpha": NOT_NEGATIVE,
    "rho": (0.0, 1.0, True),
    "betas": (0.0, 1.0, False),
    "eps": NOT_NEGATIVE,
    "weight_decay": NOT_NEGATIVE,
    "initial_accumulator_value": NOT_NEGATIVE,
}


def hyperparameters(given: Mapping[str, Any]) -> Group:
    """Return the arguments of a rule's constructor, its `locals()`, that are hyperparameters."""
    return {k: v for k, v in given.items() if k not in ("self", "params", "__class__")}


def as_numbers(value: Any) -> Any:
    """Return a hyperparameter with Python's numbers in the place of NumPy's and of tensors."""
    if isinstance(value, (np.generic, np.ndarray, Tensor)) and value.ndim == 0:
        return value.item()
    if type(value) in (list, tuple):
        return tuple([as_numbers(v) for v in value])
    return value


def make_group(owner: str, given: object, defaults: Group, groups: Iterable[Group]) -> Group:
    """Return a group with its parameters in a list, and defaults for what it does not set.

    Args:
        owner: who is named in errors.
        given: a dictionary with "params" and hyperparameters.
        defaults: hyperparameters that it may leave out.
        groups: those that are there; they have other parameters.

    Raises:
        TypeError: if it is no such dictionary, or a parameter is not a tensor.
        ValueError: on a parameter that is there already or cannot be trained.
    """
    if not isinstance(given, Mapping) or "params" not in given:
        raise TypeError(
            f"{owner}: expected groups to be dictionaries with 'params', got {given!r}."
        )
    group = {name: as_numbers(value) for name, value in {**defaults, **given}.items()}
    missing = [name for name, value in group.items() if value is required]
    if missing:
        raise ValueError(f"{owner}: expected {', '.join(missing)} in every group, got none.")
    held = group["params"] = given["params"]
    parameters = [held] if isinstance(held, Tensor) else list(held)
    named = [isinstance(entry, tuple) for entry in parameters]
    if any(named):
        if not all(named):
            raise ValueError(
                f"{owner}: expected names with all parameters or with none, got both; use either "
                "model.named_parameters() or model.parameters()."
            )
        group["param_names"] = [name for name, _ in parameters]
        parameters = [parameter for _, parameter in parameters]
    if any(("param_names" in other) != ("param_names" in group) for other in groups):
        raise ValueError(
            f"{owner}: expected names in all groups of parameters or in none, got both; use either "
            "model.named_parameters() or model.parameters()."
        )
    group["params"] = parameters
    known = {id(p) for other in groups for p in other["params"]}
    for position, parameter in enumerate(parameters):
        if not isinstance(parameter, Tensor):
            raise TypeError(
                f"{owner}: expected parameters to be tensors, got {type(parameter).__name__}; "
                "use model.parameters()."
            )
        if not parameter.is_leaf or parameter.array.dtype.kind != "f":
            raise ValueError(
                f"{owner}: expected float parameters that no operation made, got number "
                f"{position}, {parameter.array.dtype} of shape {parameter.shape}."
            )
        if id(parameter) in known:
            raise ValueError(
                f"{owner}: expected every parameter once, got number {position}, of shape "
                f"{parameter.shape}, twice; put it into one group only."
            )
        known.add(id(parameter))
    return group


def require_fit(owner: str, group: Group, ranges: Mapping[str, Range]) -> None:
    """Refuse what no step can be taken with, also if it was set on the way.

    Those are hyperparameters that are not finite in the dtype of every parameter, and shares that
    are none. A rate below zero is let through, as a schedule may end there by rounding.

    Raises:
        ValueError: if there are such.
    """
    dtypes = {parameter.array.dtype for parameter in group["params"]}
    narrow = min(dtypes, key=lambda dtype: dtype.itemsize, default=np.dtype(np.float64))
    for name in ranges:
        if name in group:
            _expect_fit(owner, name, group[name], narrow)
    check_ranges(owner, group, {n: r for n, r in ranges.items() if r[1] < math.inf})


def _expect_fit(owner: str, name: str, value: Any, dtype: np.dtype[Any]) -> None:
    largest = float(np.finfo(dtype).max)
    for number in value if isinstance(value, (tuple, list)) else (value,):
        if isinstance(number, (int, float)) and not -largest <= number <= largest:
            raise ValueError(f"{owner}: expected {name} to be finite in {dtype}, got {value}.")


def check_ranges(owner: str, group: Group, ranges: Mapping[str, Range]) -> None:
    """Refuse hyperparameters out of range, all of them at once.

    Raises:
        ValueError: if there are such, or not two betas.
    """
    problems = []
    for name, (lowest, highest, closed) in ranges.items():
        if name not in group:
            continue
        value = group[name]
        fits = all(
            isinstance(v, (int, float))
            and lowest <= v < math.inf
            and (v <= highest if closed else v < highest)
            for v in (value if isinstance(value, (tuple, list)) else (value,))
        )
        if not fits:
            wanted = f"in [{lowest:g}, {highest:g})"
            if highest == math.inf:
                wanted = f">= {lowest:g}"
            elif closed:
                wanted = f"from {lowest:g} to {highest:g}"
            problems.append(f"{name} {wanted}, got {value}")
    if problems:
        raise ValueError(f"{owner}: expected {'; '.join(problems)}.")
    if "betas" in group and len(group["betas"]) != 2:
        raise ValueError(f"{owner}: expected two betas, got {group['betas']}.")
