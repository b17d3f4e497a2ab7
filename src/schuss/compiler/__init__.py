"""The compiler: trace, simplify, fuse, plan memory, lower to native code, run.

Nothing is imported here: the primitives use `schuss.lowering.kinds`, and llvmlite is loaded when
the first program is compiled.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["Compiled", "compile"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("schuss.compiler.compiled"), name)
    raise AttributeError(f"module 'schuss.compiler' has no attribute {name!r}")
