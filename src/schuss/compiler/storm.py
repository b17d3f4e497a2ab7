"""Storms of traces: a function whose arguments are of another kind at nearly every call."""

from __future__ import annotations

import warnings
from collections import deque
from typing import Any

from schuss.compiler.trace.errors import SideEffectError

__all__ = ["MOST_SIGNATURES", "TraceStorm"]

# So many kinds of arguments are kept.
MOST_SIGNATURES = 64
# So many traces within so many calls are a storm.
_TRACES, _CALLS = 12, 24
# A function whose traces have effects in Python so often, one after the other, has them always.
_EFFECTS = 3


class TraceStorm:
    """Notices a storm, says so once, and from then on tells what comes for the first time.

    It goes by the numbers of calls and not by time, so that the same program takes the same way
    each time.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.is_on = False
        self._traced_at: deque[int] = deque(maxlen=_TRACES)
        self._met: set[Any] = set()
        self._effects = 0

    def is_new(self, signature: Any) -> bool:
        """Return whether arguments of this kind come for the first time since it began."""
        if signature in self._met:
            return False
        if len(self._met) >= MOST_SIGNATURES:
            self._met.clear()
        self._met.add(signature)
        return True

    @property
    def has_effects(self) -> bool:
        """Whether the function changes Python's state at every call, so that no program serves."""
        return self._effects >= _EFFECTS

    def note_effect(self, function: Any, effect: SideEffectError) -> None:
        """Note that a trace was given up, as the function changes something in Python."""
        self._effects += 1
        if self._effects == _EFFECTS:
            warnings.warn(
                f"{effect} {getattr(function, '__name__', 'The function')} is evaluated eagerly "
                "from now on.",
                RuntimeWarning,
                stacklevel=4,
            )

    def note_trace(self, name: str) -> None:
        """Note that this call of a function is traced."""
        self._effects = 0
        self._traced_at.append(self.calls)
        is_full = len(self._traced_at) == _TRACES
        if self.is_on or not is_full or self.calls - self._traced_at[0] >= _CALLS:
            return
        self.is_on = True
        warnings.warn(
            f"compile: {name} was traced {_TRACES} times in {_CALLS} calls or fewer, for arguments "
            "of other shapes, or values in Python that change from call to call; a trace takes as "
            "long as a thousand calls. Pad batches to few sizes, and pass numbers that change as "
            "floats or tensors. From now on, what comes for the first time is evaluated eagerly.",
            RuntimeWarning,
            stacklevel=6,
        )
