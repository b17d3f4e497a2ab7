"""Guards on Python state: what a traced function may have read besides its arguments.

A trace takes for constants what the function reads in Python: globals, variables of enclosing
functions, attributes of modules, of classes and of objects. What it may have read is found from its
code, and that of the functions that it calls: their names, and texts that could be names, say which
entries matter. What is not found so (an entry by a computed name, the state of a class written in
C) is not noticed when it changes.
"""

from __future__ import annotations

import functools
import random
import sys
import types
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from schuss.compiler.trace.state_guards import PLAIN, SHOWN, Attribute, Cell, Entries, Guard, Items
from schuss.core import Tensor
from schuss.hooks import CALLED_BY_ALL, functions_of
from schuss.primitives.base import Primitive

__all__ = ["PythonState", "Reads", "shown_as_it_is"]

_PACKAGE = str(Path(__file__).resolve().parents[2])
# Containers of more items are only looked at as a whole.
_MOST_ITEMS = 1024
_CONTAINERS = (list, tuple, set, frozenset, dict, deque)


class PythonState:
    """What a function may have read, as it is now.

    Args:
        roots: the function, its static arguments, and the modules that it called.
        dictionaries: of which every entry counts.

    Attributes:
        guards: what tells whether it has changed: each has a `word` of memory that stays as it is
            as long as nothing changes (or none), and a method `changed`.
    """

    def __init__(self, roots: Sequence[Any], dictionaries: Iterable[dict[Any, Any]]) -> None:
        found = Reads()
        found.follow(roots)
        self.guards = found.guards()
        self.guards += [Entries(d, list(d), whole=True) for d in dictionaries]


@contextmanager
def shown_as_it_is(modules: Iterable[Any]) -> Iterator[None]:
    """Let modules show after the body what they show before it."""
    shown = [(vars(module), vars(module).get(SHOWN)) for module in modules]
    try:
        yield
    finally:
        for held, value in shown:
            if value is not None:
                held[SHOWN] = value


