"""Special functions by the names of `torch.special`, with derivatives of any order.

>>> from schuss import special, tensor
>>> special.expit(tensor([0.0, 100.0]))
tensor([0.5, 1. ])

Bessel functions but `i0` and `i1`, polynomials, and the incomplete gamma functions are absent.
"""

from __future__ import annotations

from typing import Any

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.spelling.binding import special
from schuss.spelling.table import SPECIAL

__all__ = sorted(SPECIAL)  # by __getattr__


def __getattr__(name: str) -> Any:
    if name not in SPECIAL:
        raise AttributeError(f"module 'schuss.special' has no attribute {name!r}")
    made = globals()[name] = special(name)
    return made


def __dir__() -> list[str]:
    return __all__
