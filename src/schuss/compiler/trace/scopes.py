"""Scopes: the layer, or the rule of descent, that the nodes of a trace belong to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from schuss.compiler.trace.abstract import Abstract
from schuss.core import Tensor

__all__ = ["Scopes"]

# How the scope of what a layer's derivatives compute begins.
_BACKWARD = "backward of "


class Scopes:
    """Where a trace is: what a tracer is told of it.

    Attributes:
        scope: of the layer, or of the rule of descent.
        modules: that were called.
    """

    def __init__(self) -> None:
        self.scope = ""
        self.modules: list[Any] = []
        # The modules that led here, with their paths.
        self._calls: list[tuple[Any, str]] = []
        # The names of a module's parts, by the ids of both.
        self._names: dict[int, dict[int, str]] = {}

    def call(self, module: Any, *args: Any, **options: Any) -> Any:
        """Return what a module's `forward` returns, and note that its nodes are this layer's."""
        self.modules.append(module)
        path = self._path_of(module)
        kind = type(module).__name__
        self._calls.append((module, path))
        try:
            with self.within(f"{path} ({kind})" if path else kind):
                return module.forward(*args, **options)
        finally:
            self._calls.pop()

    def _path_of(self, module: Any) -> str:
        """Return the dotted name of a module within the outermost one that is being called."""
        if not self._calls:
            return ""
        caller, path = self._calls[-1]
        names = self._names.get(id(caller))
        if names is None:
            parts = caller.named_modules()
            names = self._names[id(caller)] = {id(part): name for name, part in parts}
        name = names.get(id(module), "")
        return f"{path}.{name}" if path and name else name

    @contextmanager
    def within(self, scope: str) -> Iterator[None]:
        """Say what the nodes of the body belong to."""
        outer, self.scope = self.scope, scope
        try:
            yield
        finally:
            self.scope = outer

    def backward_scope(self, y: Tensor) -> str:
        """Return the scope of what takes an error back through what made `y`."""
        array: Any = y.array
        scope: str = (type(array) is Abstract and array.node.scope) or ""
        return _BACKWARD + scope if scope and not scope.startswith(_BACKWARD) else scope
