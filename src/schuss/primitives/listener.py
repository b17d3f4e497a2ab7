"""Following functions of tensors on stand-ins, to see which of NumPy's functions they call."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import Array, Tensor, bool_, leaf
from schuss.primitives.base import Primitive, record
from schuss.primitives.recipe import Recipe, recipes

__all__ = ["Listener", "NoRecipeError", "Step", "written"]

# A function's name; its operands, places of tensors or numbers; whether it finds booleans.
Step = tuple[str, list[Any], bool]


class NoRecipeError(Exception):
    """Says that more is done than to call elementwise functions on numbers of one dtype."""


class Listener:
    """Writes down what is applied to stand-ins, in the place of a tracer.

    Args:
        given: the stand-ins, all of one dtype.
    """

    def __init__(self, given: list[Tensor]) -> None:
        # The tensors are kept, so that no other takes the identity of one.
        self._tensors = list(given)
        self._places = {id(tensor): place for place, tensor in enumerate(given)}
        self.steps: list[Step] = []

    def apply(self, primitive: Primitive, inputs: tuple[Any, ...], attributes: Any) -> Tensor:
        """Take down a primitive, in the steps of its recipe where it has one."""
        value = primitive.value
        if attributes or not (isinstance(value, np.ufunc) or primitive.name in recipes):
            raise NoRecipeError
        operands = [self._operand(x) for x in inputs]
        _, dtype = primitive.shape(*[(x.shape, x.dtype) for x in inputs if isinstance(x, Tensor)])
        if dtype is not self._tensors[0].dtype and dtype is not bool_:
            raise NoRecipeError
        wanted = any(isinstance(x, Tensor) and x.requires_grad for x in inputs)
        made = record(primitive, inputs, attributes, np.ones((1,), dtype), wanted)
        if isinstance(value, np.ufunc):
            self._take(value.__name__, operands, made)
        else:
            self._follow(*recipes[primitive.name], operands, made)
        return made

    def _take(self, function: str, operands: list[Any], made: Tensor) -> None:
        self._places[id(made)] = len(self._tensors)
        self._tensors.append(made)
        self.steps.append((function, operands, made.dtype is bool_))

    def _follow(
        self, recipe: Recipe, numbers: tuple[float, ...], operands: list[Any], made: Tensor
    ) -> None:
        places = dict(zip(recipe.inputs, [*operands, *numbers], strict=True))
        for at, (function, name, words) in enumerate(recipe.steps):
            last = at == len(recipe.steps) - 1
            result = made if last else leaf(made.array)
            self._take(function, [places[word] for word in words], result)
            places[name] = self._places[id(result)]

    def _operand(self, x: Any) -> Any:
        if not isinstance(x, Tensor):
            return float(x)
        if id(x) not in self._places:
            raise NoRecipeError
        return self._places[id(x)]

    def place(self, tensor: Any) -> int:
        """Return the place of a tensor that was given or made."""
        return self._places[id(tensor)]

    def contents(self, tensor: Tensor) -> Array:
        """Refuse what a tracer would return, an array."""
        raise NoRecipeError

    def __getattr__(self, name: str) -> Any:
        raise NoRecipeError


def written(steps: list[Step], given: int, result: int) -> tuple[Recipe, list[int], list[float]]:
    """Write steps as a recipe; what is not needed any more makes room for the next result.

    Args:
        steps: what was listened to.
        given: how many stand-ins there were; the first takes the result.
        result: the place of what is wanted; other steps that it does not need are left out.

    Returns:
        The recipe, the places of what it takes after the first, and the numbers that come last.
    """
    needed = {result}
    for at in range(result - given, -1, -1):
        if given + at in needed:
            needed |= {o for o in steps[at][1] if type(o) is int}
    kept = [(given + at, step) for at, step in enumerate(steps) if given + at in needed]
    names = {0: "g"} | {place: f"x{place}" for place in range(1, given)}
    numbers: list[float] = []
    lines = []
    for at, (made, (function, operands, is_truth)) in enumerate(kept):
        later = {o for _, (_, others, _) in kept[at + 1 :] for o in others if type(o) is int}
        words, own = [], []
        for operand in operands:
            if type(operand) is float:
                # As text, 0.0 and -0.0 are two.
                known = [repr(number) for number in numbers]
                if repr(operand) not in known:
                    known.append(repr(operand))
                    numbers.append(operand)
                words.append(f"n{known.index(repr(operand))}")
                continue
            words.append(names[operand])
            if operand not in later and (operand == 0 or operand >= given):
                own.append(names[operand])
        if not own or is_truth:
            # Booleans lie otherwise in memory than the numbers that they are found from.
            names[made] = f"t{made}"
        else:
            # There the result has to end up.
            names[made] = "g" if "g" in own else own[0]
        lines.append(f"{names[made]} = {function} {' '.join(words)}")
    if names[result] != "g":
        lines.append(f"g = positive {names[result]}")
    places = [place for place in range(1, given) if place in needed]
    kinds = ["g", *[f"x{p}" for p in places], *[f"n{i}:number" for i in range(len(numbers))]]
    return Recipe(" ".join(kinds), "; ".join(lines), listed=False), places, numbers
