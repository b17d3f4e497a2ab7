"""The state of a network by name: matching a saved one to the network's own, all or nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

import numpy as np

from schuss.core import Array, Tensor

__all__ = ["IncompatibleKeys", "load_state", "nearest"]


class IncompatibleKeys(NamedTuple):
    """The names that `load_state_dict(..., strict=False)` passed over."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not any(self):
            return "<All keys matched successfully>"
        return f"IncompatibleKeys(missing_keys={self[0]}, unexpected_keys={self[1]})"


def nearest(name: str, names: Iterable[str]) -> str:
    """Return " (did you mean X?)" for the name most like a mistyped one, else ""."""
    close = get_close_matches(name, [n for n in names if n], n=1)
    return f" (did you mean {close[0]}?)" if close else ""


def load_state(
    owner: str, own: Mapping[str, Tensor], given: Mapping[str, Any], *, strict: bool
) -> IncompatibleKeys:
    """Assign given values to tensors of the same names, cast to their dtypes.

    Args:
        owner: who is named in errors.
        own: the tensors to change, by name.
        given: tensors, or anything NumPy turns into an array, by name.
        strict: whether the names must be the same.

    Raises:
        ValueError: on other names (when strict) or shapes; nothing has been changed then.
    """
    missing = [name for name in own if name not in given]
    unexpected = [name for name in given if name not in own]
    problems = []
    if strict:
        problems += [
            f"  missing: {name} {own[name].shape}{nearest(name, unexpected)}" for name in missing
        ]
        problems += [
            f"  unexpected: {name} {np.shape(given[name])}{nearest(name, missing)}"
            for name in unexpected
        ]
    new: dict[str, Array] = {}
    for name in own:
        if name not in given:
            continue
        value = given[name]
        array = value.array if isinstance(value, Tensor) else np.asarray(value)
        if array.shape != own[name].shape:
            problems.append(f"  shape of {name}: expected {own[name].shape}, got {array.shape}")
        elif array.dtype.kind not in "fiub":
            problems.append(f"  dtype of {name}: expected numbers, got {array.dtype}")
        else:
            new[name] = array
    if problems:
        raise ValueError(
            f"{owner}: expected the state of the same network, got one that differs in "
            f"{len(problems)} place{'s' if len(problems) > 1 else ''}; build the network as it was "
            f"saved{', or pass strict=False to skip names' if strict else ''}.\n"
            + "\n".join(problems)
        )
    for name, array in new.items():
        own[name].assign(np.array(array, own[name].array.dtype))
    return IncompatibleKeys(missing, unexpected)
