"""Shared states: those that a program changes while others look at their memory, through views."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from schuss.compiler.graph.graph import Graph
from schuss.compiler.runtime.ownership import aligned, is_shared
from schuss.core import Array, Tensor
from schuss.errors import TraceError
from schuss.primitives.deferred import DeferredTensor
from schuss.primitives.storage import changed

__all__ = ["SharedStates", "renewed"]


class SharedStates:
    """The program works on copies, and what comes of it goes to where the others see it."""

    def __init__(self) -> None:
        self._copies: dict[int, Array] = {}
        # Those that are shared now, with what the program has in their places: all, and those of
        # them that it changes.
        self.loaded: list[tuple[Tensor, Array]] = []
        self.written: list[tuple[Tensor, Array]] = []

    def forget(self) -> None:
        """Begin anew: none is shared."""
        self.loaded.clear()
        self.written.clear()

    def add(self, tensor: Tensor) -> Array:
        """Note that a tensor is shared and changed; return what the program has in its place."""
        copy = self._load_into(tensor)
        self.written.append((tensor, copy))
        return copy

    def contiguous(self, tensor: Tensor, *, stays: bool) -> Array:
        """Return an array in order for a tensor that is only read; its own `stays` as it is."""
        if stays or is_shared(tensor):
            return self._load_into(tensor)
        tensor.array = np.ascontiguousarray(tensor.array)
        return tensor.array

    def _load_into(self, tensor: Tensor) -> Array:
        copy = self._copies.get(id(tensor))
        if copy is None or (copy.shape, copy.dtype) != (tensor.shape, tensor.array.dtype):
            copy = self._copies[id(tensor)] = aligned(tensor.shape, tensor.array.dtype)
        self.loaded.append((tensor, copy))
        return copy

    def array_of(self, tensor: Tensor) -> Array:
        """Return what the program works on for a tensor, shared or not."""
        return next((copy for t, copy in self.written if t is tensor), tensor.array)

    def load(self) -> None:
        """Before a run, copy what the tensors hold."""
        for tensor, copy in self.loaded:
            copy[...] = tensor.array

    def store(self) -> None:
        """After a run, let the tensors, and all who share their memory, have what it left."""
        for tensor, copy in self.written:
            tensor.array[...] = copy
            changed(tensor)

    def expect_apart(self, arrays: Iterable[Array]) -> None:
        """Raise TraceError where one of these arrays, or a shared state, is changed with another.

        The program takes each for itself, and would not see in one what it writes to the other.
        """
        written = [tensor.array for tensor, _ in self.written]
        others = list(arrays)
        for array in written:
            for other in others:
                if np.may_share_memory(array, other) and np.shares_memory(array, other):
                    raise TraceError(
                        f"compile: two tensors that the function uses, of shapes {array.shape} and "
                        f"{other.shape}, lie in the same memory, and it changes one of them; use "
                        "one of them alone, or a clone() of the other."
                    )
            others.append(array)


def renewed(graph: Graph) -> frozenset[int]:
    """Return the ids of gradients that every run leaves anew, as other ones than before."""
    read = {x for node in graph.nodes() for x in node.inputs}
    left = [s for s in graph.states if isinstance(s.tensor, DeferredTensor)]
    return frozenset(id(s.tensor) for s in left if s.node not in read)
