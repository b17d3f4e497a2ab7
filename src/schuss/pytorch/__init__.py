"""Functions with PyTorch's arguments and PyTorch's meaning, which `schuss.*` has, too.

What the table of `schuss.spelling` says is made here when it is first used.
"""

from __future__ import annotations

from typing import Any

from schuss.spelling.binding import function
from schuss.spelling.table import FUNCTIONS


def __getattr__(name: str) -> Any:
    if name not in FUNCTIONS:
        raise AttributeError(f"module 'schuss.pytorch' has no attribute {name!r}")
    made = globals()[name] = function(name)
    return made


def __dir__() -> list[str]:
    return [*globals(), *FUNCTIONS]
