"""Powers pooled, and largest elements put back where they came from."""

from __future__ import annotations

import math
from typing import Any

from schuss import functions as ops
from schuss.core import Tensor, no_grad
from schuss.nn.functional._checks import require_indices, require_tensors
from schuss.nn.functional.convolution import batched, lengths
from schuss.nn.functional.pooling import avg_pool1d, avg_pool2d, avg_pool3d
from schuss.primitives.custom import custom
from schuss.pytorch.scattering import scatter

__all__ = ["lp_pool1d", "lp_pool2d", "lp_pool3d"]
__all__ += ["max_unpool1d", "max_unpool2d", "max_unpool3d"]

_MEANS = {1: avg_pool1d, 2: avg_pool2d, 3: avg_pool3d}


def _lp_pool(
    axes: int, x: Tensor, norm_type: float, kernel: Any, stride: Any, ceil_mode: bool
) -> Tensor:
    owner = f"lp_pool{axes}d"
    require_tensors(owner, input=x)
    count = math.prod(lengths(owner, "kernel_size", kernel, axes))
    mean = _MEANS[axes](x**norm_type, kernel, stride, 0, ceil_mode)
    return (ops.sign(mean) * ops.relu(ops.abs(mean)) * count) ** (1.0 / norm_type)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """Return the p-norm of each window of sequences: sum(x ** p) ** (1 / p).

    Args:
        input: floats of shape (batch, channels, length), or without batch.
        norm_type: p.
        kernel_size: of the windows.
        stride: between windows; None for the kernel's size.
        ceil_mode: whether windows may reach beyond the input.

    Raises:
        ValueError: if shapes or options do not fit.
    """
    return _lp_pool(1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """Return the p-norm of each window of pictures: sum(x ** p) ** (1 / p).

    Args:
        input: floats of shape (batch, channels, height, width), or without batch.
        norm_type: p.
        kernel_size: of the windows, one number or one for each axis.
        stride: between windows; None for the kernel's size.
        ceil_mode: whether windows may reach beyond the input.

    Raises:
        ValueError: if shapes or options do not fit.

    >>> import schuss as ss
    >>> lp_pool2d(ss.tensor([[[3.0, 4.0]]]), 2, (1, 2)).tolist()
    [[[5.0]]]
    """
    return _lp_pool(2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
) -> Tensor:
    """Return the p-norm of each window of volumes: sum(x ** p) ** (1 / p).

    Args:
        input: floats of shape (batch, channels, depth, height, width), or without batch.
        norm_type: p.
        kernel_size: of the windows, one number or one for each axis.
        stride: between windows; None for the kernel's size.
        ceil_mode: whether windows may reach beyond the input.

    Raises:
        ValueError: if shapes or options do not fit.
    """
    return _lp_pool(3, input, norm_type, kernel_size, stride, ceil_mode)


def _max_unpool(
    axes: int, x: Tensor, indices: Tensor, kernel: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    owner = f"max_unpool{axes}d"
    require_tensors(owner, input=x, indices=indices)
    whole = batched(owner, x, axes)
    if indices.shape != x.shape:
        raise ValueError(
            f"{owner}: expected indices of shape {x.shape} like the input, got {indices.shape}."
        )
    size = _unpooled(owner, whole.shape[2:], kernel, stride, padding, output_size)
    count = math.prod(size)
    require_indices(owner, "indices", indices, count)
    rows = (*whole.shape[:2], -1)
    at, values = ops.reshape(indices, rows), ops.reshape(whole, rows)
    with no_grad():
        nothing = ops.zeros((*whole.shape[:2], count), dtype=x.array.dtype)
        flat = scatter(nothing, 2, at, values)
    # As in PyTorch, what overlapping windows put to one place has the error there, each of them.
    flat = custom(owner, (values,), flat, lambda g, y: {0: ops.take_along_axis(g, at, 2)})
    return ops.reshape(flat, (*x.shape[:-axes], *size))


def _unpooled(
    owner: str, size: tuple[int, ...], kernel: Any, stride: Any, padding: Any, wanted: Any
) -> tuple[int, ...]:
    """Return the spatial shape before the pooling."""
    taps = lengths(owner, "kernel_size", kernel, len(size))
    steps = taps if stride in (None, (), []) else lengths(owner, "stride", stride, len(size))
    around = lengths(owner, "padding", padding, len(size), 0)
    usual = tuple(
        (n - 1) * s - 2 * p + k for n, s, p, k in zip(size, steps, around, taps, strict=True)
    )
    if wanted is None:
        return usual
    found = tuple(wanted)[-len(size) :]
    if len(found) != len(size) or any(
        not u - s < n < u + s for n, u, s in zip(found, usual, steps, strict=True)
    ):
        raise ValueError(
            f"{owner}: expected output_size within a stride of {usual}, got {tuple(wanted)}."
        )
    return found


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Return sequences with the largest elements where `max_pool1d` found them, else 0.

    Args:
        input: floats of shape (batch, channels, length), or without batch.
        indices: of the same shape, what `max_pool1d` returned with return_indices.
        kernel_size: of the pooling; the same below.
        stride: None for the kernel's size.
        padding: around the input of the pooling.
        output_size: the shape that went into the pooling, where the stride leaves a choice.

    Raises:
        ValueError: if shapes or options do not fit.
        IndexError: if an index is out of range.
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Return pictures with the largest elements where `max_pool2d` found them, else 0.

    Args:
        input: floats of shape (batch, channels, height, width), or without batch.
        indices: of the same shape, what `max_pool2d` returned with return_indices.
        kernel_size: of the pooling; the same below.
        stride: None for the kernel's size.
        padding: around the input of the pooling.
        output_size: the shape that went into the pooling, where the stride leaves a choice.

    Raises:
        ValueError: if shapes or options do not fit.
        IndexError: if an index is out of range.

    >>> import schuss as ss
    >>> max_unpool2d(ss.tensor([[[5.0]]]), ss.tensor([[[2]]]), 2).tolist()
    [[[0.0, 0.0], [5.0, 0.0]]]
    """
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Return volumes with the largest elements where `max_pool3d` found them, else 0.

    Args:
        input: floats of shape (batch, channels, depth, height, width), or without batch.
        indices: of the same shape, what `max_pool3d` returned with return_indices.
        kernel_size: of the pooling; the same below.
        stride: None for the kernel's size.
        padding: around the input of the pooling.
        output_size: the shape that went into the pooling, where the stride leaves a choice.

    Raises:
        ValueError: if shapes or options do not fit.
        IndexError: if an index is out of range.
    """
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)
