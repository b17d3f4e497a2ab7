"""The gradients that compiled programs leave in `.grad`: one tensor for each owner.

All programs write into the same tensor, so that a step finds what another has left. Where somebody
keeps it beyond the next step, it is theirs, and copies of another one are left from then on; what a
program reads of such a copy is what it is a copy of.
"""

from __future__ import annotations

import ctypes
import weakref

import numpy as np

from schuss.core import Array, Tensor, leaf
from schuss.native.cpython import layout_is_known
from schuss.primitives.deferred import deferred_leaf
from schuss.primitives.storage import is_unchanged, watch

__all__ = ["CHANGES", "LeftGradient", "left_gradient", "source_of", "state_of"]

# How often what programs leave became another: those that leave the former may not run any more.
CHANGES = ctypes.c_int64(0)


class LeftGradient:
    """What programs write into for the `.grad` of one tensor.

    Args:
        owner: the tensor.
    """

    def __init__(self, owner: Tensor) -> None:
        key = id(owner)
        self.owner = weakref.ref(owner, lambda _: _LEFT.pop(key, None))
        # Where references cannot be counted anybody may keep it.
        self.is_copied = not layout_is_known()
        self._copied: weakref.ref[Array] | None = None
        self._renew()

    def _renew(self) -> None:
        owner = self.owner()
        assert owner is not None
        self.tensor = deferred_leaf(np.zeros(owner.shape, owner.array.dtype))

    def give_away(self) -> None:
        """Leave the tensor to who keeps it, and copies of another from now on."""
        self.is_copied = True
        CHANGES.value += 1
        self._renew()

    def copy(self, into: Tensor | None) -> Tensor:
        """Return a copy of the tensor as it is now: a new one, or `into` with these contents."""
        array = self.tensor.array.copy()
        self._copied = watch(array)
        if into is not None:
            into.array = array
            return into
        made = leaf(array)
        key = id(made)
        _COPIES[key] = weakref.ref(made, lambda _: _COPIES.pop(key, None)), self
        return made

    def is_copy(self, gradient: Tensor) -> bool:
        """Whether the last copy is what it was."""
        array = gradient.array
        return self._copied is not None and self._copied() is array and is_unchanged(array)


_LEFT: dict[int, LeftGradient] = {}
# By the ids of tensors that were made as copies.
_COPIES: dict[int, tuple[weakref.ref[Tensor], LeftGradient]] = {}


def left_gradient(owner: Tensor) -> LeftGradient:
    """Return what programs write into for the `.grad` of `owner`."""
    found = _LEFT.get(id(owner))
    if found is not None and found.owner() is owner:
        tensor = found.tensor
        if (tensor.shape, tensor.dtype) == (owner.shape, owner.dtype):
            return found
    made = _LEFT[id(owner)] = LeftGradient(owner)
    return made


def source_of(gradient: Tensor | None) -> Tensor | None:
    """Return what a gradient is the last copy of; itself where it is none."""
    found = _COPIES.get(id(gradient))
    if found is None or gradient is None:
        return gradient
    made, left = found
    return left.tensor if made() is gradient and left.is_copy(gradient) else gradient


def state_of(x: Tensor) -> Tensor:
    """Return what is the state where `x` is read or assigned to: what it is the last copy of."""
    source = source_of(x)
    return x if source is None else source
