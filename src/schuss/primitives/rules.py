"""Derivatives' rules as recipes: on small arrays one call, however many functions a rule calls.

The rule itself stays the definition. It is followed once, on stand-ins, to see which of NumPy's
functions it calls; where those are elementwise functions alone they become a recipe
(`schuss.primitives.recipe`), which machine code follows on the same numbers, wherever the error
is not recorded in its turn. It calls the same inner loops, so that no bit is another.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from schuss.core import TRACER, Array, Tensor, float32, float64, is_plain, leaf
from schuss.lowering.kinds import Elementwise
from schuss.primitives.base import REGISTRY, Rule
from schuss.primitives.listener import Listener, NoRecipeError, written
from schuss.primitives.recipe import Recipe

__all__ = ["hurry", "hurry_all", "recipe_of"]

# Arrays of fewer elements can go through machine code.
_FEW = 1024
# Rules with numbers are kept for so many of them.
_MOST = 64


def recipe_of(
    rule: Rule, inputs: Sequence[float | None], dtype: np.dtype[Any]
) -> tuple[Recipe, list[int], list[float]] | None:
    """Return a rule as a recipe, or None where it is not made of elementwise functions alone.

    Args:
        rule: takes g, y and the inputs.
        inputs: the numbers among them, and None for each tensor.
        dtype: of all tensors.

    Returns:
        The recipe, which takes g first; the places among (y, *inputs) of what it takes after it;
        and the numbers that it takes last.
    """
    given = [leaf(np.ones((1,), dtype)) for _ in range(len(inputs) + 2)]
    listener = Listener(given)
    token = TRACER.set(listener)
    try:
        shown = [x if n is None else n for n, x in zip(inputs, given[2:], strict=True)]
        last = listener.place(rule(*given[:2], *shown))
    except (NoRecipeError, KeyError, TypeError):
        # The last from a rule that takes attributes, too.
        return None
    finally:
        TRACER.reset(token)
    # One function costs as much by itself, and an error that is handed on nothing.
    if len(listener.steps) < 2 or last < len(given):
        return None
    recipe, places, numbers = written(listener.steps, len(given), last)
    return recipe, [place - 1 for place in places], numbers


_Followed = Callable[[Array, tuple[Any, ...]], Any]


def _followed(rule: Rule, inputs: Sequence[float | None], dtype: np.dtype[Any]) -> _Followed | None:
    """Return what machine code does in a rule's place, or None where it cannot."""
    from schuss.compiler.recipes import bind_recipe

    found = recipe_of(rule, inputs, dtype)
    if found is None:
        return None
    recipe, places, numbers = found
    try:
        native = bind_recipe(recipe, dtype)
    except ValueError:
        # More is kept in between than there is room for.
        return None
    constants = [np.array(n, dtype) for n in numbers]

    def follow(error: Array, given: tuple[Any, ...]) -> Any:
        # The copy takes the result.
        return native(error.copy(), *[given[place].array for place in places], *constants)

    return follow


def hurry(rule: Rule, inputs: int) -> Rule:
    """Return a rule that takes a small array through machine code, or itself where it cannot be.

    Args:
        rule: of an elementwise primitive.
        inputs: how many the primitive has.
    """
    known = {d: _followed(rule, [None] * inputs, d) for d in (float32, float64)}
    if None in known.values():
        return rule
    with_numbers = _WithNumbers(rule)

    def hurried(g: Tensor, *given: Any) -> Tensor:
        error = g.array
        if error.size >= _FEW or not is_plain():
            return rule(g, *given)
        if inputs == 2 and not (isinstance(given[1], Tensor) and isinstance(given[2], Tensor)):
            follow = with_numbers.find(error.dtype, given[1:])
        else:
            follow = known.get(error.dtype)
        if follow is not None:
            found = follow(error, given)
            if found is not None:
                return leaf(found)
        return rule(g, *given)

    hurried.__wrapped__ = rule  # type: ignore[attr-defined]
    return hurried


class _WithNumbers:
    """A rule for numbers in the places of tensors, where it may be another for each number."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._known: dict[tuple[Any, ...], _Followed | None] = {}
        self._met: set[tuple[Any, ...]] = set()

    def find(self, dtype: np.dtype[Any], inputs: tuple[Any, ...]) -> _Followed | None:
        """Return what machine code does, for numbers that come again, or None."""
        key = (dtype, *[None if isinstance(x, Tensor) else x for x in inputs])
        if key in self._known:
            return self._known[key]
        # A number that changes from step to step is not worth a plan of its own.
        if key in self._met and len(self._known) < _MOST:
            found = self._known[key] = _followed(self._rule, key[1:], dtype)
            return found
        if len(self._met) >= _MOST:
            self._met.clear()
        self._met.add(key)
        return None


@cache
def hurry_all() -> None:
    """Hurry the rules of all elementwise primitives, once."""
    for primitive in REGISTRY.values():
        rules = primitive.derivative
        if isinstance(primitive.lower, Elementwise) and isinstance(rules, tuple):
            primitive.derivative = tuple([rule and hurry(rule, len(rules)) for rule in rules])
