"""Abstract arrays: what stands for the array of a traced tensor, and has no values."""

from __future__ import annotations

from typing import Any, NoReturn

from schuss.compiler.graph.graph import Node
from schuss.compiler.trace.errors import _VALUE, refuse, user_line
from schuss.core import Array
from schuss.errors import TraceError

__all__ = ["Abstract", "Forsaken"]


class Abstract:
    """Stands for the array of a traced tensor: its shape and dtype, and no values."""

    __slots__ = ("dtype", "ndim", "node", "shape", "size")

    def __init__(self, node: Node) -> None:
        self.node = node
        self.shape = node.shape
        self.dtype = node.dtype
        self.ndim = len(node.shape)
        self.size = node.size

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        refuse("as a NumPy array", _VALUE)

    def __len__(self) -> int:
        return self.shape[0]

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse(f".{name}", _VALUE)


class Forsaken(Abstract):
    """Stands for the array of a traced tensor that was kept when the trace was over."""

    __slots__ = ()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        self._refuse()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise TraceError(
            f"compile: {user_line()} uses a tensor of shape {self.shape} (a result of "
            f"{self.node.op}) that was made inside of a compiled function and kept outside of it, "
            "in a list or an attribute; there it has no values. Return it from the function."
        )
