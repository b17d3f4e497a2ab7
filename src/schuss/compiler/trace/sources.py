"""Sources: the tensors whose memory views share, for a trace, which has no memory."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

from schuss.compiler.trace.abstract import Abstract
from schuss.core import Tensor
from schuss.primitives.storage import owner_of
from schuss.primitives.views import origins_of

__all__ = ["Sources"]


class Sources:
    """Which tensors have to be made anew of what they share memory with."""

    def __init__(self) -> None:
        # Tensors that were assigned to, so that what shares their memory is another one now, with
        # their stamps before.
        self._rewritten: dict[int, tuple[Tensor, int]] = {}
        # Tensors from outside that are parts of states.
        self._followed: dict[int, Tensor] = {}

    def rewrite(self, x: Tensor) -> None:
        """Note that a tensor is about to be assigned to."""
        self._rewritten.setdefault(id(x), (x, x.stamp))

    def decide(self, x: Tensor, follow: Callable[[Callable[[], Any]], None]) -> bool:
        """Return whether `x`, which has a source, is to be made anew of it.

        Args:
            x: a traced tensor, or one from outside.
            follow: is given what the answer depends on, of tensors from outside.
        """
        root, _ = origins_of(x)
        array: Any = x.array
        if type(array) is Abstract:
            return id(root) in self._rewritten
        # One from outside of the trace is no state of its own, unless it lies elsewhere by now.
        together = partial(_lie_together, weakref.ref(x), weakref.ref(root))
        if not together():
            return False
        if id(x) not in self._followed:
            self._followed[id(x)] = x
            follow(together)
        return True

    def clear(self) -> None:
        """Let go of all tensors, which a trace has not changed."""
        for x, stamp in self._rewritten.values():
            x.stamp = stamp
        self._rewritten.clear()
        self._followed.clear()


def _lie_together(x: weakref.ref[Tensor], root: weakref.ref[Tensor]) -> bool:
    """Return whether two tensors have the same memory; one that is gone cannot be read."""
    one, other = x(), root()
    return one is None or other is None or owner_of(one.array) is owner_of(other.array)
