"""Memory layouts: how the elements of an array lie, as far as operations on it go by that."""

from __future__ import annotations

from typing import TypeAlias

from schuss.core import Array

__all__ = ["ANY_LAYOUT", "Layout", "layout_of"]

# Axes from the longest step to the shortest, and for each whether it is backward, and whether the
# next one fills it; None where elements lie row by row.
Layout: TypeAlias = tuple[tuple[int, bool, bool], ...] | None
# Stands for whichever.
ANY_LAYOUT: Layout = ((-1, False, False),)


def layout_of(array: Array) -> Layout:
    """Return what tells how an array lies in memory: equal ones are copied and reshaped alike.

    >>> import numpy as np
    >>> layout_of(np.zeros((2, 3)))
    >>> layout_of(np.zeros((2, 3)).T)
    ((1, False, True), (0, False, True))
    """
    if array.flags.c_contiguous:
        return None
    shape, strides = array.shape, array.strides
    axes = [a for a in range(array.ndim) if shape[a] != 1]
    axes.sort(key=lambda a: -abs(strides[a]))
    filled = [abs(strides[b]) * shape[b] for b in axes[1:]] + [array.itemsize]
    steps = zip(axes, filled, strict=True)
    return tuple([(a, strides[a] < 0, abs(strides[a]) == width) for a, width in steps])
