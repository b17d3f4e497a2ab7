"""Noticing changes: one native call tells whether tensors are as they were.

CPython keeps what a slot refers to, and how many references an object has, in words of its memory.
To compare these words takes nanoseconds where asking Python takes microseconds. Where they are not
found in the places that are tried out here, everything counts as changed, and the checks in Python
decide at every call.
"""

from __future__ import annotations

import ctypes
import struct
import sys
from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, new_object
from schuss.native.cpython import DATA, HEAD, builtin, is_possible
from schuss.native.cpython import address_of as address_of_function
from schuss.native.jit import load

__all__ = ["MemoryGuard", "address_of", "references_to", "slot_of"]

_WORD = 8
_PLAIN = sys.implementation.name == "cpython" and struct.calcsize("P") == _WORD

_TEXT = """
define i64 @changed(ptr %words) nounwind {
entry:
  %count = load i64, ptr %words
  br label %look
look:
  %i = phi i64 [ 0, %entry ], [ %next, %on ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %compare, label %done
compare:
  %first = mul i64 %i, 2
  %a = add i64 %first, 1
  %b = add i64 %first, 2
  %place = getelementptr i64, ptr %words, i64 %a
  %other = getelementptr i64, ptr %words, i64 %b
  %word = load ptr, ptr %place
  %now = load volatile i64, ptr %word
  %then = load i64, ptr %other
  %same = icmp eq i64 %now, %then
  br i1 %same, label %on, label %done
on:
  %next = add i64 %i, 1
  br label %look
done:
  %left = sub i64 %count, %i
  ret i64 %left
}
define ptr @schuss_changed(ptr %own, ptr %arguments, i64 %given) nounwind {
  %a = getelementptr i8, ptr %own, i64 HEAD
  %answers = load ptr, ptr %a
  %array = load ptr, ptr %arguments
  %b = getelementptr i8, ptr %array, i64 HEAD
  %words = load ptr, ptr %b
  %left = call i64 @changed(ptr %words)
  %some = icmp ne i64 %left, 0
  %which = zext i1 %some to i64
  %c = getelementptr ptr, ptr %answers, i64 %which
  %answer = load ptr, ptr %c
  %d = getelementptr ptr, ptr %answers, i64 2
  %keep = load ptr, ptr %d
  call void %keep(ptr %answer)
  ret ptr %answer
}
""".replace("HEAD", str(HEAD + DATA))


def _words(holder: Any) -> Any:
    size = type(holder).__basicsize__ // _WORD
    return (ctypes.c_int64 * size).from_address(id(holder))


def _place(holder: Any, value: int) -> int | None:
    """Return the offset of the only word of an object's memory that is `value`."""
    found = [i for i, word in enumerate(_words(holder)) if word == value]
    return found[0] * _WORD if len(found) == 1 else None


@cache
def _slots() -> dict[str, int | None]:
    """Return where a tensor keeps what its slots refer to."""
    if not _PLAIN:
        return {}
    names = ("array", "grad", "requires_grad")
    probe: Any = new_object(Tensor)
    for name in names:
        setattr(probe, name, object())
    return {name: _place(probe, id(getattr(probe, name))) for name in names}


@cache
def _count() -> int | None:
    """Return where an object keeps the number of references to it."""
    if not _PLAIN:
        return None
    probe = np.zeros(1)
    before = list(_words(probe))
    other = probe
    after = list(_words(probe))
    del other
    changes = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
    if len(changes) != 1 or after[changes[0]] != before[changes[0]] + 1:
        return None
    return changes[0] * _WORD


@cache
def _data() -> int | None:
    """Return where an array keeps the address of its elements."""
    probe = np.zeros(1)
    return _place(probe, probe.__array_interface__["data"][0]) if _PLAIN else None


def address_of(array: Array) -> int:
    """Return where an array's elements begin."""
    place = _data()
    if place is None:
        return int(array.__array_interface__["data"][0])
    return ctypes.c_int64.from_address(id(array) + place).value


def slot_of(tensor: Tensor, name: str) -> int | None:
    """Return the address of the word that a tensor's slot is; it holds the `id` of its value."""
    place = _slots().get(name)
    return None if place is None else id(tensor) + place


def references_to(identity: int) -> int | None:
    """Return the address of the word that counts the references to an object."""
    place = _count()
    return None if place is None else identity + place


@cache
def _compare() -> Any:
    """Return a function of a block of words: how many, then address and value of each."""
    code = load([_TEXT], optimise=False)
    keep = address_of_function(ctypes.pythonapi.Py_IncRef)
    return builtin(code, "schuss_changed", [id(False), id(True), keep])


class MemoryGuard:
    """Words of memory, and what they should be; before `set`, everything counts as changed."""

    def __init__(self) -> None:
        self._compare: Any = None
        self._memory: Any = None

    def set(self, words: Iterable[tuple[int | None, int]]) -> None:
        """Say what not to change: (address, value), in the order in which they are compared.

        A word is only looked at while those before it are as they were.
        """
        block = [0]
        for address, value in words:
            if address is None or not is_possible():
                self._compare = None
                return
            block += [address, value]
        block[0] = len(block) // 2
        self._memory = np.array(block, np.int64)
        self._compare = _compare()

    def holds(self) -> bool:
        """Return whether every word is what it was said to be."""
        return self._compare is not None and not self._compare(self._memory)
