"""The gradients that compiled programs leave in `.grad`: one tensor for each owner.

All programs write into the same tensor, so that a step finds what another has left. Where somebody
keeps it beyond the next step, copies are left from then on.
"""

from __future__ import annotations

import ctypes
import weakref

import numpy as np

from schuss.core import Tensor
from schuss.native.cpython import layout_is_known
from schuss.primitives.deferred import deferred_leaf

__all__ = ["CHANGES", "LeftGradient", "left_gradient"]

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
        # Programs add to it, as `backward` does to what is there: that one has to stay the same.
        self.accumulates = False
        # Where references cannot be counted anybody may keep it.
        self._is_copied = not layout_is_known()
        self._renew()

    def _renew(self) -> None:
        owner = self.owner()
        assert owner is not None
        self.tensor = deferred_leaf(np.zeros(owner.shape, owner.dtype))

    @property
    def is_copied(self) -> bool:
        """Whether `.grad` becomes a copy of it."""
        return self._is_copied and not self.accumulates

    def keep_one(self) -> None:
        """Leave the tensor itself, as programs add to what they find and want to find it again."""
        if self.is_copied:
            CHANGES.value += 1
        self.accumulates = True

    def give_away(self) -> None:
        """Leave the tensor to who keeps it, and copies of another from now on."""
        self._is_copied = True
        CHANGES.value += 1
        self._renew()


_LEFT: dict[int, LeftGradient] = {}


def left_gradient(owner: Tensor) -> LeftGradient:
    """Return what programs write into for the `.grad` of `owner`."""
    found = _LEFT.get(id(owner))
    if found is not None and found.owner() is owner:
        tensor = found.tensor
        if (tensor.shape, tensor.dtype) == (owner.shape, owner.dtype):
            return found
    made = _LEFT[id(owner)] = LeftGradient(owner)
    return made
