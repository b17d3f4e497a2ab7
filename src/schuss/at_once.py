"""Functions composed of elementwise ones that small arrays meet as a single operation.

Ten numbers take as long through five operations as through five thousand lines of arithmetic: what
costs is to make each operation's node, and to go back through it. A function marked here is one
node for few numbers: its value, and its derivatives, are followed once on stand-ins and become
recipes (`schuss.primitives.recipe`), which machine code follows, to the same bits. Before that, for
what cannot be a recipe, and where a derivative is recorded in its turn, the function itself is
called. A trace sees the function's operations alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any

import numpy as np

from schuss.backprop import reverse
from schuss.core import RECORDING, TRACER, Array, Tensor, is_plain, leaf, no_grad
from schuss.primitives.base import record
from schuss.primitives.listener import Listener, NoRecipeError, written
from schuss.primitives.recipe import count_call, is_loaded
from schuss.transforms import mark

__all__ = ["at_once"]

Function = Callable[..., Tensor]
_Followed = Callable[[Array, tuple[Any, ...]], Any]

# Arrays of fewer elements are evaluated at once.
_FEW = 1024
# A function is followed for so many kinds of arguments.
_MOST = 64


def at_once(function: Function) -> Function:
    """Let few numbers take a function as a single operation.

    Args:
        function: takes tensors of one shape and Python numbers, all by position, and returns an
            elementwise function of them that is composed of tensor functions.
    """
    node: Any = _Node(function)

    @wraps(function)
    def hurried(*given: Any) -> Tensor:
        first = given[0].array
        dtype = first.dtype
        if first.size >= _FEW or dtype.kind != "f" or TRACER.get() is not None:
            return function(*given)
        key: tuple[Any, ...] = (dtype, None)
        wanted = given[0].requires_grad
        for x in given[1:]:
            if isinstance(x, Tensor):
                array = x.array
                if array.dtype is not dtype or array.shape != first.shape:
                    return function(*given)
                wanted = wanted or x.requires_grad
                key = (*key, None)
            else:
                key = (*key, x)
        plan = node.plans.get(key) or node.plan(key)
        out = plan.value(first, given)
        if out is None:
            with no_grad():
                out = function(*given).array
        return record(node, given, plan.attributes, out, wanted)

    return hurried


class _Node:
    """What a result says it was made by, in a primitive's place."""

    differentiable = True
    derivative = None

    def __init__(self, function: Function) -> None:
        self.name = function.__name__.strip("_")
        self._function = function
        self.plans: dict[tuple[Any, ...], _Plan] = {}
        self._met: set[tuple[Any, ...]] = set()

    def plan(self, key: tuple[Any, ...]) -> _Plan:
        """Return what machine code does for arguments of a kind."""
        if not is_loaded():
            count_call()
        # Numbers that change from call to call are not worth a plan.
        elif key in self._met and len(self.plans) < _MOST:
            found = self.plans[key] = _planned(self._function, key)
            return found
        elif len(self._met) >= _MOST:
            self._met.clear()
        else:
            self._met.add(key)
        return _NO_PLAN

    def rule(self, position: int) -> Any:
        """Return the derivative's rule for one of the arguments."""

        def rule(g: Tensor, y: Tensor, *given: Any, plan: _Plan) -> Tensor:
            if is_plain():
                found = plan.errors[position](g.array, given)
                if found is not None:
                    return leaf(found)
            return self._error(position, g, given)

        return rule

    def _error(self, position: int, g: Tensor, given: tuple[Any, ...]) -> Tensor:
        """Go through the function itself, and back."""
        token = RECORDING.set(True)
        try:
            stand_in = mark(given[position])
            shown = [stand_in if at == position else x for at, x in enumerate(given)]
            y = self._function(*shown)
        finally:
            RECORDING.reset(token)
        stop = frozenset([stand_in])
        return reverse([y], [g], targets=stop, retain_graph=RECORDING.get())[stand_in]


@dataclass
class _Plan:
    """What machine code does in a function's place.

    Args:
        value: takes the first argument's array, and all arguments.
        errors: for each argument that is a tensor, takes the error's array and all arguments.
    """

    value: _Followed
    errors: list[_Followed]

    @cached_property
    def attributes(self) -> dict[str, Any]:
        """What a node says of it."""
        return {"plan": self}


def _nothing(first: Array, arguments: tuple[Any, ...]) -> None:
    """Leave it to the function."""


_NO_PLAN = _Plan(_nothing, [_nothing] * _MOST)


def _planned(function: Function, key: tuple[Any, ...]) -> _Plan:
    """Follow a function and its derivatives on stand-ins."""
    dtype, *numbers = key
    tensors = [place for place, number in enumerate(numbers) if number is None]
    try:
        (value,) = _listened(function, dtype, numbers, tensors, back=False)
        errors: list[_Followed] = [_nothing] * len(numbers)
        found = _listened(function, dtype, numbers, tensors, back=True)
        for place, error in zip(tensors, found, strict=True):
            errors[place] = error
    except (NoRecipeError, KeyError, ValueError):
        # Other functions are called, or more is kept in between than there is room for.
        return _NO_PLAN
    return _Plan(value, errors)


def _listened(
    function: Function, dtype: Any, numbers: list[Any], tensors: list[int], *, back: bool
) -> list[Any]:
    """Return what machine code does for the value, or for the errors in all tensors."""
    inputs = [leaf(np.ones((1,), dtype)).requires_grad_() for _ in tensors]
    given = [leaf(np.ones((1,), dtype)), *inputs] if back else inputs
    shown = list(numbers)
    for place, x in zip(tensors, inputs, strict=True):
        shown[place] = x
    listener = Listener(given)
    tracing, recording = TRACER.set(listener), RECORDING.set(True)
    try:
        results = [function(*shown)]
        if back:
            RECORDING.set(False)
            arrived = reverse(results, given[:1], targets=frozenset(inputs), retain_graph=True)
            results = [arrived[x] for x in inputs]
    finally:
        RECORDING.reset(recording)
        TRACER.reset(tracing)
    positions = [-1, *tensors] if back else tensors
    return [_bound(listener, len(given), result, positions, dtype) for result in results]


def _bound(
    listener: Listener, given: int, result: Tensor, positions: list[int], dtype: Any
) -> _Followed:
    from schuss.compiler.recipes import bind_recipe

    place = listener.place(result)
    if place < given:
        raise NoRecipeError
    recipe, places, numbers = written(listener.steps, given, place)
    native = bind_recipe(recipe, dtype)
    constants = [np.array(n, dtype) for n in numbers]
    taken = [positions[place] for place in places]

    if not taken:
        return lambda first, arguments: native(first.copy(), *constants)

    def follow(first: Array, arguments: tuple[Any, ...]) -> Any:
        # The copy takes the result.
        return native(first.copy(), *[arguments[at].array for at in taken], *constants)

    return follow
