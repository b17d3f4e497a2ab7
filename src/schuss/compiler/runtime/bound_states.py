"""Bound states: the tensors that a program reads and changes, and where it finds their elements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from schuss.compiler.graph.graph import Graph
from schuss.compiler.runtime.guards import MemoryGuard
from schuss.compiler.runtime.ownership import (
    BorrowedArrays,
    aligned,
    give_ownership,
    guarded_words,
    is_owned,
    is_shared,
)
from schuss.compiler.runtime.shared_states import SharedStates, renewed
from schuss.core import Tensor, next_stamp
from schuss.native.cpython import array_data_address, slot_address
from schuss.primitives.deferred import DeferredArray, defer, held
from schuss.primitives.storage import LAST_RUN, Writer
from schuss.values.layouts import ANY_LAYOUT, layout_of

__all__ = ["BoundStates", "StateChanged"]


class StateChanged(Exception):  # noqa: N818  # a signal, and never shown
    """A state has another shape, dtype or layout than when it was traced."""


class BoundStates:
    """The states of one program.

    Args:
        graph: the program's.
        deferred: the deferred gradients that a run leaves, by the numbers of their states.
        pointers: the program's table, with a word for the address of each state.
        first: the place of the first state's.
    """

    def __init__(
        self, graph: Graph, deferred: dict[int, DeferredArray], pointers: Any, first: int
    ) -> None:
        self._graph, self._pointers, self._first = graph, pointers, first
        self._deferred = [(graph.states[i].tensor, parts) for i, parts in deferred.items()]
        states = [(i, s) for i, s in enumerate(graph.states) if i not in deferred]
        written = [(first + i, s.tensor) for i, s in states if s.updated is not None]
        read = [(first + i, s.tensor) for i, s in states if s.updated is None]
        self.shared, self._renewed = SharedStates(), renewed(graph)
        # Those whose layouts the graph depends on.
        looked_at = [s for s in graph.states if s.layout is not ANY_LAYOUT]
        self._layouts = {id(s.tensor): s.layout for s in looked_at}
        self._written_places, self._written = [p for p, _ in written], [t for _, t in written]
        self._read_places, self._read = [p for p, _ in read], [t for _, t in read]
        self._borrowed = BorrowedArrays(len(read))
        self._memory_guard, self._writer = MemoryGuard(), Writer()
        self._stamped: list[Tensor] = []

    def take(self) -> list[Any]:
        """Point the table to the states' arrays; return what deferred gradients were before.

        Raises:
            StateChanged: where a state is not as it was traced.
        """
        if self._memory_guard.holds():
            return []
        self._adopt()
        for i, (place, tensor) in enumerate(zip(self._read_places, self._read, strict=True)):
            self._expect(place, tensor)
            array = tensor.array
            if not array.flags.c_contiguous or not array.flags.aligned:
                array = self.shared.contiguous(tensor, stays=self._stays(tensor))
            self._borrowed.borrow(i, array)
            self._pointers[place] = array_data_address(array)
        self.shared.expect_apart([tensor.array for tensor in self._read])
        self.shared.load()
        before = [held(tensor) for tensor, _ in self._deferred]
        for tensor, parts in self._deferred:
            defer(tensor, parts)
        self._stamped = [t for t in self._written if t.requires_grad]
        self._memory_guard.set([(None, 0)] if self.shared.loaded else self._words())
        return before

    def give_back(self, gradients: list[Any]) -> None:
        """Let deferred gradients be what they were before a run that changed nothing."""
        for (tensor, _), before in zip(self._deferred, gradients, strict=False):
            defer(tensor, before)

    def stamp(self) -> None:
        """Note that a run has written to states."""
        LAST_RUN[0] = self._writer.stamp = stamp = next_stamp()
        for tensor in self._stamped:
            tensor.stamp = stamp
        if self.shared.written:
            self.shared.store()

    def written(self) -> Iterator[tuple[int, Tensor]]:
        """Yield the states that are written in place, with their places in the table."""
        return zip(self._written_places, self._written, strict=True)

    def held(self) -> Iterator[Tensor]:
        """Yield the tensors that this refers to, as often as it does."""
        yield from [s.tensor for s in self._graph.states]
        yield from [*self._written, *self._read, *self._stamped]
        yield from [t for t, _ in self._deferred]

    def _words(self) -> list[tuple[int | None, int]]:
        """Return the words of memory that stay as they are while the table is right."""
        owned, *counts = guarded_words(self._written)
        words = [owned]
        for tensor in [*self._written, *self._read]:
            words.append((slot_address(tensor, "array"), id(tensor.array)))
            words.append((slot_address(tensor, "requires_grad"), id(tensor.requires_grad)))
        words += [(slot_address(tensor, "array"), id(parts)) for tensor, parts in self._deferred]
        return words + counts

    def _expect(self, place: int, tensor: Tensor) -> None:
        """Raise StateChanged unless a state is as it was traced."""
        node, array = self._graph.states[place - self._first].node, tensor.array
        if array.shape != node.shape or array.dtype != node.dtype:
            raise StateChanged
        if self._layouts.get(id(tensor), layout := layout_of(array)) != layout:
            raise StateChanged

    def _stays(self, tensor: Tensor) -> bool:
        """Whether a state may not be given another array, which lies in order."""
        return self._layouts.get(id(tensor)) is not None

    def _adopt(self) -> None:
        """Give every tensor that is written an array of its own, unless others look at its own."""
        self.shared.forget()
        for place, tensor in self.written():
            self._expect(place, tensor)
            if is_owned(tensor):
                array = tensor.array
            elif self._stays(tensor) or (is_shared(tensor) and id(tensor) not in self._renewed):
                array = self.shared.add(tensor)
            else:
                array = aligned(tensor.shape, tensor.array.dtype)
                array[...] = tensor.array
                give_ownership(tensor, array)
            self._pointers[place] = array_data_address(array)
            if not tensor.requires_grad:
                self._writer.takes(array)
