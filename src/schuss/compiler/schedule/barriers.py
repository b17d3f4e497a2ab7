"""Barriers: where threads wait for each other, for a stage uses what others write (or read)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from schuss.compiler.schedule.memory import Buffer

__all__ = ["AccessSet", "barriers_before"]

# Into so many pieces the arena is cut, in which access sets are looked up.
_GRANULES = 256


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
    if all(access_set.count == 1 for access_set in access_sets):
        return [False] * len(access_sets)
    ends = [b.place + b.nbytes for a in access_sets for b in (*a.reads, *a.writes)]
    granule = max(max(ends, default=0) // _GRANULES, 64)
    since = _Since(granule)
    found = []
    for access_set in access_sets:
        must = any(map(access_set.conflicts, since.touching(access_set)))
        if must:
            since = _Since(granule)
        since.add(access_set)
        found.append(must)
    return found


class _Since:
    """The access sets since the last barrier, found by the memory that they touch."""

    def __init__(self, granule: int) -> None:
        self._granule = granule
        # By its bytes in the arena, or the place of an input or state.
        self._by_granule: dict[tuple[str, int], dict[AccessSet, None]] = {}

    def _granules(self, access_set: AccessSet) -> Iterator[tuple[str, int]]:
        for buffer in (*access_set.reads, *access_set.writes):
            if buffer.kind != "arena":
                yield buffer.kind, buffer.place
            else:
                last = buffer.place + max(buffer.nbytes, 1) - 1
                for granule in range(buffer.place // self._granule, last // self._granule + 1):
                    yield "arena", granule

    def touching(self, access_set: AccessSet) -> dict[AccessSet, None]:
        """Return those that may touch memory that another one does."""
        found: dict[AccessSet, None] = {}
        for granule in self._granules(access_set):
            found |= self._by_granule.get(granule, {})
        return found

    def add(self, access_set: AccessSet) -> None:
        """Note one."""
        for granule in self._granules(access_set):
            self._by_granule.setdefault(granule, {})[access_set] = None
