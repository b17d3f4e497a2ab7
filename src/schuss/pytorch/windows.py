"""Windows by which a signal's parts are weighted, for spectra."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, leaf
from schuss.dtypes import supported_dtype
from schuss.pytorch.arguments import whole

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def _places(owner: str, window_length: Any, periodic: bool) -> Array:
    """Return the places of a window's elements, from 0 to 1 where it is symmetric."""
    n = whole(window_length)
    if not isinstance(n, int) or n < 0:
        raise ValueError(f"{owner}: expected window_length of at least 0, got {window_length}.")
    steps = n if periodic else n - 1
    return np.arange(n) / max(steps, 1)


def _made(values: Array, dtype: Any) -> Tensor:
    kind = supported_dtype(dtype)
    if values.size == 1:
        values = np.ones(1)
    if kind.kind != "f":
        raise TypeError(f"window: expected dtype float32 or float64, got {kind}.")
    return leaf(values.astype(kind))


def _cosines(places: Array, weights: Sequence[float]) -> Array:
    """Return the sum of cosines of 0, 1, 2, ... turns with these weights."""
    found = np.zeros(places.shape)
    for turns, weight in enumerate(weights):
        found += weight * np.cos(2 * math.pi * turns * places)
    return found


def hann_window(window_length: int, periodic: bool = True, dtype: Any = None) -> Tensor:
    """Return sin(pi n / N)^2 for n below N, or N + 1 of a symmetric window."""
    return _made(_cosines(_places("hann_window", window_length, periodic), (0.5, -0.5)), dtype)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    dtype: Any = None,
) -> Tensor:
    """Return alpha - beta cos(2 pi n / N)."""
    places = _places("hamming_window", window_length, periodic)
    return _made(_cosines(places, (alpha, -beta)), dtype)


def blackman_window(window_length: int, periodic: bool = True, dtype: Any = None) -> Tensor:
    """Return 0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)."""
    places = _places("blackman_window", window_length, periodic)
    return _made(_cosines(places, (0.42, -0.5, 0.08)), dtype)


def bartlett_window(window_length: int, periodic: bool = True, dtype: Any = None) -> Tensor:
    """Return 1 - |2 n / N - 1|, a triangle."""
    return _made(1 - np.abs(2 * _places("bartlett_window", window_length, periodic) - 1), dtype)


def kaiser_window(
    window_length: int, periodic: bool = True, beta: float = 12.0, dtype: Any = None
) -> Tensor:
    """Return I0(beta sqrt(1 - (2 n / N - 1)^2)) / I0(beta), by Bessel's function I0."""
    places = _places("kaiser_window", window_length, periodic)
    return _made(np.i0(beta * np.sqrt(1 - (2 * places - 1) ** 2)) / np.i0(beta), dtype)
