"""Where threads have to wait for each other: only before what another thread's memory is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schuss.compiler.schedule.memory import Buffer

__all__ = ["Touch", "meetings"]


@dataclass(frozen=True)
class Touch:
    """The memory that a stage uses, and how threads share it.

    Args:
        reads: buffers that are only read.
        writes: buffers that are written, or read and written.
        count: of shares; with one, one thread does all of it.
        own: buffers of which share i uses part i alone, of so many equal parts.
    """

    reads: frozenset[Buffer]
    writes: frozenset[Buffer]
    count: int = 1
    own: frozenset[Buffer] = frozenset()

    def collides(self, other: Touch) -> bool:
        """Whether one of the two writes where the other reads or writes, on another thread."""
        if self.count == other.count == 1:
            # One thread does both, in their order.
            return False
        pairs = [(a, b) for a in self.writes for b in (*other.reads, *other.writes)]
        pairs += [(a, b) for a in self.reads for b in other.writes]
        return any(a.overlaps(b) and not self._is_apart(other, a, b) for a, b in pairs)

    def _is_apart(self, other: Touch, a: Buffer, b: Buffer) -> bool:
        """Whether each thread keeps to the same part of the same memory."""
        is_own = self.count == other.count and a in self.own and b in other.own
        return is_own and (a.kind, a.place, a.nbytes) == (b.kind, b.place, b.nbytes)


def meetings(touches: Sequence[Touch]) -> list[bool]:
    """Return for each stage whether all threads have to meet before it."""
    since: list[Touch] = []
    found = []
    for touch in touches:
        must = any(touch.collides(earlier) for earlier in since)
        if must:
            since.clear()
        since.append(touch)
        found.append(must)
    return found
