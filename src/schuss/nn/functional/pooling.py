"""Pooling: what windows of sequences, pictures and volumes are summed up to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from schuss import functions as ops
from schuss.core import Tensor, tensor
from schuss.nn.functional._checks import require_floating, require_tensors
from schuss.nn.functional._integers import of_integers_too
from schuss.nn.functional.convolution import batched, channels_first, channels_last, lengths
from schuss.primitives.convolution import convolution
from schuss.primitives.windows import window_max, window_place, window_take

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["avg_pool1d", "avg_pool2d", "avg_pool3d", "max_pool1d", "max_pool2d", "max_pool3d"]

Lengths: TypeAlias = "int | Sequence[int]"


def as_pictures(owner: str, x: Any, axes: int) -> Tensor:
    require_tensors(owner, x=x)
    require_floating(owner, "x", x)
    if x.ndim == axes + 1 and not x.size:
        raise ValueError(f"{owner}: expected elements where there is no batch, got {x.shape}.")
    return channels_last(batched(owner, x, axes))


def as_given(x: Tensor, ndim: int) -> Tensor:
    found = channels_first(x)
    return found if found.ndim == ndim else ops.squeeze(found, axis=0)


def _windows(
    owner: str, x: Tensor, kernel: Lengths, stride: Lengths | None, padding: Lengths,
    dilation: Lengths, *, ceil_mode: bool,
) -> dict[str, tuple[int, ...]]:  # fmt: skip
    """Return where the windows over (batch, *spatial, channels) are."""
    size = x.shape[1:-1]
    axes = len(size)
    taps = lengths(owner, "kernel_size", kernel, axes)
    steps = taps if stride in (None, (), []) else lengths(owner, "stride", stride, axes)
    around = lengths(owner, "padding", padding, axes, 0)
    spread = lengths(owner, "dilation", dilation, axes)
    if any(2 * p > k for p, k in zip(around, taps, strict=True)):
        raise ValueError(
            f"{owner}: expected padding of at most half of the kernel, got {padding} with "
            f"kernel_size {kernel}."
        )
    out = []
    for n, k, s, p, d in zip(size, taps, steps, around, spread, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        count = (-(-room // s) if ceil_mode else room // s) + 1
        # A window that begins in the padding behind the input is left out.
        if ceil_mode and (count - 1) * s >= n + p:
            count -= 1
        out.append(count)
    if min(out) < 1:
        raise ValueError(
            f"{owner}: expected windows that fit into the input, got kernel_size {kernel} and "
            f"spatial shape {size}."
        )
    return {
        "kernel": taps, "stride": steps, "padding": around, "dilation": spread, "out": tuple(out),
    }  # fmt: skip


def _max_pool(
    owner: str, axes: int, x: Tensor, kernel: Lengths, stride: Lengths | None, padding: Lengths,
    dilation: Lengths, *, ceil_mode: bool, return_indices: bool,
) -> Any:  # fmt: skip
    pictures = as_pictures(owner, x, axes)
    windows = _windows(owner, pictures, kernel, stride, padding, dilation, ceil_mode=ceil_mode)
    if not return_indices:
        return as_given(window_max(pictures, **windows), x.ndim)
    place = window_place(pictures, **windows)
    largest = window_take(pictures, place, **windows)
    return as_given(largest, x.ndim), as_given(
        positions(place, pictures.shape[1:-1], windows), x.ndim
    )


def positions(place: Tensor, size: tuple[int, ...], windows: dict[str, Any]) -> Tensor:
    """Return the position in the flat input of each window's tap."""
    tap = ops.astype(place, np.int64)
    position: Tensor | None = None
    below = 1
    for axis in reversed(range(len(size))):
        n = windows["kernel"][axis]
        start = np.arange(windows["out"][axis]) * windows["stride"][axis] - windows["padding"][axis]
        start = start.reshape((-1,) + (1,) * (len(size) - axis))
        along = (tap % n) * windows["dilation"][axis] + start
        position = along * below if position is None else position + along * below
        below *= size[axis]
        tap = tap // n
    assert position is not None  # there is an axis
    return position


def _avg_pool(
    owner: str, axes: int, x: Tensor, kernel: Lengths, stride: Lengths | None, padding: Lengths,
    *, ceil_mode: bool, count_include_pad: bool, divisor: int | None,
) -> Tensor:  # fmt: skip
    if divisor == 0:
        raise ValueError(f"{owner}: expected divisor_override other than 0, got 0.")
    of_integers = x.array.dtype == np.int64
    pictures = as_pictures(owner, ops.astype(x, np.float64) if of_integers else x, axes)
    windows = _windows(owner, pictures, kernel, stride, padding, 1, ceil_mode=ceil_mode)
    if of_integers:
        # Their means are integers in PyTorch, without what is behind the point.
        counts = divisor or _divisors(pictures.shape[1:-1], windows, include=count_include_pad)
        each = counts if isinstance(counts, int | float) else tensor(counts[..., np.newaxis])
        found = means(pictures, windows, include=True, divisor=1) / each
        return as_given(ops.astype(found, np.int64), x.ndim)
    return as_given(means(pictures, windows, include=count_include_pad, divisor=divisor), x.ndim)


def means(x: Tensor, windows: dict[str, Any], *, include: bool, divisor: int | None) -> Tensor:
    """Return the sum of each window over its divisor: a convolution with equal weights."""
    counts: Any = divisor
    if divisor is None:
        counts = _divisors(x.shape[1:-1], windows, include=include)
    channels = x.shape[-1]
    same = isinstance(counts, (int, float))
    each = np.full((channels, 1, *windows["kernel"]), 1.0 / counts if same else 1.0, x.array.dtype)
    sums = convolution(
        x, tensor(each), stride=windows["stride"], padding=windows["padding"],
        dilation=windows["dilation"], groups=channels, size=windows["out"],
    )  # fmt: skip
    return sums if same else sums * tensor((1 / counts)[..., np.newaxis].astype(x.array.dtype))


