"""Values placed by positions that are tensors, where they may not be known yet."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.core import Tensor, bool_, int64, leaf
from schuss.functions.creation import ones_like
from schuss.primitives.base import REGISTRY, apply, astype
from schuss.primitives.index_template import ARRAY
from schuss.primitives.indexing import argsort, getitem, take_along_axis
from schuss.primitives.logic import greater, not_equal, where
from schuss.primitives.movement import concat, reshape
from schuss.primitives.reduction import broadcast_to

__all__ = ["last_of_equal", "placed", "summed"]


def last_of_equal(index: Tensor, axis: int) -> Tensor:
    """Return where no equal position follows along `axis`."""
    before = (slice(None),) * axis
    order = argsort(index, axis)
    along = take_along_axis(index, order, axis)
    n = index.shape[axis]
    other = not_equal(along[(*before, slice(1, None))], along[(*before, slice(0, n - 1))])
    ends = concat([other, ones_like(along[(*before, slice(0, 1))], dtype=bool_)], axis)
    return take_along_axis(ends, argsort(order, axis), axis)


def summed(values: Tensor, positions: Tensor, count: int) -> Tensor:
    """Return a vector of so many sums, of the values whose position is each one's."""
    return apply(
        REGISTRY["scatter_add"], (values, positions), {"template": (ARRAY,), "shape": (count,)}
    )


def placed(x: Tensor, index: Any, value: Tensor) -> Tensor:
    """Return x with `value`, broadcast, at NumPy's index; the last counts at equal positions.

    Args:
        x: any shape.
        index: with tensors of integers, which a trace need not know.
        value: of a shape that fits.

    Raises:
        IndexError: for a position that is out of range.
    """
    at = getitem(leaf(np.arange(x.size).reshape(x.shape)), index)
    if not at.size:
        return x
    value = reshape(broadcast_to(astype(value, x.array.dtype), at.shape), (-1,))
    at = reshape(at, (-1,))
    last = last_of_equal(at, 0)
    hit = greater(summed(astype(last, int64), at, x.size), 0)
    flat = where(hit, summed(where(last, value, 0), at, x.size), reshape(x, (-1,)))
    return reshape(astype(flat, x.array.dtype), x.shape)
