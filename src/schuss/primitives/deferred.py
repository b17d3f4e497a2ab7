"""Deferred gradients: those of tables, which a step leaves without computing the whole array.

A compiled step leaves each parameter's gradient in `.grad`. That of a table is made of few rows,
which the rule of descent reads as they are; to write the whole table at every step would take as
long as a quarter of the rule. So what it is made of stays in the program's memory, and who looks
at the gradient first puts it together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schuss.core import Array, Tensor, new_object

__all__ = ["DeferredArray", "DeferredTensor", "defer", "deferred_leaf", "held", "materialize"]

_slot: Any = Tensor.array  # type: ignore[misc]  # the descriptor of the slot


class DeferredArray:
    """Stands for an array that has not been computed yet.

    Args:
        compute: returns the array, of what the last run left.
    """

    __slots__ = ("compute",)

    def __init__(self, compute: Callable[[], Array]) -> None:
        self.compute = compute


class DeferredTensor(Tensor):
    """A tensor whose array may not have been computed yet."""

    __slots__ = ()

    @property
    def array(self) -> Array:
        """The array itself."""
        return materialize(self)

    @array.setter
    def array(self, value: Any) -> None:
        _slot.__set__(self, value)


def materialize(tensor: Tensor) -> Array:
    """Return the array of a tensor, computed now if it was deferred."""
    array = _slot.__get__(tensor)
    if type(array) is DeferredArray:
        array = array.compute()
        _slot.__set__(tensor, array)
    return array  # type: ignore[no-any-return]  # the slot's


def defer(tensor: Tensor, array: DeferredArray | Array) -> None:
    """Let a tensor be what is computed of the parts that the last run left."""
    _slot.__set__(tensor, array)


def held(tensor: Tensor) -> DeferredArray | Array:
    """Return a tensor's array as it is, computed or not."""
    return _slot.__get__(tensor)  # type: ignore[no-any-return]  # the slot's


def deferred_leaf(array: Array) -> DeferredTensor:
    """Return a leaf that holds `array`, for now."""
    made: DeferredTensor = new_object(DeferredTensor)
    made.array = array
    made.requires_grad = False
    made.grad = None
    made.node = None
    made.stamp = 0
    return made
