"""Recipes: values that take several of NumPy's functions, along rows.

A recipe is the definition. NumPy follows it; and once some thousand have been followed, machine
code does on small arrays, which calls the same inner loops of NumPy's on the same numbers
(`schuss.compiler.recipes`): to the last bit the results are the same. It is loaded no earlier since
to load it takes as long as some ten thousand of NumPy's calls.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from schuss.core import Array, float32, float64
from schuss.values.sums import reduced_shape, sum_value

__all__ = [
    "Handed",
    "Recipe",
    "class_index",
    "is_loaded",
    "load_recipes",
    "number",
    "places",
    "recipes",
]

# What there is one number for in the result.
_REDUCTIONS = {"largest": "row", "total": "row", "down": "column"}
# Arrays of fewer elements can go through machine code, and from so many calls on they do.
_FEW = 1024
_PATIENCE = 5000

# By their names, primitives whose value is a recipe of x and these numbers.
recipes: dict[str, tuple[Recipe, tuple[float, ...]]] = {}

_calls = 0
_loaded = False
_awaited: list[Callable[[], None]] = []
_largest: Any = np.maximum.reduce
_empty = np.empty


@lru_cache(256)
def number(value: float, dtype: Any) -> Array:
    """Return a number as a recipe takes it, the same array at every call."""
    with np.errstate(over="ignore"):
        return np.array(value, dtype)


class Recipe:
    """A sequence of NumPy's functions.

    Args:
        inputs: names; one that does not have a number for each element says what it has: `t:row`
            (one for each row), `c:classes` (an integer for each row), `w:column` (a number for
            each place in a row), `n:number` (one).
        steps: a line for each, `name = function operand ...`: an elementwise function of NumPy, or
            `largest` or `total` of each row, or `down`, the total of each column. What comparisons
            find are 1 and 0. `y@` is of each row of y only the number that its class names. The
            last is the result. One that is as large as the first input is put in its place, so that
            steps after it must not read the input.
        beside: a name as large as the first input that `evaluate_both` returns as well.
        listed: whether `load_recipes` gets machine code for it.

    Raises:
        ValueError: for a step that reads what is not there.

    >>> centred = Recipe("x share:number", "t = total x; t = multiply t share; y = subtract x t")
    >>> centred.evaluate(np.array([1.0, 2.0, 3.0]), number(1 / 3, float64), axes=(0,))
    array([-1.,  0.,  1.])
    """

    def __init__(
        self, inputs: str, steps: str, *, beside: str | None = None, listed: bool = True
    ) -> None:
        named = [entry.partition(":") for entry in inputs.split()]
        self.inputs = [name for name, _, _ in named]
        self.kinds = {name: kind or "full" for name, _, kind in named}
        self.steps: list[tuple[str, str, tuple[str, ...]]] = []
        self.functions: dict[str, Any] = {}
        for line in filter(None, map(str.strip, steps.replace(";", "\n").split("\n"))):
            name, _, function, *operands = line.split()
            missing = {o.rstrip("@") for o in operands} - set(self.kinds)
            if missing:
                raise ValueError(f"Recipe: expected operands that are there, got {missing}.")
            self.steps.append((function, name, tuple(operands)))
            if not name.endswith("@"):
                self.kinds[name] = self._kind(function, operands)
            self.functions.setdefault(function, getattr(np, function, None))
        self.result = self.steps[-1][1]
        self.is_row = self.kinds[self.result] == "row"
        # Without rows, axes do not matter.
        self.is_elementwise = set(self.kinds.values()) <= {"full", "number"}
        # Columns are those of two axes.
        self._from_last = 2 if "down" in self.functions else 1
        self.beside = beside
        self.native: dict[Any, Any] = {}
        if listed:
            await_machine_code(self._bind)

    def _kind(self, function: str, operands: list[str]) -> str:
        """Return what a step's result has numbers for."""
        if function in _REDUCTIONS:
            return _REDUCTIONS[function]
        kinds = {self.kinds[o] for o in operands if not o.endswith("@")}
        if "full" in kinds or {"row", "column"} <= kinds:
            return "full"
        return "column" if "column" in kinds else "row"

    def _bind(self) -> None:
        from schuss.compiler.recipes import bind_recipe

        for dtype in (float32, float64):
            self.native[dtype] = bind_recipe(self, dtype)

    def evaluate(self, first: Array, *rest: Array, axes: tuple[int, ...] = ()) -> Any:
        """Follow the recipe.

        Args:
            first: the first input, floats.
            rest: the others, of the same dtype; rows and classes without `axes`.
            axes: along which rows lie, or columns, from 0 on.
        """
        if first.size >= _FEW or not (
            self.is_elementwise or axes == (first.ndim - self._from_last,)
        ):
            return self.follow(first, *rest, axes=axes)
        native = self.native.get(first.dtype)
        if native is None:
            count_call()
        else:
            # What _run does, without the call.
            if self.is_row:
                result = _empty(first.shape[:-1], first.dtype)
                found = native(first.copy(), *rest, result)
            else:
                found = result = native(first.copy(), *rest)
            if found is not None:
                return result
        # In memory in order, so that sums are added in the same order either way.
        first = first.copy()
        whole = tuple([x if x.flags.c_contiguous else x.copy() for x in rest])
        if native is not None and any(x is not y for x, y in zip(whole, rest, strict=True)):
            found = self._run(native, first, whole)
            if found is not None:
                return found
        return self.follow(first, *whole, axes=axes)

    def evaluate_both(self, first: Array, *rest: Array) -> tuple[Array, Array] | None:
        """Return the result and what is beside it, or None where that is not for machine code.

        The last axis has rows, or the first of two columns.
        """
        native = self.native.get(first.dtype)
        if native is None or first.size >= _FEW:
            return None
        beside = _empty(first.shape, first.dtype)
        found = native(first.copy(), *rest, beside)
        return None if found is None else (found, beside)

    def _run(self, native: Any, first: Array, rest: tuple[Array, ...]) -> Any:
        """Return what machine code finds, or None."""
        # The copy lies in memory in order, and takes the result.
        if not self.is_row:
            return native(first.copy(), *rest)
        result = np.empty(first.shape[:-1], first.dtype)
        return None if native(first.copy(), *rest, result) is None else result

    def follow(self, *inputs: Array, axes: tuple[int, ...] = ()) -> Any:
        """Follow the recipe with NumPy."""
        shape = inputs[0].shape
        rows, kept = reduced_shape(shape, axes, False), reduced_shape(shape, axes, True)
        known: dict[str, Any] = {}
        at: Any = None
        for name, given in zip(self.inputs, inputs, strict=True):
            kind = self.kinds[name]
            known[name] = given.reshape(kept) if kind == "row" else given
            if kind == "classes":
                at = class_index(shape, given, axes[0])
        for function, name, operands in self.steps:
            if function == "largest":
                known[name] = _largest(known[operands[0]], axes, None, None, True)
                continue
            if function in ("total", "down"):
                known[name] = sum_value(known[operands[0]], axes, True)
                continue
            values = [
                known[o[:-1]][at].reshape(kept) if o[-1] == "@" else known[o] for o in operands
            ]
            own = None if name in self.inputs else known.get(name)
            if name[-1] == "@":
                known[name[:-1]][at] = self.functions[function](*values).reshape(rows)
            elif type(own) is np.ndarray and own.shape == shape and own.dtype == inputs[0].dtype:
                self.functions[function](*values, out=own)
            else:
                known[name] = self.functions[function](*values)
        found = known[self.result]
        return found.reshape(rows) if self.is_row else found


