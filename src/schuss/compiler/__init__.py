"""The compiler: trace, simplify, fuse, plan memory, lower to native code, run.

Nothing is imported here: the primitives use `schuss.lowering.kinds`, and llvmlite is loaded when
the first program is compiled.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PLACES = {"Compiled": "compiled", "compile": "decorator"}
__all__ = [*_PLACES]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(f"schuss.compiler.{_PLACES[name]}"), name)
    raise AttributeError(f"module 'schuss.compiler' has no attribute {name!r}")
