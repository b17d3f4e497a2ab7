"""Guards on single pieces of Python state: whether they are as they were, and putting them back."""

from __future__ import annotations

import types
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

from schuss.counts import Size
from schuss.native.cpython import cell_address, dict_version_address, word_at

__all__ = ["MISSING", "PLAIN", "SHOWN", "Attribute", "Cell", "Entries", "Guard", "Items"]

MISSING = object()
# Values that are compared, others have to be the same object.
PLAIN = frozenset([bool, int, float, complex, str, bytes, type(None), slice, type(...)])
# Written by every call of a layer, and read by nothing but what shows it.
SHOWN = "_output_shape"


def _is_same(now: Any, then: Any) -> bool:
    """Whether a value is what it was."""
    if now is then:
        return True
    kind = type(then)
    if type(now) is not kind:
        return False
    if kind in (tuple, Size):
        return len(now) == len(then) and all(map(_is_same, now, then))
    if isinstance(then, np.generic) or kind in PLAIN:
        return bool(now == then) or bool(now != now and then != then)
    return kind is types.MethodType and now == then


class Entries:
    """Some entries of a dictionary; of a whole one, that there are no others, too."""

    def __init__(self, held: dict[Any, Any], names: Iterable[Any], *, whole: bool) -> None:
        self.held = held
        self.names = tuple(names)
        self.values = [held.get(name, MISSING) for name in self.names]
        self._length = self._count() if whole else None
        self._known = frozenset(held) if whole else frozenset()

    def _count(self) -> int:
        return len(self.held) - (SHOWN in self.held)

    def word(self) -> tuple[int | None, int]:
        """Return a word of memory, as (address, value), that stays while nothing changes."""
        address = dict_version_address(self.held)
        return address, 0 if address is None else word_at(address)

    def changed(self) -> Any:
        """Return the name of an entry that is another one now, or None."""
        get = self.held.get
        for name, value in zip(self.names, self.values, strict=True):
            if get(name, MISSING) is not value and not _is_same(get(name, MISSING), value):
                return name if isinstance(name, str) else "an entry"
        whole = self._length is None or self._count() == self._length
        return None if whole else "an entry"

    def restore(self) -> None:
        """Put entries back as they were."""
        for name, value in zip(self.names, self.values, strict=True):
            if value is MISSING:
                self.held.pop(name, None)
            elif self.held.get(name, MISSING) is not value:
                self.held[name] = value
        if self._length is not None:
            # Keys may be tensors, whose != is no bool.
            for name in self.held.keys() - self._known - {SHOWN}:
                del self.held[name]


class Items:
    """The items of a list, a deque, or a set."""

    def __init__(self, held: Any) -> None:
        self.held = held
        self.values = tuple(held)

    def word(self) -> None:
        """There is none."""

    def changed(self) -> Any:
        """Return what is another one now, or None."""
        return None if _is_same(tuple(self.held), self.values) else "an item"

    def restore(self) -> None:
        """Put the items back as they were."""
        if self.changed() is None:
            return
        if isinstance(self.held, list):
            self.held[:] = self.values
        elif isinstance(self.held, deque):
            self.held.clear()
            self.held.extend(self.values)
        elif isinstance(self.held, set):
            self.held.clear()
            self.held.update(self.values)


class Cell:
    """A variable of an enclosing function."""

    def __init__(self, held: types.CellType, name: str) -> None:
        self.held = held
        self._name = name
        self._value = self._now()

    def _now(self) -> Any:
        try:
            return self.held.cell_contents
        except ValueError:
            return MISSING

    def word(self) -> tuple[int | None, int]:
        """Return a word of memory, as (address, value), that stays while nothing changes."""
        return cell_address(self.held), 0 if self._value is MISSING else id(self._value)

    def changed(self) -> Any:
        """Return its name if it is another value now, or None."""
        now = self._now()
        if not _is_same(now, self._value):
            return self._name
        # An equal one, at another address.
        self._value = now
        return None

    def restore(self) -> None:
        """Put the variable back as it was."""
        if self._value is not MISSING and self._now() is not self._value:
            self.held.cell_contents = self._value


class Attribute:
    """An attribute of a class."""

    def __init__(self, held: type, name: str) -> None:
        self.held = held
        self._name = name
        self._value = vars(held).get(name, MISSING)

    def word(self) -> None:
        """There is none."""

    def changed(self) -> Any:
        """Return its name if it is another value now, or None."""
        now = vars(self.held).get(self._name, MISSING)
        return None if _is_same(now, self._value) else self._name

    def restore(self) -> None:
        """Put the attribute back as it was."""
        if self._value is MISSING:
            if self._name in vars(self.held):
                delattr(self.held, self._name)
        elif vars(self.held).get(self._name) is not self._value:
            setattr(self.held, self._name, self._value)


Guard = Entries | Items | Cell | Attribute
