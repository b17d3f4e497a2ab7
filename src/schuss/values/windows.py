"""NumPy values of what is taken from windows over channels-last arrays: tap by tap."""

from __future__ import annotations

import numpy as np

from schuss.core import Array
from schuss.values.convolution import Geometry

__all__ = ["maximum", "place", "put", "take"]


def _number(tap: tuple[int, ...], geometry: Geometry) -> int:
    number = 0
    for k, n in zip(tap, geometry.kernel, strict=True):
        number = number * n + k
    return number


def _largest(x: Array, geometry: Geometry) -> tuple[Array, Array]:
    shape = (x.shape[0], *geometry.out, x.shape[-1])
    largest = np.full(shape, -np.inf, x.dtype)
    places = np.zeros(shape, np.int32)
    # A window of nothing but -inf has its first element, too.
    found = np.zeros(shape, bool)
    for tap, inside, outside in geometry.taps():
        part = x[inside]
        better = (part > largest[outside]) | np.isnan(part) | ~found[outside]
        largest[outside] = np.where(better, part, largest[outside])
        places[outside] = np.where(better, _number(tap, geometry), places[outside])
        found[outside] = True
    return largest, places


def maximum(x: Array, geometry: Geometry) -> Array:
    """Return the largest element of each window; nan where one is."""
    found = np.full((x.shape[0], *geometry.out, x.shape[-1]), -np.inf, x.dtype)
    for _, inside, outside in geometry.taps():
        np.maximum(found[outside], x[inside], out=found[outside])
    return found


def place(x: Array, geometry: Geometry) -> Array:
    """Return the tap of the first largest element of each window, of the last nan if there is."""
    return _largest(x, geometry)[1]


def put(g: Array, places: Array, geometry: Geometry) -> Array:
    """Return an array of the input's size with each element added where its place is."""
    found = np.zeros((g.shape[0], *geometry.size, g.shape[-1]), g.dtype)
    for tap, inside, outside in geometry.taps():
        found[inside] += np.where(places[outside] == _number(tap, geometry), g[outside], 0)
    return found


def take(x: Array, places: Array, geometry: Geometry) -> Array:
    """Return the element of each window that is at its place."""
    found = np.zeros(places.shape, x.dtype)
    for tap, inside, outside in geometry.taps():
        chosen = places[outside] == _number(tap, geometry)
        found[outside] = np.where(chosen, x[inside], found[outside])
    return found
