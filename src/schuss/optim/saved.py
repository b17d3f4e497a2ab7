"""An optimizer's state as plain dictionaries, and read again from what was saved."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from schuss.core import Tensor, leaf
from schuss.optim.param_groups import Group, require_fit

__all__ = ["load_saved_state", "saved_state"]


def saved_state(optimizer: Any) -> dict[str, Any]:
    """Return what `Optimizer.state_dict` does."""
    numbers: dict[int, int] = {}
    groups = []
    for group, common in zip(optimizer.param_groups, optimizer.common, strict=True):
        for parameter in group["params"]:
            numbers[id(parameter)] = len(numbers)
        packed = {name: value for name, value in group.items() if name != "params"}
        packed |= {name: value.item() for name, value in common.items()}
        packed["params"] = [numbers[id(p)] for p in group["params"]]
        groups.append(packed)
    state = {
        numbers[id(parameter)]: {
            name: value.detach() if isinstance(value, Tensor) else value
            for name, value in held.items()
        }
        for parameter, held in optimizer.state.items()
    }
    return {"state": state, "param_groups": groups}


def load_saved_state(optimizer: Any, state_dict: Mapping[str, Any]) -> None:
    """Do what `Optimizer.load_state_dict` does."""
    owner = type(optimizer).__name__
    groups = state_dict["param_groups"]
    sizes = [len(group["params"]) for group in optimizer.param_groups]
    given = [len(group["params"]) for group in groups]
    if sizes != given:
        raise ValueError(
            f"{owner}: expected groups of {sizes} parameters, got {given}; "
            "build the optimizer as it was saved."
        )
    options = list(map(_saved_options, groups))
    by_number = {
        number: (parameter, {**mine, **held})
        for mine, group, held in zip(optimizer.param_groups, groups, options, strict=True)
        for number, parameter in zip(group["params"], mine["params"], strict=True)
    }
    state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
    counts: dict[tuple[int, float], Tensor] = {}
    for number, held in state_dict["state"].items():
        if int(number) not in by_number:
            raise ValueError(
                f"{owner}: expected state of {len(by_number)} parameters, got one of number "
                f"{number}; build the optimizer as it was saved."
            )
        parameter, group = by_number[int(number)]
        state[parameter] = _loaded(optimizer, parameter, group, held, counts)
    for mine, held in zip(optimizer.param_groups, options, strict=True):
        require_fit(owner, {**mine, **held}, optimizer.ranges)
    optimizer.state = state
    for mine, common, held in zip(optimizer.param_groups, optimizer.common, options, strict=True):
        for name in common.keys() & held.keys():
            common[name].assign(leaf(np.array(float(held.pop(name)))))
        mine.update(held)


def _loaded(
    optimizer: Any,
    parameter: Tensor,
    group: Group,
    held: Mapping[str, Any],
    counts: dict[tuple[int, float], Tensor],
) -> dict[str, Any]:
    if optimizer.is_own_rule:
        return {name: _taken(value) for name, value in held.items()}
    # PyTorch's SGD counts no steps; with a state, at least one was done.
    count = float(held.get("step", 1.0))
    state: dict[str, Tensor] = {
        "step": counts.setdefault((id(group["params"]), count), leaf(np.array(count)))
    }
    begun = optimizer.init(parameter, group)
    for name, value in held.items():
        if name == "step" or value is None:
            continue
        array = value.array if isinstance(value, Tensor) else np.asarray(value)
        usual = begun.get(name, parameter)
        if array.shape not in (usual.shape, ()):
            raise ValueError(
                f"{type(optimizer).__name__}: expected state {name!r} of shape {usual.shape}, got "
                f"{array.shape}; build the optimizer as it was saved."
            )
        state[name] = leaf(np.array(array, usual.dtype))
    return state


def _saved_options(group: Mapping[str, Any]) -> Group:
    """Return the hyperparameters of a group that was saved, where tuples may have become lists."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in group.items()
        if name not in ("params", "param_names")
    }


def _taken(value: Any) -> Any:
    """Return something that was saved, tensors (other libraries', too) as tensors of one's own."""
    if isinstance(value, (list, tuple)):
        return type(value)(map(_taken, value))
    if isinstance(value, Tensor) or not hasattr(value, "__array__"):
        return Tensor(value) if isinstance(value, Tensor) else value
    return leaf(np.asarray(value).copy())
