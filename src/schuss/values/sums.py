"""The value of a sum: float32 numbers keep their digits, however many they are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from schuss.core import Array, float32, float64

# One after the other, float32 numbers lose digits in a long sum, and a mean over 10**7 of them
# has to be right to 1e-6. From these sizes of an input and lengths of a sum on they are added in
# groups, or, where memory does not lie so, in float64.
MANY = 1024
LONG_SUM = 128
_GROUP = 32
_WIDE_ROWS = 32
# Its stubs ask for a literal keepdims.
_add: Any = np.add.reduce


def reduced_shape(shape: tuple[int, ...], axes: tuple[int, ...], keepdims: bool) -> Any:
    """Return the shape after reducing `axes`."""
    if len(axes) == 1:
        (axis,) = axes
        return (
            (*shape[:axis], 1, *shape[axis + 1 :]) if keepdims else shape[:axis] + shape[axis + 1 :]
        )
    if len(axes) == len(shape):
        return (1,) * len(shape) if keepdims else ()
    if keepdims:
        return tuple(1 if i in axes else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in axes)


def sum_value(x: Array, axes: tuple[int, ...], keepdims: bool) -> Any:
    """Return the sum over `axes`, such that float32 sums keep their digits."""
    if x.size < MANY:
        ones = _ONES.get(x.dtype)
        if ones is not None:
            # A product with ones takes half the time of a reduction.
            found = x.dot(ones[len(x)]) if x.ndim == 1 == len(axes) else _short_sum(x, axes, ones)
            return found.reshape(reduced_shape(x.shape, axes, True)) if keepdims else found
    elif x.dtype == float32:
        count = math.prod(x.shape[a] for a in axes)
        if count >= LONG_SUM:
            return _long_sum(x, axes, count).reshape(reduced_shape(x.shape, axes, keepdims))
    return _add(x, axes, None, None, keepdims)


class _Ones(dict[int, Array]):
    """Vectors of ones, by their length."""

    def __init__(self, dtype: Any) -> None:
        self.dtype = dtype

    def __missing__(self, length: int) -> Array:
        self[length] = found = np.ones(length, self.dtype)
        return found


_ONES = {dtype: _Ones(dtype) for dtype in (float32, float64)}


def sum_rows(x: Array) -> Any:
    """Return what `sum_value` does over the first axis of two, of few elements, or None."""
    ones = _ONES.get(x.dtype)
    return None if ones is None or x.size >= MANY else ones[len(x)].dot(x)


def _short_sum(x: Array, axes: tuple[int, ...], ones: dict[int, Array]) -> Any:
    ndim = x.ndim
    if ndim == len(axes):
        if x.flags.c_contiguous:
            return x.reshape(-1).dot(ones[x.size])
    elif ndim == 2 and axes:
        return ones[len(x)].dot(x) if axes == (0,) else x.dot(ones[x.shape[1]])
    return _add(x, axes)


def _long_sum(x: Array, axes: tuple[int, ...], count: int) -> Any:
    """Sum many float32 numbers so that they keep their digits, in any shape."""
    if x.flags.c_contiguous:
        order = sorted(axes)
        if order[0] == x.ndim - len(order):
            # NumPy adds pairwise along contiguous memory.
            return np.asarray(_add(x.reshape(-1, count), 1))
        if order[-1] == len(order) - 1 and x.size // count >= _WIDE_ROWS:
            return _add_rows(x.reshape(count, -1))
    return np.asarray(_add(x, axes, np.float64), float32)


def _add_rows(x: Array) -> Any:
    """Add rows, not one after the other, but in groups whose sums are added in groups."""
    whole = len(x) - len(x) % _GROUP
    if len(x) < 2 * _GROUP:
        return _add(x, 0)
    total = _add_rows(_add(x[:whole].reshape(-1, _GROUP, x.shape[1]), 1))
    return total if whole == len(x) else total + _add(x[whole:], 0)
