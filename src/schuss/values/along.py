"""Sums, means and largest elements along axes, of shapes that broadcast against the whole."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from schuss.core import Array
from schuss.values.extremes import max_value
from schuss.values.indices import row_starts
from schuss.values.numbers import as_operand
from schuss.values.sums import MANY, reduced_shape, sum_value

__all__ = ["count", "largest_along", "mean_along", "mean_value", "restored", "share", "total_along"]

Axes = tuple[int, ...]


@lru_cache(256)
def count(shape: tuple[int, ...], axes: Axes) -> float:
    """Return the number of elements along `axes`."""
    return float(math.prod([shape[a] for a in axes]))


@lru_cache(256)
def share(shape: tuple[int, ...], axes: Axes, correction: float = 0) -> float:
    """Return one over the number of elements along `axes`, less the correction; inf for none."""
    count = math.prod([shape[a] for a in axes])
    return 1.0 / (count - correction) if count > correction else math.inf


def restored(y: Array, shape: tuple[int, ...], axes: Axes) -> Array:
    """Return what was reduced from `shape`, with or without its axes, so that it broadcasts."""
    if not y.ndim or y.ndim == len(shape):
        # Without axes it broadcasts in less than half the time that an axis of length 1 takes.
        return np.asarray(y)
    if axes == (len(shape) - 1,):
        return y[..., None]
    if max(axes) < len(axes):
        # Leading axes come back by themselves.
        return np.asarray(y)
    return y.reshape(reduced_shape(shape, axes, True))


# A product with a vector takes less than half the time that a reduction of few numbers takes. One
# with a square matrix repeats the sum of each row along it, so that nothing is broadcast later,
# which is worth it up to this length.
_SHORT = 16


@lru_cache(256)
def _filled(value: float, dtype: Any, *shape: int) -> Array:
    return np.full(shape, value, dtype)


def _weighted(x: Array, axes: Axes, each: float) -> Array | None:
    """Return the sum of few numbers in rows, each times `each`, or None for others."""
    if x.size >= MANY or x.ndim > 2 or len(axes) != 1:
        return None
    if x.ndim == 1:
        return np.asarray(x.dot(_filled(each, x.dtype, len(x))))
    if axes == (0,):
        return _filled(each, x.dtype, len(x)).dot(x)  # type: ignore[no-any-return]
    length = x.shape[1]
    if length <= _SHORT:
        return x.dot(_filled(each, x.dtype, length, length))  # type: ignore[no-any-return]
    return x.dot(_filled(each, x.dtype, length))[:, None]  # type: ignore[no-any-return]


def total_along(x: Array, axes: Axes) -> Array:
    """Return the sum over `axes`."""
    found = _weighted(x, axes, 1.0)
    return restored(sum_value(x, axes, False), x.shape, axes) if found is None else found


def mean_value(x: Array, axes: Axes, keepdims: bool) -> Any:
    """Return the mean over `axes`."""
    total = sum_value(x, axes, keepdims)
    number = count(x.shape, axes)
    # NumPy's own numbers are divided by Python's in no time.
    return total / (as_operand(number, x.dtype) if type(total) is np.ndarray else number)


def mean_along(x: Array, axes: Axes) -> Array:
    """Return the mean over `axes`."""
    part = share(x.shape, axes)
    found = _weighted(x, axes, part)
    if found is None:
        found = restored(mean_value(x, axes, False), x.shape, axes)
    return found


def largest_along(x: Array, axes: Axes) -> Any:
    """Return the largest element over `axes`."""
    if x.ndim == 1 == len(axes):
        return x[x.argmax(), ...]
    if axes == (1,) and x.ndim == 2 and x.flags.c_contiguous and x.size:
        # By their positions they are found in a third of the time; the first nan is the largest.
        return x.take(x.argmax(1) + row_starts(*x.shape))[:, None]
    return restored(max_value(x, axes, False), x.shape, axes)
