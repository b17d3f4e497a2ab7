"""Compiled functions of a class, bound to an instance."""

from __future__ import annotations

from typing import Any

__all__ = ["CompiledMethod"]


class CompiledMethod:
    """A compiled function of a class, bound to an instance."""

    def __init__(self, compiled: Any, instance: Any) -> None:
        self._compiled = compiled
        self.__self__ = instance

    def __call__(self, *args: Any, **options: Any) -> Any:
        """Run the method on tensors."""
        return self._compiled(self.__self__, *args, **options)

    def scan(self, arrays: Any, index: Any, **options: Any) -> Any:
        """Run the method once for each row of `index`; see `Compiled.scan`."""
        return self._compiled.scan(arrays, index, first=(self.__self__,), **options)

    def graph(self, *args: Any, **options: Any) -> Any:
        """Return a readable listing of the method's program; see `Compiled.graph`."""
        return self._compiled.graph(self.__self__, *args, **options)
