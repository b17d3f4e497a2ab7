"""Adaptive pooling: so many windows, whatever the size of what they are laid over."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss import functions as ops
from schuss.core import Tensor, tensor
from schuss.nn.functional.convolution import channels_first, lengths
from schuss.nn.functional.pooling import as_given, as_pictures, means, positions
from schuss.primitives.windows import window_max, window_place

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"]
__all__ += ["adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d"]


def _adaptive_size(owner: str, value: Any, size: tuple[int, ...]) -> tuple[int, ...]:
    """Return the lengths of the output; None keeps the input's."""
    given = tuple(value) if isinstance(value, (tuple, list)) else (value,) * len(size)
    found = tuple(n if v is None else v for v, n in zip(given, size, strict=False))
    return lengths(owner, "output_size", found, len(size))


def _even(size: tuple[int, ...], out: tuple[int, ...]) -> dict[str, Any] | None:
    """Return the windows of an adaptive pooling that are all alike, or None."""
    if any(n % m for n, m in zip(size, out, strict=True)):
        return None
    taps = tuple(n // m for n, m in zip(size, out, strict=True))
    none = (0,) * len(size)
    return {
        "kernel": taps,
        "stride": taps,
        "padding": none,
        "dilation": (1,) * len(size),
        "out": out,
    }


def _bounds(n: int, m: int) -> list[tuple[int, int]]:
    """Return where the windows of an axis of length n begin and end, for m of them."""
    return [(i * n // m, -(-(i + 1) * n // m)) for i in range(m)]


def _adaptive_avg(owner: str, axes: int, x: Tensor, output_size: Any) -> Tensor:
    pictures = as_pictures(owner, x, axes)
    size = pictures.shape[1:-1]
    out = _adaptive_size(owner, output_size, size)
    if set(out) == {1}:
        found = ops.mean(pictures, axis=tuple(range(1, axes + 1)), keepdims=True)
        return as_given(found, x.ndim)
    windows = _even(size, out)
    if windows is not None:
        return as_given(means(pictures, windows, include=True, divisor=None), x.ndim)
    # Each axis is multiplied by a matrix that has the windows' shares in its rows.
    for axis, (n, m) in enumerate(zip(size, out, strict=True)):
        shares = np.zeros((m, n), x.array.dtype)
        for i, (low, high) in enumerate(_bounds(n, m)):
            shares[i, low:high] = 1 / (high - low)
        last = ops.moveaxis(pictures, axis + 1, -1)
        pictures = ops.moveaxis(ops.matmul(last, tensor(shares.T.copy())), -1, axis + 1)
    return as_given(pictures, x.ndim)


def _adaptive_max(owner: str, axes: int, x: Tensor, output_size: Any, return_indices: bool) -> Any:
    pictures = as_pictures(owner, x, axes)
    size = pictures.shape[1:-1]
    out = _adaptive_size(owner, output_size, size)
    windows = _even(size, out)
    if windows is not None:
        largest = window_max(pictures, **windows)
        if not return_indices:
            return as_given(largest, x.ndim)
        at = positions(window_place(pictures, **windows), size, windows)
        return as_given(largest, x.ndim), as_given(at, x.ndim)
    # Windows of unequal lengths, as rows of positions; short ones repeat their last one.
    rows: Any = np.zeros((1, 1), np.int64)
    for n, m in zip(size, out, strict=True):
        bounds = _bounds(n, m)
        longest = max(high - low for low, high in bounds)
        along = np.array(
            [np.minimum(np.arange(low, low + longest), high - 1) for low, high in bounds]
        )
        joined = rows[:, np.newaxis, :, np.newaxis] * n + along[np.newaxis, :, np.newaxis, :]
        rows = joined.reshape(rows.shape[0] * m, -1)
    flat = channels_first(ops.reshape(pictures, (pictures.shape[0], -1, pictures.shape[-1])))
    parts = ops.take(flat, tensor(rows), axis=-1)
    place = ops.expand_dims(ops.argmax(parts, axis=-1), axis=-1)
    shape = (*flat.shape[:2], *out)
    largest = ops.reshape(ops.take_along_axis(parts, place, axis=-1), shape)
    found = largest if largest.ndim == x.ndim else ops.squeeze(largest, axis=0)
    if not return_indices:
        return found
    spread = ops.broadcast_to(tensor(rows), (*flat.shape[:2], *rows.shape))
    at = ops.reshape(ops.take_along_axis(spread, place, axis=-1), shape)
    return found, at if at.ndim == x.ndim else ops.squeeze(at, axis=0)


def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Return the means of so many windows that sequences of any size are cut into.

    Window i of m along an axis of length n goes from floor(i n / m) to ceil((i + 1) n / m).

    Args:
        input: floats of shape (batch, channels, length), or without batch.
        output_size: how many windows, one number or one for each axis; None for the input's length.

    Raises:
        ValueError: if the shape or the size does not fit.
    """
    return _adaptive_avg("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Return the means of so many windows that pictures of any size are cut into.

    Window i of m along an axis of length n goes from floor(i n / m) to ceil((i + 1) n / m).

    Args:
        input: floats of shape (batch, channels, height, width), or without batch.
        output_size: how many windows, one number or one for each axis; None for the input's length.

    Raises:
        ValueError: if the shape or the size does not fit.
    """
    return _adaptive_avg("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Return the means of so many windows that volumes of any size are cut into.

    Window i of m along an axis of length n goes from floor(i n / m) to ceil((i + 1) n / m).

    Args:
        input: floats of shape (batch, channels, depth, height, width), or without batch.
        output_size: how many windows, one number or one for each axis; None for the input's length.

    Raises:
        ValueError: if the shape or the size does not fit.
    """
    return _adaptive_avg("adaptive_avg_pool3d", 3, input, output_size)


def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return the largest elements of so many windows that sequences of any size are cut into.

    Args:
        input: floats of shape (batch, channels, length), or without batch.
        output_size: how many windows, as in `adaptive_avg_pool1d`.
        return_indices: whether to return the flat positions, too, as int64.

    Raises:
        ValueError: if the shape or the size does not fit.
    """
    return _adaptive_max("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return the largest elements of so many windows that pictures of any size are cut into.

    Args:
        input: floats of shape (batch, channels, height, width), or without batch.
        output_size: how many windows, as in `adaptive_avg_pool2d`.
        return_indices: whether to return the flat positions, too, as int64.

    Raises:
        ValueError: if the shape or the size does not fit.
    """
    return _adaptive_max("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: bool = False) -> Any:
    """Return the largest elements of so many windows that volumes of any size are cut into.

    Args:
        input: floats of shape (batch, channels, depth, height, width), or without batch.
        output_size: how many windows, as in `adaptive_avg_pool3d`.
        return_indices: whether to return the flat positions, too, as int64.

    Raises:
        ValueError: if the shape or the size does not fit.
    """
    return _adaptive_max("adaptive_max_pool3d", 3, input, output_size, return_indices)
