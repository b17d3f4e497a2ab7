"""Arguments of constructors that PyTorch's classes take and that cannot matter here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from schuss.devices import require_cpu

__all__ = ["take_without_effect"]


def take_without_effect(made: type, *names: str, last: str | None = None) -> None:
    """Let a class be made with arguments that have no effect, `device="cpu"` among them.

    Args:
        made: the class.
        names: arguments by name.
        last: one of them, a boolean, that may also come by position, behind all others.
    """
    construct: Callable[..., None] = made.__init__  # type: ignore[misc]  # of the class itself
    signature = inspect.signature(construct)
    own = signature.parameters
    taken = frozenset(names) - frozenset(own)
    positions = [p for p in own.values() if p.kind is p.POSITIONAL_OR_KEYWORD]
    count = max(len(positions), 1) if last in taken else None

    @wraps(construct)
    def constructing(self: Any, *arguments: Any, **options: Any) -> None:
        for name in taken & options.keys():
            value = options.pop(name)
            if name == "device":
                require_cpu(made.__name__, value)
        if len(arguments) == count and isinstance(arguments[-1], bool):
            arguments = arguments[:-1]
        construct(self, *arguments, **options)

    shown = [p for p in own.values() if p.kind is not p.VAR_KEYWORD]
    rest = [p for p in own.values() if p.kind is p.VAR_KEYWORD]
    more = [
        inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=None) for n in sorted(taken)
    ]
    constructing.__signature__ = signature.replace(parameters=[*shown, *more, *rest])  # type: ignore[attr-defined]  # typeshed lacks it
    made.__init__ = constructing  # type: ignore[misc]  # that is what is meant
