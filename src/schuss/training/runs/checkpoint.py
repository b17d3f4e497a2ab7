"""Checkpoints: all tensors and plain values that decide the rest of a training, by name."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

import numpy as np

from schuss import random
from schuss.core import Array, Tensor, leaf
from schuss.errors import FileFormatError
from schuss.nn.module import Module
from schuss.optim import Optimizer

__all__ = ["copy_state", "optimizer_header", "optimizer_tensors", "part", "restore_optimizer"]
__all__ += ["snapshot", "with_prefix"]


def snapshot(
    model: Module, best: Mapping[str, Tensor], average: Mapping[str, Tensor], optimizer: Optimizer
) -> dict[str, Tensor]:
    """Return all tensors that decide the rest: weights (now, best, average), optimizer, key."""
    return {
        **with_prefix("model", model.state_dict()),
        **with_prefix("best", best),
        **with_prefix("average", average),
        **with_prefix("optimizer", optimizer_tensors(optimizer)),
        "random": leaf(random.get_state()),
    }


def restore(
    arrays: Mapping[str, Array], groups: Mapping[str, Any], model: Module, optimizer: Optimizer
) -> dict[str, Tensor]:
    """Put everything back to a snapshot, and return the best weights.

    Args:
        arrays: what `snapshot` returned, read back.
        groups: what `optimizer_header` returned.
        model: set in place.
        optimizer: set in place.

    Raises:
        FileFormatError: if the snapshot is of another network or optimizer.
    """
    try:
        model.load_state_dict(part("model", arrays))
    except ValueError as error:
        raise FileFormatError(f"the checkpoint is of another network ({error}).") from None
    best = part("best", arrays)
    shapes = {name: value.shape for name, value in model.state_dict().items()}
    if best and {name: value.shape for name, value in best.items()} != shapes:
        raise FileFormatError("the checkpoint's best weights are of another network.")
    restore_optimizer(optimizer, part("optimizer", arrays), groups)
    random.set_state(np.array(arrays["random"]))
    return best


def copy_state(model: Module) -> dict[str, Tensor]:
    """Return a copy of a model's state that later steps do not change."""
    return {name: leaf(value.array.copy()) for name, value in model.state_dict().items()}


def with_prefix(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Put a prefix before each name."""
    return {f"{prefix}.{name}": value for name, value in tensors.items()}


def part(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Tensor]:
    """Return what `with_prefix` put together, without the prefix."""
    start = f"{prefix}."
    return {
        name.removeprefix(start): leaf(np.array(array))
        for name, array in arrays.items()
        if name.startswith(start)
    }


def optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    """Return the optimizer's state as tensors named NUMBER.NAME."""
    state = optimizer.state_dict()["state"]
    return {f"{k}.{name}": value for k, held in state.items() for name, value in held.items()}


def optimizer_header(optimizer: Optimizer) -> dict[str, Any]:
    """Return the rule's name and its groups' hyperparameters, as JSON can hold them."""
    groups = [
        {name: _plain(value) for name, value in group.items()}
        for group in optimizer.state_dict()["param_groups"]
    ]
    return {"rule": type(optimizer).__name__, "groups": groups}


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    return list(value) if isinstance(value, tuple) else value


def restore_optimizer(
    optimizer: Optimizer, arrays: Mapping[str, Tensor], header: Mapping[str, Any]
) -> None:
    """Put the optimizer into the state that the two functions above returned.

    Raises:
        FileFormatError: if it was another rule, or other parameters.
    """
    rule = type(optimizer).__name__
    if header.get("rule") != rule:
        raise FileFormatError(
            f"{rule}: the checkpoint was made with {header.get('rule')}; build the same optimizer."
        )
    own = optimizer_header(optimizer)["groups"]
    if not _is_alike(header["groups"], own):
        raise FileFormatError(f"{rule}: the checkpoint's hyperparameters are damaged.")
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in arrays.items():
        number, _, what = name.partition(".")
        state.setdefault(int(number), {})[what] = value
    try:
        optimizer.load_state_dict({"state": state, "param_groups": header["groups"]})
    except (ValueError, KeyError) as error:
        raise FileFormatError(f"{rule}: the checkpoint does not fit ({error}).") from None


def _is_alike(given: Any, own: Any) -> bool:
    """Tell whether values from a file can take the place of one's own: by type, not by size."""
    if isinstance(own, dict):
        # A callback may have added some.
        return isinstance(given, dict) and all(
            name in given and _is_alike(given[name], value) for name, value in own.items()
        )
    if isinstance(own, list):
        return (
            isinstance(given, list)
            and len(given) == len(own)
            and all(_is_alike(a, b) for a, b in zip(given, own, strict=True))
        )
    if isinstance(own, (int, float)) and not isinstance(own, bool):
        return type(given) in (int, float) and (isfinite(given) or given == own)
    # Flags and names decide what the state holds.
    return type(given) is type(own) and given == own