class Reads:
    """Finds what code reads: first the names that it uses, then what these are."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._codes: dict[types.CodeType, None] = {}
        self._seen: dict[int, Any] = {}
        self._functions: dict[int, types.FunctionType] = {}
        self._instances: dict[int, Any] = {}
        self._containers: dict[int, Any] = {}
        # Of random numbers: NumPy's and Python's.
        self.generators: list[Any] = []

    @property
    def tensors(self) -> list[Tensor]:
        """The tensors among what was found."""
        return [value for value in self._seen.values() if isinstance(value, Tensor)]

    def follow(self, roots: Sequence[Any]) -> None:
        """Find all that is reachable from `roots` by names that code uses."""
        known = -1
        while known != len(self._names):
            # Names that were found late may lead further from what was seen before.
            known = len(self._names)
            self._seen.clear()
            self.generators.clear()
            waiting = [*roots, *CALLED_BY_ALL]
            while waiting:
                value = waiting.pop()
                if id(value) not in self._seen:
                    self._seen[id(value)] = value
                    waiting += self._within(value)

    def _within(self, value: Any) -> Iterator[Any]:
        """Yield what a value leads to, and note what it is."""
        kind = type(value)
        if isinstance(value, Tensor):
            yield from functions_of(value)
            return
        if kind in PLAIN or isinstance(value, (np.ndarray, np.generic, Primitive)):
            return
        if hasattr(value, "bit_generator") or isinstance(value, random.Random):
            self.generators.append(value)
            return
        if kind is types.FunctionType:
            yield from self._of_function(value)
        elif kind is types.MethodType:
            yield from (value.__func__, value.__self__)
        elif kind is functools.partial:
            yield from (value.func, value.args, value.keywords)
        elif isinstance(value, _CONTAINERS):
            if len(value) <= _MOST_ITEMS:
                if kind is not tuple:
                    self._containers[id(value)] = value
                yield from (value.values() if isinstance(value, dict) else value)
        elif kind in (staticmethod, classmethod):
            yield value.__func__
        elif kind is property:
            yield value.fget
        elif kind is types.ModuleType:
            if _is_users(getattr(value, "__file__", None)):
                self._instances[id(value)] = value
                yield from self._entries(vars(value)).values()
        elif isinstance(value, type):
            yield from self._of_class(value)
        elif _is_record(kind):
            yield from vars(value).values()
        elif hasattr(value, "__dict__"):
            self._instances[id(value)] = value
            yield kind
            yield from self._entries(vars(value), kind).values()

    def _of_function(self, function: types.FunctionType) -> Iterator[Any]:
        self._functions[id(function)] = function
        for cell in function.__closure__ or ():
            try:
                yield cell.cell_contents
            except ValueError:
                continue
        yield from function.__defaults__ or ()
        yield from (function.__kwdefaults__ or {}).values()
        if _is_users(function.__code__.co_filename):
            self._note_names(function.__code__)
            for name in _names_of(function.__code__):
                yield function.__globals__.get(name)

    def _of_class(self, kind: type) -> Iterator[Any]:
        for base in kind.__mro__:
            if _is_users_class(base):
                self._instances[id(base)] = base
                for name in self._names & vars(base).keys():
                    yield vars(base)[name]
                # Calls and loops do not name what they use.
                for name in ("forward", "__call__", "__iter__", "__getitem__", "__len__"):
                    if name in vars(base):
                        yield vars(base)[name]

    def _note_names(self, code: types.CodeType) -> None:
        if code not in self._codes:
            self._codes[code] = None
            self._names |= _names_of(code)

    def _entries(self, held: dict[str, Any], kind: type | None = None) -> dict[str, Any]:
        """Return the entries that code reads by name; of a layer of Schuss's, all."""
        if kind is not None and _is_layer(kind) and not _is_users_class(kind):
            unread = {SHOWN, *kind.live_numbers}  # type: ignore[attr-defined]  # a layer
            return {name: value for name, value in held.items() if name not in unread}
        if kind is not None and _is_layer(kind):
            return {
                name: value
                for name, value in held.items()
                if name in self._names
                or isinstance(value, Tensor)
                or _is_layer(type(value))
                or name == "_hooks"
            }
        return {name: held[name] for name in self._names & held.keys()}

    def _defaults(self, held: dict[str, Any], kind: type | None) -> list[str]:
        """Return what an object has from its class until it gets a value of its own."""
        if kind is None:
            return []
        names = self._names | {"training"} if _is_layer(kind) else self._names
        absent = [name for name in names if name not in held and hasattr(kind, name)]
        return [name for name in absent if not callable(getattr(kind, name))]

    def guards(self) -> list[Guard]:
        """Return what tells whether everything is as it is now."""
        found: list[Guard] = []
        spaces: dict[int, tuple[dict[str, Any], set[str]]] = {}
        cells: dict[int, Cell] = {}
        for function in self._functions.values():
            code = function.__code__
            for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
                cells.setdefault(id(cell), Cell(cell, name))
            if _is_users(code.co_filename):
                held = function.__globals__
                spaces.setdefault(id(held), (held, set()))[1].update(_names_of(code) & held.keys())
        found += cells.values()
        found += [Entries(d, sorted(names), whole=False) for d, names in spaces.values() if names]
        for value in self._instances.values():
            if isinstance(value, type):
                named = self._names & vars(value).keys()
                found += [Attribute(value, n) for n in named if _is_data(vars(value)[n])]
            else:
                kind = None if isinstance(value, types.ModuleType) else type(value)
                names = [*self._entries(vars(value), kind), *self._defaults(vars(value), kind)]
                whole = kind is not None and _is_layer(kind) and not _is_users_class(kind)
                if names or whole:
                    found.append(Entries(vars(value), names, whole=whole))
        for held in self._containers.values():
            is_dict = isinstance(held, dict)
            found.append(Entries(held, list(held), whole=True) if is_dict else Items(held))
        return found


def _is_data(value: Any) -> bool:
    """Whether an entry of a class is no part of its code."""
    return not isinstance(
        value, (types.FunctionType, property, staticmethod, classmethod, types.MemberDescriptorType)
    )


def _is_record(kind: type) -> bool:
    """Whether objects of this class of Schuss's, as a module's hooks are, are what is in them."""
    fixed = getattr(kind, "__dataclass_params__", None)
    return fixed is not None and fixed.frozen and kind.__module__.startswith("schuss.")


def _is_layer(kind: type) -> bool:
    """Whether this is a class of layers, which say what of them is read anew at each call."""
    return hasattr(kind, "live_numbers")


@functools.cache
def _is_users(file: str | None) -> bool:
    """Whether code of this file is neither Schuss's nor of an installed package."""
    if file is None or file.startswith(_PACKAGE):
        return False
    path = Path(file)
    return "site-packages" not in path.parts and _STANDARD not in path.parents


_STANDARD = Path(functools.__file__).resolve().parent


def _is_users_class(kind: type) -> bool:
    """Whether a class is neither Schuss's, nor built in, nor of an installed package."""
    module = sys.modules.get(kind.__module__)
    if kind.__module__ == "builtins" or kind.__module__.split(".")[0] == "schuss":
        return False
    file = getattr(module, "__file__", None)
    return file is None or _is_users(file)


@functools.cache
def _names_of(code: types.CodeType) -> frozenset[str]:
    """Return the names that code uses, and texts in it that could be names."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= _names_of(constant)
        elif isinstance(constant, str) and constant.isidentifier():
            found.add(constant)
    return frozenset(found)
