"""Arguments of constructors that PyTorch's classes take and that cannot matter here."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

from schuss.devices import require_cpu
from schuss.functions.inplace import replaced

__all__ = ["take_inplace", "take_without_effect"]


def take_without_effect(made: type, *names: str) -> None:
    """Let a class be made with arguments that have no effect, `device="cpu"` among them.

    Args:
        made: the class.
        names: arguments by name.
    """
    construct: Callable[..., None] = made.__init__  # type: ignore[misc]  # of the class itself
    signature = inspect.signature(construct)
    own = signature.parameters
    taken = frozenset(names) - frozenset(own)

    @wraps(construct)
    def constructing(self: Any, *arguments: Any, **options: Any) -> None:
        for name in taken & options.keys():
            value = options.pop(name)
            if name == "device":
                require_cpu(made.__name__, value)
        construct(self, *arguments, **options)

    shown = [p for p in own.values() if p.kind is not p.VAR_KEYWORD]
    rest = [p for p in own.values() if p.kind is p.VAR_KEYWORD]
    more = [
        inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=None) for n in sorted(taken)
    ]
    constructing.__signature__ = signature.replace(parameters=[*shown, *more, *rest])  # type: ignore[attr-defined]  # typeshed lacks it
    made.__init__ = constructing  # type: ignore[misc]  # that is what is meant


def take_inplace(made: type) -> None:
    """Let a layer of one tensor be made with `inplace`, by name or behind all other arguments.

    Where it is True, what the layer is given becomes the result, too.
    """
    construct: Callable[..., None] = made.__init__  # type: ignore[misc]  # of the class itself
    compute: Callable[[Any, Any], Any] = made.forward  # type: ignore[attr-defined]  # a layer's
    signature = inspect.signature(construct)
    own = list(signature.parameters.values())
    count = max(len([p for p in own if p.kind is p.POSITIONAL_OR_KEYWORD]), 1)
    owner = f"{made.__name__}(inplace=True)"

    @wraps(construct)
    def constructing(self: Any, *arguments: Any, inplace: bool = False, **options: Any) -> None:
        if len(arguments) == count and isinstance(arguments[-1], bool):
            *arguments, inplace = arguments  # type: ignore[assignment]  # a list serves
        construct(self, *arguments, **options)
        if inplace:
            self.inplace = True

    @wraps(compute)
    def forward(self: Any, input: Any) -> Any:
        if not self.inplace:
            return compute(self, input)
        return replaced(owner, input, lambda x: compute(self, x))

    shown = [p for p in own if p.kind is not p.VAR_KEYWORD]
    rest = [p for p in own if p.kind is p.VAR_KEYWORD]
    more = inspect.Parameter("inplace", inspect.Parameter.KEYWORD_ONLY, default=False)
    constructing.__signature__ = signature.replace(parameters=[*shown, more, *rest])  # type: ignore[attr-defined]  # typeshed lacks it
    made.__init__ = constructing  # type: ignore[misc]  # that is what is meant
    made.forward = forward  # type: ignore[attr-defined]  # the same
    made.inplace = False  # type: ignore[attr-defined]  # the same
