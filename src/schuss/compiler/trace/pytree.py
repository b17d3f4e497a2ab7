"""Pytrees: nested containers of arguments and results, with the tensors taken out as leaves."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import Tensor
from schuss.counts import Size

__all__ = ["LEAF", "StaticArgument", "count_leaves", "flatten", "unflatten"]


class _Leaf:
    """Stands where a tensor was."""

    def __repr__(self) -> str:
        return "*"


LEAF = _Leaf()


def flatten(value: Any, leaves: list[Any], *, numbers: bool) -> Any:
    """Take tensors and arrays out of nested containers; return what is left, hashable.

    Args:
        value: containers of anything.
        leaves: takes what was found, in order.
        numbers: whether Python floats are taken out, too.
    """
    if isinstance(value, (Tensor, np.ndarray)):
        leaves.append(value)
        return LEAF
    if isinstance(value, (tuple, list)):
        return (type(value), *[flatten(v, leaves, numbers=numbers) for v in value])
    if isinstance(value, dict):
        items = [(k, flatten(v, leaves, numbers=numbers)) for k, v in value.items()]
        return (dict, *items)
    if numbers and type(value) is float:
        leaves.append(value)
        return float
    return (None, _hashable(value))


def count_leaves(value: Any) -> int:
    """Return how many tensors a nested value holds."""
    found: list[Any] = []
    flatten(value, found, numbers=False)
    return len(found)


def _hashable(value: Any) -> Any:
    try:
        hash(value)
    except TypeError:
        return StaticArgument(value)
    return value


class StaticArgument:
    """A fixed argument that is compared by identity."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __hash__(self) -> int:
        return id(self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StaticArgument) and other.value is self.value


def unflatten(structure: Any, leaves: Any) -> Any:
    """Put leaves back into their containers."""
    if structure is LEAF or structure is float:
        return next(leaves)
    kind, *rest = structure
    if kind is dict:
        return {k: unflatten(v, leaves) for k, v in rest}
    if kind is None:
        (value,) = rest
        return value.value if isinstance(value, StaticArgument) else value
    items = [unflatten(v, leaves) for v in rest]
    if kind in (tuple, list, Size):
        return kind(items)
    return kind(*items)
