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

from schuss.compiler.faces import Elementwise
from schuss.primitives.base import REGISTRY, Primitive, Rule
from schuss.primitives.recipe import Recipe
from schuss.tensor import TRACER, Array, Tensor, bool_, float32, float64, is_plain, leaf

__all__ = ["hurry", "hurry_all", "recipe_of"]

# Arrays of fewer elements can go through machine code.
_FEW = 1024
# Rules with numbers are kept for so many of them.
_MOST = 64

# A function's name; its operands, places of tensors or numbers; whether it finds booleans.
_Step = tuple[str, list[Any], bool]


class _NoRecipeError(Exception):
    """Says that a rule does more than call elementwise functions on what has g's dtype."""


class _Listener:
    """Writes down what a rule applies, in the place of a tracer."""

    def __init__(self, given: list[Tensor]) -> None:
        # The tensors are kept, so that no other takes the identity of one.
        self._tensors = list(given)
        self._places = {id(tensor): place for place, tensor in enumerate(given)}
        self.steps: list[_Step] = []

    def apply(self, primitive: Primitive, inputs: tuple[Any, ...], attributes: Any) -> Tensor:
        value = primitive.value
        if attributes or not isinstance(value, np.ufunc):
            raise _NoRecipeError
        operands = [self._operand(x) for x in inputs]
        _, dtype = primitive.shape(*[(x.shape, x.dtype) for x in inputs if isinstance(x, Tensor)])
        if dtype is not self._tensors[0].dtype and dtype is not bool_:
            raise _NoRecipeError
        made = leaf(np.ones((1,), dtype))
        self._places[id(made)] = len(self._tensors)
        self._tensors.append(made)
        self.steps.append((value.__name__, operands, dtype is bool_))
        return made

    def _operand(self, x: Any) -> Any:
        if not isinstance(x, Tensor):
            return float(x)
        if id(x) not in self._places:
            raise _NoRecipeError
        return self._places[id(x)]

    def place(self, tensor: Any) -> int:
        """Return the place of a tensor that the rule has met."""
        return self._places[id(tensor)]

    def __getattr__(self, name: str) -> Any:
        raise _NoRecipeError


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
    listener = _Listener(given)
    token = TRACER.set(listener)
    try:
        shown = [x if n is None else n for n, x in zip(inputs, given[2:], strict=True)]
        last = listener.place(rule(*given[:2], *shown))
    except (_NoRecipeError, KeyError, TypeError):
        # The last from a rule that takes attributes, too.
        return None
    finally:
        TRACER.reset(token)
    # One function costs as much by itself.
    if len(listener.steps) < 2 or last != len(given) + len(listener.steps) - 1:
        return None
    return _written(listener.steps, len(given))


def _written(steps: list[_Step], given: int) -> tuple[Recipe, list[int], list[float]]:
    """Write steps as a recipe; what is not needed any more makes room for the next result."""
    names = {0: "g"} | {place: f"x{place}" for place in range(1, given)}
    numbers: list[float] = []
    lines = []
    for at, (function, operands, is_truth) in enumerate(steps):
        later = {o for _, others, _ in steps[at + 1 :] for o in others if type(o) is int}
        words, own = [], []
        for operand in operands:
            if type(operand) is float:
                words.append(f"n{len(numbers)}")
                numbers.append(operand)
                continue
            words.append(names[operand])
            if operand not in later and (operand == 0 or operand >= given):
                own.append(names[operand])
        made = given + at
        if not own or is_truth:
            # Booleans lie otherwise in memory than the numbers that they are found from.
            names[made] = f"t{made}"
        else:
            # There the result has to end up.
            names[made] = "g" if "g" in own else own[0]
        lines.append(f"{names[made]} = {function} {' '.join(words)}")
    taken = {o for _, operands, _ in steps for o in operands if type(o) is int}
    places = [place for place in range(1, given) if place in taken]
    kinds = ["g", *[f"x{p}" for p in places], *[f"n{i}:number" for i in range(len(numbers))]]
    recipe = Recipe(" ".join(kinds), "; ".join(lines), listed=False)
    return recipe, [p - 1 for p in places], numbers


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
        # A result that would end up elsewhere than in g's place.
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
