"""Guards: words of memory that one native call compares with what they should be.

What a slot refers to, and how many references an object has, are words of memory in CPython. To
compare them takes nanoseconds where to ask Python takes microseconds. Where their addresses are not
known, a guard never holds, and the checks in Python decide at every call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.llvm_types import I64
from schuss.native.cpython import argument, layout_is_known, pointer
from schuss.native.once import once
from schuss.native.predicate import bind_predicate, compile_predicate

__all__ = ["MemoryGuard"]


class MemoryGuard:
    """Words of memory, and what they should be; before `set`, it does not hold."""

    def __init__(self) -> None:
        self._are_equal: Callable[..., bool] | None = None
        self._words: Any = None

    def set(self, words: Iterable[tuple[int | None, int]]) -> None:
        """Say what should not change.

        Args:
            words: (address, value) of each, in the order in which they are compared: a word is
                only looked at while those before it are as they were. With an address that is
                None the guard does not hold.
        """
        flat = [x for word in words for x in word]
        if None in flat or not layout_is_known():
            self._are_equal = None
            return
        self._words = np.array([len(flat) // 2, *flat], np.int64)
        self._are_equal = _are_equal()

    def holds(self) -> bool:
        """Return whether every word is what it should be."""
        return self._are_equal is not None and self._are_equal(self._words)


@once
def _are_equal() -> Callable[..., bool]:
    """Return a function of an int64 array: how many words, then address and value of each."""
    name = "schuss_are_equal"
    return bind_predicate(compile_predicate(name, _write), name)


def _write(f: Function, _: str) -> Scalar:
    words = pointer(argument(f, 0).data())
    place = f.reserve(I64)
    f.store(f.number(0), place, 0)
    end = f.load(words, 0, I64) * 2
    with f.repeat() as comparison:
        i = f.load(place, 0, I64)
        comparison.leave(i.eq(end))
        now = f.load(pointer(f.load(words, i + 1, I64)), 0, I64)
        comparison.leave(now.ne(f.load(words, i + 2, I64)))
        f.store(i + 2, place, 0)
    return f.load(place, 0, I64).eq(end)