class Handed:
    """What a derivative's rule found beside its own, for the next rule of the same node."""

    def __init__(self) -> None:
        self._held: tuple[Array, Any, Array, float] | None = None

    def put(self, found: Array, g: Any, x: Array, number: float) -> None:
        """Keep what is found for the rule that comes with the same objects next."""
        self._held = found, g, x, number

    def take(self, g: Any, x: Array, number: float) -> Array | None:
        """Return what was kept for these objects, once."""
        held, self._held = self._held, None
        if held is None or held[1] is not g or held[2] is not x or held[3] is not number:
            return None
        return held[0]


def await_machine_code(bind: Callable[[], None]) -> None:
    """Call `bind` once machine code is wanted, now where it is already."""
    _awaited.append(bind)
    if _loaded:
        bind()


def count_call() -> None:
    """Count what NumPy does for want of machine code; from some thousand on, get that."""
    global _calls
    _calls += 1
    if _calls == _PATIENCE:
        # Whatever stands in the way of it, NumPy goes on as before.
        with contextlib.suppress(Exception):
            load_recipes()


def is_loaded() -> bool:
    """Return whether machine code follows recipes."""
    return _loaded


def load_recipes() -> None:
    """Let machine code follow all recipes, where it can, and do what else is awaited of it."""
    global _loaded
    from schuss.native.cpython import is_possible
    from schuss.primitives.rules import hurry_all

    if is_possible():
        for bind in _awaited:
            bind()
        hurry_all()
        _loaded = True


# Where the classes lie.


def places(ndim: int, shape: tuple[int, ...], axis: int) -> list[Array]:
    """Return the index arrays of every axis but `axis`, to go with one of classes."""
    found = []
    for place, length in enumerate(shape):
        if place != axis:
            found.append(_counted(length, ndim - place - (1 if place > axis else 2)))
    return found


@lru_cache(256)
def _counted(length: int, after: int) -> Array:
    return np.arange(length).reshape((-1,) + (1,) * after)


def class_index(shape: tuple[int, ...], classes: Array, axis: int) -> tuple[Array, ...]:
    """Return the index of the element along `axis` that each of `classes` names."""
    index = places(len(shape), shape, axis)
    index.insert(axis, classes)
    return tuple(index)