def _divisors(size: tuple[int, ...], windows: dict[str, Any], *, include: bool) -> Any:
    """Return how many elements each window counts: a number where all count as many."""
    counts: Any = 1
    for axis, n in enumerate(size):
        p, k = windows["padding"][axis], windows["kernel"][axis]
        start = np.arange(windows["out"][axis]) * windows["stride"][axis] - p
        low, high = (-p, n + p) if include else (0, n)
        along = np.minimum(start + k, high) - np.maximum(start, low)
        counts = np.multiply.outer(counts, along)
    return int(counts.flat[0]) if (counts == counts.flat[0]).all() else counts


@of_integers_too
def max_pool1d(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    dilation: Lengths = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of each window of sequences.

    Args:
        input: floats of shape (batch, channels, length), or without batch.
        kernel_size: of the windows, one number or one for each axis; the same below.
        stride: between windows; None for the kernel's size.
        padding: -inf around the input, at most half of the kernel.
        dilation: between the elements of a window.
        ceil_mode: whether windows may reach beyond the padded input.
        return_indices: whether to return the flat positions, too, as int64.

    Returns:
        Shape (batch, channels, length of the output); a pair of these with the
        positions.

    Raises:
        ValueError: if shapes or options do not fit.
    """
    return _max_pool(
        "max_pool1d", 1, input, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode,
        return_indices=return_indices,
    )  # fmt: skip


def avg_pool1d(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:
    """Return the mean of each window of sequences.

    Args:
        input: floats of shape (batch, channels, length), or without batch.
        kernel_size: of the windows, one number or one for each axis; the same below.
        stride: between windows; None for the kernel's size.
        padding: zeros around the input, at most half of the kernel.
        ceil_mode: whether windows may reach beyond the padded input.
        count_include_pad: whether these zeros count.

    Returns:
        Shape (batch, channels, length of the output).

    Raises:
        ValueError: if shapes or options do not fit.
    """
    return _avg_pool(
        "avg_pool1d", 1, input, kernel_size, stride, padding, ceil_mode=ceil_mode,
        count_include_pad=count_include_pad, divisor=None,
    )  # fmt: skip


@of_integers_too
def max_pool2d(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    dilation: Lengths = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of each window of pictures.

    Args:
        input: floats of shape (batch, channels, height, width), or without batch.
        kernel_size: of the windows, one number or one for each axis; the same below.
        stride: between windows; None for the kernel's size.
        padding: -inf around the input, at most half of the kernel.
        dilation: between the elements of a window.
        ceil_mode: whether windows may reach beyond the padded input.
        return_indices: whether to return the flat positions, too, as int64.

    Returns:
        Shape (batch, channels, height, width of the output); a pair of these with the
        positions.

    Raises:
        ValueError: if shapes or options do not fit.
    """
    return _max_pool(
        "max_pool2d", 2, input, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode,
        return_indices=return_indices,
    )  # fmt: skip


def avg_pool2d(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of each window of pictures.

    Args:
        input: floats of shape (batch, channels, height, width), or without batch.
        kernel_size: of the windows, one number or one for each axis; the same below.
        stride: between windows; None for the kernel's size.
        padding: zeros around the input, at most half of the kernel.
        ceil_mode: whether windows may reach beyond the padded input.
        count_include_pad: whether these zeros count.
        divisor_override: what sums are divided by, instead of the count.

    Returns:
        Shape (batch, channels, height, width of the output).

    Raises:
        ValueError: if shapes or options do not fit.
    """
    return _avg_pool(
        "avg_pool2d", 2, input, kernel_size, stride, padding, ceil_mode=ceil_mode,
        count_include_pad=count_include_pad, divisor=divisor_override,
    )  # fmt: skip


@of_integers_too
def max_pool3d(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    dilation: Lengths = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of each window of volumes.

    Args:
        input: floats of shape (batch, channels, depth, height, width), or without batch.
        kernel_size: of the windows, one number or one for each axis; the same below.
        stride: between windows; None for the kernel's size.
        padding: -inf around the input, at most half of the kernel.
        dilation: between the elements of a window.
        ceil_mode: whether windows may reach beyond the padded input.
        return_indices: whether to return the flat positions, too, as int64.

    Returns:
        Shape (batch, channels, depth, height, width of the output); a pair of these with the
        positions.

    Raises:
        ValueError: if shapes or options do not fit.
    """
    return _max_pool(
        "max_pool3d", 3, input, kernel_size, stride, padding, dilation, ceil_mode=ceil_mode,
        return_indices=return_indices,
    )  # fmt: skip


def avg_pool3d(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """Return the mean of each window of volumes.

    Args:
        input: floats of shape (batch, channels, depth, height, width), or without batch.
        kernel_size: of the windows, one number or one for each axis; the same below.
        stride: between windows; None for the kernel's size.
        padding: zeros around the input, at most half of the kernel.
        ceil_mode: whether windows may reach beyond the padded input.
        count_include_pad: whether these zeros count.
        divisor_override: what sums are divided by, instead of the count.

    Returns:
        Shape (batch, channels, depth, height, width of the output).

    Raises:
        ValueError: if shapes or options do not fit.
    """
    return _avg_pool(
        "avg_pool3d", 3, input, kernel_size, stride, padding, ceil_mode=ceil_mode,
        count_include_pad=count_include_pad, divisor=divisor_override,
    )  # fmt: skip
