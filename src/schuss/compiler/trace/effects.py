"""Effects: what a traced function changes in Python, which a program would not change again.

A tensor that takes the place of another one, as a running mean does in an attribute, becomes what
the program gives the other one. Whatever else changes (a counter, a list that grows, Python's or
NumPy's random numbers) is put back, and the trace is given up.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss.compiler.trace.abstract import Abstract
from schuss.compiler.trace.python_state import Reads
from schuss.compiler.trace.state_guards import MISSING, Entries
from schuss.compiler.trace.tracer import Tracer
from schuss.core import Array, Tensor

__all__ = ["Effects"]


class _Generator:
    """A generator of random numbers, as it is now."""

    def __init__(self, generator: Any) -> None:
        self._generator = generator
        self._state = self._now()

    def _now(self) -> Any:
        if isinstance(self._generator, np.random.Generator):
            return self._generator.bit_generator.state
        of_numpy = hasattr(self._generator, "get_state")
        return self._generator.get_state() if of_numpy else self._generator.getstate()

    def has_changed(self) -> bool:
        """Whether numbers were drawn since."""
        return not _is_same(self._now(), self._state)

    def restore(self) -> None:
        """Draw the same numbers again."""
        if isinstance(self._generator, np.random.Generator):
            self._generator.bit_generator.state = self._state
        elif hasattr(self._generator, "set_state"):
            self._generator.set_state(self._state)
        else:
            self._generator.setstate(self._state)


def _is_same(one: Any, other: Any) -> bool:
    """Whether two states of a generator are equal: numbers, arrays, and what holds them."""
    if isinstance(one, dict):
        return all(_is_same(value, other[name]) for name, value in one.items())
    if isinstance(one, tuple):
        return all(map(_is_same, one, other))
    return np.array_equal(one, other) if isinstance(one, np.ndarray) else bool(one == other)


class Effects:
    """The Python state that a function may change, as it is before it is traced.

    Args:
        roots: the function, and its arguments.

    Attributes:
        tensors: those that the function may reach by the names in its code.
    """

    def __init__(self, roots: Sequence[Any]) -> None:
        found = Reads()
        found.follow(roots)
        self.tensors = found.tensors
        self._guards = found.guards()
        shared: list[Any] = [random]
        if "numpy.random" in sys.modules:
            shared.append(np.random)
        self._generators = [_Generator(g) for g in [*shared, *found.generators]]

    def settle(self, tracer: Tracer) -> str | None:
        """Have the program do what it can of what has changed; return the name of the rest."""
        for guard in self._guards:
            if isinstance(guard, Entries):
                _take_over_tensors(guard, self.tensors, tracer)
        for guard in self._guards:
            name = guard.changed()
            if name is not None:
                return str(name)
        drawn = any(generator.has_changed() for generator in self._generators)
        return "the state of a random generator of Python's or NumPy's" if drawn else None

    def restore(self) -> None:
        """Put everything back as it was."""
        for guard in self._guards:
            guard.restore()
        for generator in self._generators:
            generator.restore()


def _take_over_tensors(entries: Entries, known: Sequence[Tensor], tracer: Tracer) -> None:
    """Let tensors become what took their places, and put them back there.

    Not those that lie where another one does, which would become the same.
    """
    for name, old in zip(entries.names, entries.values, strict=True):
        new = entries.held.get(name, MISSING)
        if new is old or not (isinstance(new, Tensor) and isinstance(old, Tensor)):
            continue
        array: Any = new.array
        if (
            type(array) is Abstract
            and isinstance(old.array, np.ndarray)
            and old.is_leaf
            and not any(x is not old and _share_memory(x, old.array) for x in known)
            and not new.requires_grad
            and (new.shape, new.array.dtype) == (old.shape, old.array.dtype)
        ):
            tracer.assign(old, new)
            entries.held[name] = old


def _share_memory(x: Tensor, array: Array) -> bool:
    """Whether a tensor, or its gradient, lies where an array does."""
    held = [x.array] if x.grad is None else [x.array, x.grad.array]
    return any(isinstance(a, np.ndarray) and np.may_share_memory(a, array) for a in held)
