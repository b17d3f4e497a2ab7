"""Barriers: where threads wait for each other, for a stage uses what others write (or read)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schuss.compiler.schedule.memory import Buffer

__all__ = ["AccessSet", "barriers_before"]


@dataclass(frozen=True)
class AccessSet:
    """The memory that a stage uses, and how threads share it.

    Args:
        reads: buffers that are only read.
        writes: buffers that are written, or read and written.
        count: of the partition's parts; with one, one thread does all of it.
        private: buffers of which part i uses its own part alone, of so many equal ones.
    """

    reads: frozenset[Buffer]
    writes: frozenset[Buffer]
    count: int = 1
    private: frozenset[Buffer] = frozenset()

    def conflicts(self, other: AccessSet) -> bool:
        """Whether one of the two writes where the other reads or writes, on another thread."""
        if self.count == other.count == 1:
            # One thread does both, in their order.
            return False
        pairs = [(a, b) for a in self.writes for b in (*other.reads, *other.writes)]
        pairs += [(a, b) for a in self.reads for b in other.writes]
        return any(a.overlaps(b) and not self._is_disjoint(other, a, b) for a, b in pairs)

    def _is_disjoint(self, other: AccessSet, a: Buffer, b: Buffer) -> bool:
        """Whether each thread keeps to the same part of the same memory."""
        is_own = self.count == other.count and a in self.private and b in other.private
        return is_own and (a.kind, a.place, a.nbytes) == (b.kind, b.place, b.nbytes)


def barriers_before(access_sets: Sequence[AccessSet]) -> list[bool]:
    """Return for each stage whether a barrier is needed before it."""
    since: list[AccessSet] = []
    found = []
    for access_set in access_sets:
        must = any(access_set.conflicts(earlier) for earlier in since)
        if must:
            since.clear()
        since.append(access_set)
        found.append(must)
    return found
