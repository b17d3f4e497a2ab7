"""Verification of a program's partitions and memory: its bits depend on no order of threads.

Between two barriers, threads may run in any order. So here a step runs on several threads of which
only one goes on at a time, in an order that is chosen: the threads' parts one after another,
forward, backward and shuffled. Memory is filled with nonsense before each run, so that what is read
before it was written shows, and every byte that two threads write between two barriers is found.
"""

from __future__ import annotations

import ctypes
import itertools
import random
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from schuss.compiler.graph.graph import GraphError
from schuss.core import Array
from schuss.native.jit import Library

__all__ = ["BARRIER", "Memory", "barrier_address", "verify_step"]

# What the step calls in the place of the barrier of programs that run.
BARRIER = "schuss_verify_barrier"
_THREADS = (2, 3, 8)
# Bytes that are no number, as floats and as indices, and some that are one.
_POISONS = (0xFF, 0x55)
_SECONDS = 60.0


@dataclass
class Memory:
    """What a step reads and writes.

    Args:
        table: words, the addresses of the buffers among them.
        arena: bytes of the arena; those from `fixed` on are temporaries.
        fixed: bytes that keep their contents.
        written: the arrays of the states that are updated, by their place in the table.
        results: bytes of the arena that are results, as (first, after the last).
        scratch: bytes of working memory for each thread.
        scratch_place: of the address of working memory in the table.
    """

    table: Array
    arena: Array
    fixed: int
    written: dict[int, Array]
    results: Sequence[tuple[int, int]]
    scratch: int
    scratch_place: int


class _Turns:
    """Lets one of several threads go on at a time, from barrier to barrier."""

    def __init__(self, count: int) -> None:
        self.go = [threading.Semaphore(0) for _ in range(count)]
        self.stopped = threading.Semaphore(0)
        self.finished: set[int] = set()
        self.at_barrier: set[int] = set()

    def wait(self, thread: int) -> None:
        """Stop at a barrier."""
        self.at_barrier.add(thread)
        self.stopped.release()
        self.go[thread].acquire()
        self.at_barrier.discard(thread)

    def let(self, thread: int) -> None:
        """Let a thread go on to its next barrier, or to its end."""
        self.go[thread].release()
        if not self.stopped.acquire(timeout=_SECONDS):
            raise GraphError("partitions: a thread came to no barrier, and to no end.")


_turns: _Turns | None = None
_VERIFYING = threading.Lock()
_PROTOTYPE = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)


def _wait(control: int, thread: int, count: int) -> None:
    if count > 1:
        assert _turns is not None
        _turns.wait(thread)


_barrier = _PROTOTYPE(_wait)


def barrier_address() -> int:
    """Return the address of the barrier of steps that are verified."""
    return ctypes.cast(_barrier, ctypes.c_void_p).value or 0


def verify_step(library: Library, memory: Memory) -> None:
    """Run a step in many orders, on copies of what it writes, and compare the bits.

    Args:
        library: the step's machine code, which calls the barrier above.
        memory: as it is before the step.

    Raises:
        GraphError: where results differ, or two threads write one byte between two barriers.
    """
    step = _PROTOTYPE(library.address("step"))
    with _VERIFYING:
        expected = None
        for count, order, poison in _ways():
            found = _run(step, memory, count, order, poison)
            if expected is None:
                expected = found
            elif found != expected:
                raise GraphError(
                    f"partitions: other bits on {count} threads in {order} order, on memory full "
                    f"of {poison:#x}; a thread reads what another one writes without a barrier "
                    "between them, or what nobody has written."
                )


def _ways() -> Iterator[tuple[int, str, int]]:
    yield from ((1, "forward", poison) for poison in _POISONS)
    yield from itertools.product(_THREADS, ("forward", "backward", "shuffled"), _POISONS[:1])


def _run(
    step: Callable[..., None], memory: Memory, count: int, order: str, poison: int
) -> list[bytes]:
    """Return the bytes of all results of a step on so many threads."""
    global _turns
    arena = _copied(memory.arena)
    arena[memory.fixed :] = poison
    scratch = np.full(max(memory.scratch * count, 1) + 64, poison, np.uint8)
    written = {place: _copied(array) for place, array in memory.written.items()}
    table = memory.table.copy()
    table[0] = _address(arena)
    table[memory.scratch_place] = -(-_address(scratch) // 64) * 64
    for place, array in written.items():
        table[place] = _address(array)
    turns = _turns = _Turns(count)
    at = _address(table)

    def run(thread: int) -> None:
        turns.go[thread].acquire()
        step(at, thread, count)
        turns.finished.add(thread)
        turns.stopped.release()

    workers = [threading.Thread(target=run, args=(t,), daemon=True) for t in range(count)]
    for worker in workers:
        worker.start()
    try:
        states = [array.reshape(-1).view(np.uint8) for array in written.values()]
        _take_turns(turns, count, order, [arena, *states])
    finally:
        _turns = None
    for worker in workers:
        worker.join(_SECONDS)
    parts = [arena[first:last].tobytes() for first, last in memory.results]
    return [*parts, *[array.tobytes() for array in written.values()]]


def _take_turns(turns: _Turns, count: int, order: str, memory: Sequence[Array]) -> None:
    """Let threads go on in an order, barrier by barrier, and watch what each of them writes."""
    chance = random.Random(0)
    while len(turns.finished) < count:
        if turns.finished:
            raise GraphError("partitions: a thread ended while others wait at a barrier.")
        threads = list(range(count))
        if order == "backward":
            threads.reverse()
        elif order == "shuffled":
            chance.shuffle(threads)
        owners = [np.zeros(part.size, bool) for part in memory]
        for thread in threads:
            before = [part.copy() for part in memory] if count > 1 else []
            turns.let(thread)
            for part, was, owned in zip(memory, before, owners, strict=False):
                changed = part != was
                if bool((changed & owned).any()):
                    raise GraphError(
                        f"partitions: of {count} threads, two write one byte without a barrier "
                        "between them."
                    )
                owned |= changed


def _copied(array: Array) -> Array:
    """Return a copy that begins at a multiple of 64 bytes."""
    raw = np.empty(array.nbytes + 64, np.uint8)
    start = -_address(raw) % 64
    made = raw[start : start + array.nbytes].view(array.dtype).reshape(array.shape)
    made[...] = array
    return made


def _address(array: Array) -> int:
    return int(array.__array_interface__["data"][0])
