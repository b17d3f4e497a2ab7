"""Recipes (`schuss.primitives.recipe`) as plans for machine code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from schuss.compiler.inner_loops import (
    CLASSES,
    COLUMN,
    EACH,
    FULL,
    MOST_ARGUMENTS,
    MOST_REGISTERS,
    NUMBER,
    ONES,
    PLACES,
    ROW,
    ROWS,
    TRUTH,
    WHOLE,
    ZERO,
    Operand,
    Step,
    bind,
)

__all__ = ["bind_recipe"]

_KINDS = {"full": FULL, "row": ROW, "number": NUMBER, "classes": CLASSES, "column": COLUMN}


def bind_recipe(recipe: Any, dtype: np.dtype[Any]) -> Any:
    """Return a function that follows a recipe.

    Returns:
        A function of the inputs, of which the first is overwritten by a result as large as it; a
        result that is a number for each row comes after the inputs, and so does what the recipe
        has beside its result. See `inner_loops.bind`.

    Raises:
        ValueError: for a recipe whose result cannot take the place of the first input, or that
            keeps more than there is room for.
    """
    first = recipe.inputs[0]
    kinds = [_KINDS[recipe.kinds[name]] for name in recipe.inputs]
    registers = {name: place for place, name in enumerate(recipe.inputs)}
    if recipe.is_row:
        registers[recipe.result] = len(kinds)
        kinds.append(ROW)
    if recipe.beside is not None:
        registers[recipe.beside] = len(kinds)
        kinds.append(FULL)
    if len(kinds) > MOST_ARGUMENTS:
        raise ValueError(f"Recipe: expected at most {MOST_ARGUMENTS} inputs, got {len(kinds)}.")
    taken = len(kinds)
    free = True
    steps = []
    for place, (function, name, operands) in enumerate(recipe.steps):
        later = {operand for _, _, names in recipe.steps[place + 1 :] for operand in names}
        if name.rstrip("@") not in registers:
            own = recipe.kinds[name] == "full" and first not in later and not _compares(function)
            if free and own:
                registers[name], free = 0, False
            else:
                registers[name] = taken
                taken += 1
                if taken > MOST_REGISTERS:
                    raise ValueError(f"Recipe: expected at most {MOST_REGISTERS} names.")
        used = [
            Operand(registers[n], _KINDS[recipe.kinds[n]], at_class)
            for n, at_class in ((n.rstrip("@"), n[-1] == "@") for n in (*operands, name))
        ]
        steps += _steps(function, used)
    if not recipe.is_row and registers[recipe.result]:
        raise ValueError("Recipe: expected a result that can take the first input's place.")
    return bind(steps, kinds, dtype)


def _compares(function: str) -> bool:
    """Return whether a function of NumPy's finds booleans."""
    return "ff->?" in getattr(getattr(np, function, None), "types", ())


def _steps(function: str, used: list[Operand]) -> list[Step]:
    if function == "largest":
        return [
            Step(np.positive, ONES, tuple(used)),
            Step(np.maximum, EACH, (used[1], used[0], used[1])),
        ]
    if function == "total":
        return [
            Step(np.positive, ROWS, (ZERO, used[1])),
            Step(np.add, EACH, (used[1], used[0], used[1])),
        ]
    if function == "down":
        return [
            Step(np.positive, PLACES, (ZERO, used[1])),
            Step(np.add, EACH, (used[1], used[0], used[1])),
        ]
    kinds = {operand.kind for operand in used}
    if any(operand.at_class for operand in used):
        mode = ONES
    elif FULL in kinds:
        mode = EACH if kinds & {ROW, COLUMN} else WHOLE
    elif COLUMN in kinds:
        mode = PLACES
    else:
        mode = ROWS
    called = getattr(np, function)
    if _compares(function):
        *given, made = used
        if made.register in [operand.register for operand in given]:
            raise ValueError(f"Recipe: expected another place for what {function} finds.")
        truth = replace(made, is_truth=True)
        return [
            Step(called, mode, (*given, truth)),
            Step(TRUTH, {FULL: WHOLE, COLUMN: PLACES}.get(made.kind, ROWS), (truth, made)),
        ]
    return [Step(called, mode, tuple(used))]
