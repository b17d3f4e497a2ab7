"""Rearranged elements: between channels and space, and windows as columns."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from schuss import functions as ops
from schuss.core import Tensor, tensor
from schuss.nn.functional._checks import require_tensors
from schuss.nn.functional.convolution import lengths
from schuss.transforms import vjp

__all__ = ["channel_shuffle", "fold", "pixel_shuffle", "pixel_unshuffle", "unfold"]


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Return pictures of r times the height and width, of r^2 channels each (Shi et al., 2016).

    Args:
        input: shape (..., channels * r^2, height, width).
        upscale_factor: r.

    Raises:
        ValueError: if the channels are not a multiple of r^2.

    >>> import schuss as ss
    >>> pixel_shuffle(ss.tensor([[[1.0]], [[2.0]], [[3.0]], [[4.0]]]), 2).tolist()
    [[[1.0, 2.0], [3.0, 4.0]]]
    """
    r = _factor("pixel_shuffle", input, upscale_factor)
    *batch, channels, height, width = input.shape
    if channels % (r * r):
        raise ValueError(
            f"pixel_shuffle: expected a multiple of {r * r} channels, got shape {input.shape}."
        )
    parts = ops.reshape(input, (*batch, channels // (r * r), r, r, height, width))
    b = len(batch)
    turned = ops.permute_dims(parts, (*range(b + 1), b + 3, b + 1, b + 4, b + 2))
    return ops.reshape(turned, (*batch, channels // (r * r), height * r, width * r))


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Return what `pixel_shuffle` made pictures of.

    Args:
        input: shape (..., channels, height * r, width * r).
        downscale_factor: r.

    Raises:
        ValueError: if height or width is not a multiple of r.
    """
    r = _factor("pixel_unshuffle", input, downscale_factor)
    *batch, channels, height, width = input.shape
    if height % r or width % r:
        raise ValueError(
            f"pixel_unshuffle: expected height and width of a multiple of {r}, got {input.shape}."
        )
    parts = ops.reshape(input, (*batch, channels, height // r, r, width // r, r))
    b = len(batch)
    turned = ops.permute_dims(parts, (*range(b + 1), b + 2, b + 4, b + 1, b + 3))
    return ops.reshape(turned, (*batch, channels * r * r, height // r, width // r))


def _factor(owner: str, x: Tensor, factor: int) -> int:
    require_tensors(owner, input=x)
    r = operator.index(factor)
    if x.ndim < 3 or r < 1:
        raise ValueError(
            f"{owner}: expected input of shape (..., channels, height, width) and a factor of at "
            f"least 1, got {x.shape} and {r}."
        )
    return r


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Return channels in another order: one of each group, then the next ones (Zhang et al., 2018).

    Args:
        input: shape (batch, channels, ...).
        groups: of neighbouring channels, as many as divide them.

    Raises:
        ValueError: if the channels are not a multiple of the groups.

    >>> import schuss as ss
    >>> channel_shuffle(ss.tensor([[[1.0], [2.0], [3.0], [4.0]]]), 2).tolist()
    [[[1.0], [3.0], [2.0], [4.0]]]
    """
    require_tensors("channel_shuffle", input=input)
    if input.ndim < 3 or groups < 1 or input.shape[1] % groups:
        raise ValueError(
            f"channel_shuffle: expected input of shape (batch, channels, ...) with a multiple of "
            f"{groups} channels, got {input.shape}."
        )
    n, channels, *rest = input.shape
    parts = ops.reshape(input, (n, groups, channels // groups, *rest))
    return ops.reshape(ops.swapaxes(parts, 1, 2), input.shape)


def unfold(
    input: Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Return the windows of pictures as columns.

    Args:
        input: shape (batch, channels, height, width), or without batch.
        kernel_size: of the windows, one number or one for each axis; the same below.
        dilation: distance of a window's elements.
        padding: zeros around the pictures.
        stride: between windows.

    Returns:
        Shape (batch, channels * elements of a window, windows), or without batch.

    Raises:
        ValueError: if shapes or options do not fit.

    >>> import schuss as ss
    >>> unfold(ss.tensor([[[1.0, 2.0, 3.0]]]), (1, 2)).tolist()
    [[1.0, 2.0], [2.0, 3.0]]
    """
    require_tensors("unfold", input=input)
    if input.ndim not in (3, 4):
        raise ValueError(
            "unfold: expected input of shape (batch, channels, height, width), with or without "
            f"batch, got {input.shape}."
        )
    options = (kernel_size, dilation, padding, stride)
    around, places = _windows("unfold", input.shape[-2:], *options)
    return _columns(input, around, places)


def _columns(x: Tensor, around: tuple[int, ...], places: np.ndarray[Any, Any]) -> Tensor:
    """Return the elements of padded pictures at flat places of shape (taps, windows)."""
    before = x.shape[:-2]
    padded = ops.pad(x, [(0, 0)] * len(before) + [(p, p) for p in around])
    flat = ops.reshape(padded, (*before, padded.shape[-2] * padded.shape[-1]))
    taken = ops.take(flat, tensor(places), axis=-1)
    return ops.reshape(taken, (*before[:-1], before[-1] * places.shape[0], places.shape[1]))


def _windows(
    owner: str, size: tuple[int, ...], kernel_size: Any, dilation: Any, padding: Any, stride: Any
) -> tuple[tuple[int, ...], np.ndarray[Any, Any]]:
    """Return the padding, and for each element of a window where it is in all windows."""
    taps = lengths(owner, "kernel_size", kernel_size, 2)
    spread = lengths(owner, "dilation", dilation, 2)
    around = lengths(owner, "padding", padding, 2, 0)
    steps = lengths(owner, "stride", stride, 2)
    axes = []
    for n, k, d, p, s in zip(size, taps, spread, around, steps, strict=True):
        count = (n + 2 * p - d * (k - 1) - 1) // s + 1
        if count < 1:
            raise ValueError(
                f"{owner}: expected windows that fit into {size}, got kernel_size {kernel_size}, "
                f"dilation {dilation} and padding {padding}."
            )
        axes.append(np.arange(k)[:, np.newaxis] * d + np.arange(count) * s)
    rows, columns = axes
    width = size[1] + 2 * around[1]
    grid = rows[:, np.newaxis, :, np.newaxis] * width + columns[np.newaxis, :, np.newaxis, :]
    return around, grid.reshape(taps[0] * taps[1], -1)


def fold(
    input: Tensor,
    output_size: Any,
    kernel_size: Any,
    dilation: Any = 1,
    padding: Any = 0,
    stride: Any = 1,
) -> Tensor:
    """Return pictures that are the sums of windows given as columns: the transpose of `unfold`.

    Args:
        input: shape (batch, channels * elements of a window, windows), or without batch.
        output_size: height and width of the pictures.
        kernel_size: of the windows, one number or one for each axis; the same below.
        dilation: distance of a window's elements.
        padding: of the pictures, which is left out of the result.
        stride: between windows.

    Returns:
        Shape (batch, channels, height, width), or without batch.

    Raises:
        ValueError: if shapes or options do not fit.

    >>> import schuss as ss
    >>> fold(ss.tensor([[1.0, 2.0], [2.0, 3.0]]), (1, 3), (1, 2)).tolist()
    [[[1.0, 4.0, 3.0]]]
    """
    require_tensors("fold", input=input)
    size = lengths("fold", "output_size", output_size, 2)
    around, places = _windows("fold", size, kernel_size, dilation, padding, stride)
    count, windows = places.shape
    if input.ndim not in (2, 3) or input.shape[-2] % count or input.shape[-1] != windows:
        raise ValueError(
            f"fold: expected input of shape (batch, channels * {count}, {windows}), with or "
            f"without batch, got {input.shape}."
        )
    shape = (*input.shape[:-2], input.shape[-2] // count, *size)
    _, back = vjp(lambda x: _columns(x, around, places), ops.zeros(shape, dtype=input.array.dtype))
    return back(input)[0]
