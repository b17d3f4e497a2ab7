"""CompiledModule: a network whose calls run as native code."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schuss.nn.module import Module

if TYPE_CHECKING:
    from schuss.compiler.compiled import Compiled

__all__ = ["CompiledModule"]


class CompiledModule(Module):
    """A network with the parameters of another one, whose `forward` it runs as native code.

    Args:
        module: the network.
        compiled: its calls.
    """

    def __init__(self, module: Module, compiled: Compiled) -> None:
        super().__init__()
        self._orig_mod = module
        self.__dict__["_compiled"] = compiled

    def forward(self, *args: Any, **options: Any) -> Any:
        """Return what the network returns."""
        return self._compiled(*args, **options)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_orig_mod" not in self.__dict__:
            raise AttributeError(name)
        place = self._compiled if name in ("scan", "graph") else self._orig_mod
        return getattr(place, name)

    def __getitem__(self, place: Any) -> Any:
        return self._orig_mod[place]  # type: ignore[index]  # a container

    def __len__(self) -> int:
        return len(self._orig_mod)


# What `compile` makes of a module, which comes before networks and does not know them.
Module._as_compiled = lambda self, compiled: CompiledModule(self, compiled)  # type: ignore[attr-defined]
