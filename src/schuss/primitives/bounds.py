"""Whether integers name what is there."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import Array
from schuss.primitives.recipe import await_machine_code, count_call

__all__ = ["within"]

# A builtin function that looks few integers up, once machine code is there.
_FEW = 1024
_native: list[Any] = []


def within(indices: Array, count: int) -> bool:
    """Return whether all of the integers `indices` are from 0 on and below `count`."""
    if indices.size <= _FEW:
        if not _native:
            count_call()
        elif _native[0](indices, count) is not None:
            return True
    # Read as unsigned, negative numbers are large ones: one pass sees both ends.
    unsigned = indices.view(np.uint64 if indices.itemsize == 8 else np.uint32)
    return indices.size == 0 or bool(unsigned.item(unsigned.argmax()) < count)


def _bind() -> None:
    from schuss.compiler.bounds import bind_within

    _native[:] = [bind_within()]


await_machine_code(_bind)
