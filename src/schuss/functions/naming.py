"""PyTorch's names of arguments, taken beside those of the array API standard."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

__all__ = ["torch_names"]

Result = TypeVar("Result")


def torch_names(**names: str) -> Callable[[Callable[..., Result]], Callable[..., Result]]:
    """Let a function take other names for arguments.

    Args:
        names: the function's own name of each argument, by the name that it is known by as well.

    >>> @torch_names(dim="axis")
    ... def turned(x, axis=0):
    ...     return x, axis
    >>> turned(1, dim=2)
    (1, 2)
    """

    def decorate(function: Callable[..., Result]) -> Callable[..., Result]:
        @wraps(function)
        def taking_both(*arguments: Any, **options: Any) -> Result:
            if options:
                options = {names.get(name, name): value for name, value in options.items()}
            return function(*arguments, **options)

        return taking_both

    return decorate
