"""Specializations that are kept, by the signatures of their calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schuss.compiler.specialization import Specialization

__all__ = ["MOST_SPECIALIZATIONS", "KeptSpecializations"]

# More ways through a function than these, for one set of shapes, and the oldest is forgotten.
MOST_SPECIALIZATIONS = 16
# Of all signatures of a function together: what is kept of one grows with its states.
_MOST_STATES = 50_000


class KeptSpecializations(dict[Any, list[Specialization]]):
    """The specializations for each signature, the latest first.

    Args:
        most: signatures that are kept, fewer (but 64) of large functions; the oldest is forgotten.
    """

    def __init__(self, most: int) -> None:
        super().__init__()
        self._most = most

    def add(self, signature: Any, specialization: Specialization) -> None:
        """Keep one more."""
        most = min(
            self._most, max(_MOST_STATES // (len(specialization.program.graph.states) + 1), 64)
        )
        while signature not in self and len(self) >= most:
            del self[next(iter(self))]
        found = self.setdefault(signature, [])
        found.insert(0, specialization)
        del found[MOST_SPECIALIZATIONS:]

    def forget(self, is_gone: Callable[[Specialization], bool]) -> None:
        """Keep those no longer that a function says it of."""
        for found in self.values():
            found[:] = [x for x in found if not is_gone(x)]
