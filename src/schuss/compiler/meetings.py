"""Where threads have to wait for each other: only before what another thread's memory is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schuss.compiler.buffers import Buffer

__all__ = ["Touch", "meetings"]


@dataclass(frozen=True)
class Touch:
    """The memory that a stage uses, and whether threads share it or one thread does all of it.

    Args:
        reads: buffers that are only read.
        writes: buffers that are written, or read and written.
        shared: whether every thread takes a part.
    """

    reads: frozenset[Buffer]
    writes: frozenset[Buffer]
    shared: bool

    def collides(self, other: Touch) -> bool:
        """Whether one of the two writes where the other reads or writes."""
        if not self.shared and not other.shared:
            # One thread does both, in their order.
            return False
        return _overlap(self.writes, other.reads | other.writes) or _overlap(
            other.writes, self.reads
        )


def _overlap(some: frozenset[Buffer], others: frozenset[Buffer]) -> bool:
    return any(a.overlaps(b) for a in some for b in others)


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
