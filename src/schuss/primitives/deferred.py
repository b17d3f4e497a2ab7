"""Gradients that a step leaves behind without putting them together.

A compiled step leaves each parameter's gradient in `.grad`. That of a table is made of few rows,
which the rule of descent reads as they are; to write the whole table at every step would take as
long as a quarter of the rule. So what it is made of stays in the program's memory, and who looks
at the gradient first puts it together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schuss.core import Array, Tensor, new_object

__all__ = ["DeferredArray", "DeferredTensor", "defer", "deferred_leaf", "materialize"]

_slot: Any = Tensor.array  # type: ignore[misc]  # the descriptor of the slot


class DeferredArray:
    """Stands for an array until it is put together.

    Args:
        compute: returns the array, of what the last run left.
    """

    __slots__ = ("compute",)

    def __init__(self, compute: Callable[[], Array]) -> None:
        self.compute = compute


class DeferredTensor(Tensor):
    """A tensor whose array may not have been put together yet."""

    __slots__ = ()

    @property
    def array(self) -> Array:
        """The array itself."""
        return materialize(self)

    @array.setter
    def array(self, value: Any) -> None:
        _slot.__set__(self, value)


def materialize(tensor: Tensor) -> Array:
    """Return the array of a tensor that may have been left in its parts."""
    held = _slot.__get__(tensor)
    if type(held) is DeferredArray:
        held = held.compute()
        _slot.__set__(tensor, held)
    return held  # type: ignore[no-any-return]  # the slot's


def defer(tensor: Tensor, parts: DeferredArray | Array) -> None:
    """Let a tensor be what the last run left, from now on."""
    _slot.__set__(tensor, parts)


def deferred_leaf(array: Array) -> DeferredTensor:
    """Return a leaf that holds `array`, for now."""
    made: DeferredTensor = new_object(DeferredTensor)
    made.array = array
    made.requires_grad = False
    made.grad = None
    made.node = None
    made.stamp = 0
    return made
