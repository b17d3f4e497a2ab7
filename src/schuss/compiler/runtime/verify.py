"""Verification of a program's partitions and memory: its bits depend on no order of threads.

Between two barriers, threads may run in any order. So here one thread runs the parts of all, from
barrier to barrier, forward and backward: of two parts, each comes once before the other. Memory is
filled with nonsense before each run, so that what is read before it was written shows, and every
byte that two threads write between two barriers is found.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from schuss.compiler.graph.abi import ALIGNMENT, ARENA, CONTROL, SCRATCH, STATUS
from schuss.compiler.graph.graph import GraphError
from schuss.compiler.runtime.ownership import aligned
from schuss.core import Array

__all__ = ["Memory", "verify_step"]

_THREADS = (2, 3, 8)
# Bytes that are no number, as floats and as indices, and some that are one.
_POISONS = (0xFF, 0x55)
_BYTES = np.dtype(np.uint8)
_PROTOTYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
_Segments: TypeAlias = Callable[[int, int, int, int], None]


@dataclass
class Memory:
    """What a step reads and writes.

    Args:
        table: words, the addresses of the buffers among them.
        arena: bytes of the arena; those from `fixed` on are temporaries.
        fixed: bytes that keep their contents.
        written: the arrays of the states that are updated, by their place in the table.
        results: bytes of the arena that are results, as (first, after the last).
        deferred: likewise those that deferred gradients are computed of.
        scratch: bytes of working memory for each thread.
        is_parallel: whether threads may share the step.
        has_checks: whether the step stops where a value check fails.
    """

    table: Array
    arena: Array
    fixed: int
    written: dict[int, Array]
    results: Sequence[tuple[int, int]]
    deferred: Sequence[tuple[int, int]]
    scratch: int
    is_parallel: bool
    has_checks: bool


def verify_step(address: int, memory: Memory) -> None:
    """Run a step in many orders, on copies of what it writes, and compare the bits.

    Args:
        address: of the function `segments` in the step's machine code.
        memory: as it is before the step.

    Raises:
        GraphError: where results differ, two threads write one byte between two barriers, or
            something was written although a value check failed.
    """
    runs = _Runs(_PROTOTYPE(address), memory)
    expected = runs.results(1, "forward", _POISONS[0])
    for count, order, poison in _ways(memory.is_parallel):
        if runs.results(count, order, poison) != expected:
            raise GraphError(
                f"partitions: other bits on {count} threads in {order} order, on memory full "
                f"of {poison:#x}; a thread reads what another one writes without a barrier "
                "between them, or what nobody has written."
            )


def _ways(is_parallel: bool) -> Iterator[tuple[int, str, int]]:
    yield from ((1, "forward", poison) for poison in _POISONS[1:])
    if is_parallel:
        for count in _THREADS:
            yield from ((count, order, _POISONS[0]) for order in ("forward", "backward"))


class _Runs:
    """Runs of a step on copies of the memory that it writes, which lie in one block.

    Args:
        segments: the step, which comes back at each barrier.
        memory: as it is before the step.
    """

    def __init__(self, segments: _Segments, memory: Memory) -> None:
        self._segments = segments
        self._memory = memory
        # Of the arena, then of each state: first byte, byte after the last.
        self._places: list[tuple[int, int]] = []
        end = 0
        for array in (memory.arena, *memory.written.values()):
            self._places.append((end, end + array.nbytes))
            end = -(-(end + array.nbytes) // ALIGNMENT) * ALIGNMENT
        self._block = aligned((end,), _BYTES)
        self._control = np.zeros(1, np.int64)
        self._scratch = aligned((max(memory.scratch * max(_THREADS), 1),), _BYTES)
        self._table = memory.table.copy()
        self._table[CONTROL] = _address(self._control)
        self._table[SCRATCH] = _address(self._scratch)
        targets = (ARENA, *memory.written)
        for place, (first, _) in zip(targets, self._places, strict=True):
            self._table[place] = _address(self._block) + first

    def results(self, count: int, order: str, poison: int) -> list[bytes]:
        """Return the bytes of all results of a step on so many threads."""
        self._fill(poison)
        threads = range(count) if order == "forward" else range(count)[::-1]
        # Who writes what does not depend on the order.
        watch = _Watch(self._block) if count > 1 and order == "forward" else None
        segment = 0
        while True:
            following = set()
            for thread in threads:
                self._segments(_address(self._table), thread, count, segment)
                following.add(int(self._control[0]))
                if watch is not None:
                    watch.note(count)
            if len(following) > 1:
                raise GraphError("partitions: threads come to other barriers than each other.")
            (segment,) = following
            if not segment:
                break
            if watch is not None:
                watch.meet()
        states = self._places[1:]
        if self._memory.has_checks and self._block[STATUS : STATUS + 8].any():
            self._require_unchanged(poison)
            return [self._bytes(place) for place in states]
        return [self._bytes(place) for place in (*self._memory.results, *states)]

    def _bytes(self, place: tuple[int, int]) -> bytes:
        first, last = place
        return self._block[first:last].tobytes()

    def _require_unchanged(self, poison: int) -> None:
        """Raise GraphError where a step has changed what outlives it."""
        now = [self._bytes(place) for place in self._places[1:]]
        kept = all(set(self._bytes(place)) <= {poison} for place in self._memory.deferred)
        if not kept or now != [array.tobytes() for array in self._memory.written.values()]:
            raise GraphError("checks: a step that refused a value has changed what outlives it.")

    def _fill(self, poison: int) -> None:
        """Make memory as it is before the step, with nonsense where no value is kept."""
        self._scratch[...] = poison
        for (first, last), array in zip(
            self._places, (self._memory.arena, *self._memory.written.values()), strict=True
        ):
            self._block[first:last] = array.reshape(-1).view(_BYTES)
        self._block[self._memory.fixed : self._memory.arena.nbytes] = poison


class _Watch:
    """Finds bytes that two threads write between two barriers.

    Args:
        block: all that is written.
    """

    def __init__(self, block: Array) -> None:
        self._block = block
        self._before = block.copy()
        self._is_changed = np.zeros(block.shape, bool)
        # The number of the call that changed a byte last.
        self._changed_by = np.zeros(block.shape, np.int32)
        self._call, self._first = 0, 1

    def note(self, count: int) -> None:
        """Note what a thread, one of `count`, has written since the last time."""
        self._call += 1
        np.not_equal(self._block, self._before, out=self._is_changed)
        places = np.flatnonzero(self._is_changed)
        if (self._changed_by[places] >= self._first).any():
            raise GraphError(
                f"partitions: of {count} threads, two write one byte without a barrier "
                "between them."
            )
        self._changed_by[places] = self._call
        self._before[places] = self._block[places]

    def meet(self) -> None:
        """Note that all threads have come to a barrier."""
        self._first = self._call + 1


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
