"""The guard on Python state: one native call tells whether what a trace read is as it was."""

from __future__ import annotations

from typing import Any

from schuss.compiler.runtime.guards import MemoryGuard
from schuss.compiler.trace.python_state import PythonState

__all__ = ["PythonGuard"]


class PythonGuard:
    """Holds as long as nothing has changed that a traced function may have read.

    Args:
        state: as the trace left it.
    """

    def __init__(self, state: PythonState) -> None:
        self._by_word: list[tuple[Any, Any]] = [(guard, guard.word()) for guard in state.guards]
        # What has no word of memory, or one that changes for other reasons, as the globals of a
        # script do at each turn of its loop.
        self._asked: list[Any] = []
        self._words = MemoryGuard()
        self._set()

    def _set(self) -> None:
        self._asked += [guard for guard, word in self._by_word if word is None]
        self._by_word = [(guard, word) for guard, word in self._by_word if word is not None]
        self._words.set([word for _, word in self._by_word])

    def changed(self) -> str | None:
        """Return the name of something that is another one now, or None if all is as it was."""
        if not self._words.holds():
            name = self._find_change()
            if name is not None:
                return name
        for guard in self._asked:
            name = guard.changed()
            if name is not None:
                return str(name)
        return None

    def _find_change(self) -> str | None:
        """Look at everything, and from now on ask of what changes without being changed."""
        now: list[tuple[Any, Any]] = []
        for guard, word in self._by_word:
            name = guard.changed()
            if name is not None:
                return str(name)
            found = guard.word()
            now.append((guard, None if found[0] is not None and found != word else found))
        self._by_word = now
        self._set()
        return None
