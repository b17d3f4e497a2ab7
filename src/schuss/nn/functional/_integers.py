"""Integers in functions of floats: what PyTorch counts in integers is computed in float64 here."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from schuss import functions as ops
from schuss.core import Tensor, float64

__all__ = ["of_integers_too"]

F = TypeVar("F", bound=Callable[..., Any])


def of_integers_too(function: F) -> F:
    """Let a function take integers alone; its floats are cut to integers of input's dtype again.

    Exact while what is summed up stays below 2**53.
    """

    @wraps(function)
    def taking(input: Any, *arguments: Any, **options: Any) -> Any:
        if not isinstance(input, Tensor) or input.array.dtype.kind != "i":
            return function(input, *arguments, **options)
        given = (input, *arguments, *options.values())
        if any(isinstance(x, Tensor) and x.array.dtype.kind == "f" for x in given):
            return function(input, *arguments, **options)
        found = function(
            _wide(input), *map(_wide, arguments), **{k: _wide(x) for k, x in options.items()}
        )
        if isinstance(found, tuple):
            return tuple([_cut(y, input) for y in found])
        return _cut(found, input)

    return cast(F, taking)


def _wide(x: Any) -> Any:
    return ops.astype(x, float64) if isinstance(x, Tensor) else x


def _cut(y: Tensor, like: Tensor) -> Tensor:
    return ops.astype(ops.trunc(y), like.array.dtype) if y.array.dtype.kind == "f" else y
