"""Sums, means and largest elements along axes, of shapes that broadcast against the whole."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from schuss.core import Array
from schuss.values.extremes import max_value
from schuss.values.numbers import number
from schuss.values.sums import reduced_shape, sum_value

__all__ = ["largest_along", "mean_along", "restored", "share", "total_along"]

Axes = tuple[int, ...]


@lru_cache(256)
def share(shape: tuple[int, ...], axes: Axes, correction: float = 0) -> float:
    """Return one over the number of elements along `axes`, less the correction; inf for none."""
    count = math.prod([shape[a] for a in axes])
    return 1.0 / (count - correction) if count > correction else math.inf


def restored(y: Array, shape: tuple[int, ...], axes: Axes) -> Array:
    """Return what was reduced from `shape`, with or without its axes, so that it broadcasts."""
    first = len(shape) - len(axes)
    if y.ndim == len(shape) or not first or max(axes) < len(axes):
        # Leading axes come back by themselves.
        return np.asarray(y)
    return y.reshape(reduced_shape(shape, axes, True))


def total_along(x: Array, axes: Axes) -> Array:
    """Return the sum over `axes`."""
    return restored(sum_value(x, axes, False), x.shape, axes)


def mean_along(x: Array, axes: Axes) -> Array:
    """Return the mean over `axes`."""
    total = sum_value(x, axes, False) * number(share(x.shape, axes), x.dtype)
    return restored(total, x.shape, axes)


def largest_along(x: Array, axes: Axes) -> Array:
    """Return the largest element over `axes`."""
    return restored(max_value(x, axes, False), x.shape, axes)
