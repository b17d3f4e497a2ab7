"""Arguments that name axes, and the shapes after axes are reduced."""

from __future__ import annotations

import numpy as np

from schuss.primitives.base import Spec
from schuss.values.sums import reduced_shape

__all__ = ["EVERY_AXIS", "Axes", "Axis", "normalize_axes", "require_elements", "same_dtype"]

Axis = int | tuple[int, ...] | list[int] | None
Axes = tuple[int, ...]

# Every axis, by the number of axes, of which NumPy has no more.
EVERY_AXIS = tuple(tuple(range(ndim)) for ndim in range(65))


def normalize_axes(axis: Axis, ndim: int, owner: str) -> tuple[int, ...]:
    """Return `axis` as non-negative axes, all of them for None.

    Raises:
        TypeError: for an axis that is no integer.
        AxisError: for an axis out of range.
        ValueError: for an axis named twice.
    """
    if axis is None:
        return EVERY_AXIS[ndim]
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis % ndim,)
    axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
    for a in axes:
        if not isinstance(a, (int, np.integer)) or isinstance(a, bool):
            raise TypeError(f"{owner}: expected an integer as axis, got {a!r}.")
        if not -ndim <= a < ndim:
            # A ValueError and an IndexError in one.
            raise np.exceptions.AxisError(
                f"{owner}: expected an axis from {-ndim} to {ndim - 1}, got {a}."
            )
    found = tuple(int(a) % ndim for a in axes)
    if len(set(found)) != len(found):
        raise ValueError(f"{owner}: expected each axis once, got {axis}.")
    return found


def same_dtype(x: Spec, *, axes: tuple[int, ...], keepdims: bool) -> Spec:
    """Return the shape after reducing `axes`, and x's dtype."""
    return reduced_shape(x[0], axes, keepdims), x[1]


def require_elements(shape: tuple[int, ...], axes: tuple[int, ...], owner: str) -> None:
    """Raise ValueError where there is nothing along `axes`."""
    if any(shape[a] == 0 for a in axes):
        raise ValueError(f"{owner}: expected at least one element, got shape {shape}.")
