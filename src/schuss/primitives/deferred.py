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

__all__ = ["Leftover", "Scattered", "leave", "left_behind", "put_together"]

_slot: Any = Tensor.array  # type: ignore[misc]  # the descriptor of the slot


class Scattered:
    """Stands for an array until it is put together.

    Args:
        compute: returns the array, of what the last run left.
    """

    __slots__ = ("compute",)

    def __init__(self, compute: Callable[[], Array]) -> None:
        self.compute = compute


class Leftover(Tensor):
    """A tensor whose array may not have been put together yet."""

    __slots__ = ()

    @property
    def array(self) -> Array:
        """The array itself."""
        return put_together(self)

    @array.setter
    def array(self, value: Any) -> None:
        _slot.__set__(self, value)


def put_together(tensor: Tensor) -> Array:
    """Return the array of a tensor that may have been left in its parts."""
    held = _slot.__get__(tensor)
    if type(held) is Scattered:
        held = held.compute()
        _slot.__set__(tensor, held)
    return held  # type: ignore[no-any-return]  # the slot's


def leave(tensor: Tensor, parts: Scattered | Array) -> None:
    """Let a tensor be what the last run left, from now on."""
    _slot.__set__(tensor, parts)


def left_behind(array: Array) -> Leftover:
    """Return a leaf that holds `array`, for now."""
    made: Leftover = new_object(Leftover)
    made.array = array
    made.requires_grad = False
    made.grad = None
    made.node = None
    made.stamp = 0
    return made
