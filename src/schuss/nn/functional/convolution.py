"""Convolutions of sequences, pictures and volumes."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, TypeAlias

from schuss import functions as ops
from schuss.core import Tensor
from schuss.nn.functional._checks import require_floating, require_same_dtype, require_tensors
from schuss.nn.functional._integers import of_integers_too
from schuss.primitives.bfloat16 import as_autocast
from schuss.primitives.contraction import exact_matmul
from schuss.primitives.convolution import convolution

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["conv1d", "conv2d", "conv3d"]

Lengths: TypeAlias = "int | Sequence[int]"


def lengths(owner: str, name: str, value: Any, count: int, least: int = 1) -> tuple[int, ...]:
    """Return an option with a number for each axis, of one number or one for each.

    Raises:
        ValueError: when there are others, or one is below `least`.
    """
    try:
        found = tuple(map(operator.index, value if isinstance(value, (tuple, list)) else (value,)))
    except TypeError:
        found = ()
    if len(found) == 1:
        found *= count
    if len(found) != count or min(found, default=least) < least:
        raise ValueError(
            f"{owner}: expected {name} of one whole number or {count}, each at least {least}, "
            f"got {value!r}."
        )
    return found


def channels_last(x: Tensor) -> Tensor:
    """Return (batch, channels, *spatial) as (batch, *spatial, channels)."""
    return ops.permute_dims(x, (0, *range(2, x.ndim), 1))


def channels_first(x: Tensor) -> Tensor:
    """Return (batch, *spatial, channels) as (batch, channels, *spatial)."""
    return ops.permute_dims(x, (0, x.ndim - 1, *range(1, x.ndim - 1)))


def batched(owner: str, x: Tensor, axes: int, channels: str = "channels") -> Tensor:
    """Return x with a batch axis, which it may be without.

    Raises:
        ValueError: when it has another number of axes.
    """
    if x.ndim == axes + 2:
        return x
    if x.ndim == axes + 1:
        return ops.expand_dims(x, axis=0)
    names = ("depth", "height", "width")[3 - axes :] if axes > 1 else ("length",)
    shape = ", ".join(("batch", channels, *names))
    raise ValueError(
        f"{owner}: expected x of shape ({shape}), with or without batch, got {x.shape}."
    )


def require_pictures(owner: str, x: Tensor, weight: Tensor, bias: Tensor | None, axes: int) -> None:
    """Raise unless input, weight and bias are floats of one dtype, with axes that fit."""
    require_tensors(owner, x=x, weight=weight)
    require_floating(owner, "x", x)
    require_same_dtype(owner, "x", x, weight)
    if bias is not None:
        require_tensors(owner, bias=bias)
        require_same_dtype(owner, "bias", bias, weight)
    if weight.ndim != axes + 2:
        raise ValueError(
            f"{owner}: expected weight of {axes + 2} axes, two of channels and {axes} of the "
            f"kernel, got shape {weight.shape}."
        )


def require_channels(
    owner: str, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int, *, transposed: bool
) -> None:
    """Raise unless the channels of input, weight and bias fit."""
    groups = operator.index(groups)
    first, second = weight.shape[:2]
    inputs, outputs = (first, second * groups) if transposed else (second * groups, first)
    if groups < 1 or first % groups:
        raise ValueError(
            f"{owner}: expected groups that divide the first axis of weight, got {groups} and "
            f"weight of shape {weight.shape}."
        )
    if x.shape[1] != inputs:
        raise ValueError(
            f"{owner}: expected x of {inputs} channels, got {x.shape[1]} (shape {x.shape}); axis 1 "
            "holds the channels."
        )
    if bias is not None and bias.shape != (outputs,):
        raise ValueError(f"{owner}: expected bias of shape ({outputs},), got {bias.shape}.")


def _padding(
    owner: str, padding: Any, kernel: tuple[int, ...], stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> list[tuple[int, int]]:  # fmt: skip
    """Return how many zeros there are before and behind each axis."""
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding == "same":
        if max(stride) > 1:
            raise ValueError(f"{owner}: expected stride 1 with padding='same', got {stride}.")
        total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        return [(t // 2, t - t // 2) for t in total]
    if isinstance(padding, str):
        raise ValueError(f"{owner}: expected padding 'same', 'valid' or numbers, got {padding!r}.")
    return [(p, p) for p in lengths(owner, "padding", padding, len(kernel), 0)]


def _is_pointwise(weight: Tensor, attributes: dict[str, Any]) -> bool:
    """Whether each position is multiplied by a matrix, and that is all."""
    spatial = (*weight.shape[2:], *attributes["stride"])
    return set(spatial) <= {1} and not any(attributes["padding"]) and attributes["groups"] == 1


def _convolve(
    owner: str, axes: int, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Lengths,
    padding: Lengths | str, dilation: Lengths, groups: int,
) -> Tensor:  # fmt: skip
    require_pictures(owner, x, weight, bias, axes)
    whole = batched(owner, x, axes)
    require_channels(owner, whole, weight, bias, groups, transposed=False)
    whole, weight = as_autocast(whole), as_autocast(weight)
    kernel = weight.shape[2:]
    steps = lengths(owner, "stride", stride, axes)
    spread = lengths(owner, "dilation", dilation, axes)
    around = _padding(owner, padding, kernel, steps, spread)
    size = tuple(
        (n + sum(p) - d * (k - 1) - 1) // s + 1
        for n, k, s, d, p in zip(whole.shape[2:], kernel, steps, spread, around, strict=True)
    )
    if min(size) < 1 or 0 in kernel:
        raise ValueError(
            f"{owner}: expected a kernel that fits into the padded input, got kernel {kernel} "
            f"(dilation {spread}) and x of shape {x.shape} (padding {padding})."
        )
    attributes = {
        "stride": steps, "padding": tuple(p for p, _ in around), "dilation": spread,
        "groups": groups, "size": size,
    }  # fmt: skip
    pictures = channels_last(whole)
    if _is_pointwise(weight, attributes) and size == whole.shape[2:]:
        matrix = ops.reshape(weight, weight.shape[:2])
        out = exact_matmul(pictures, ops.matrix_transpose(matrix))
    else:
        out = convolution(pictures, weight, **attributes)
    return finished(out, bias, x.ndim)


def finished(out: Tensor, bias: Tensor | None, ndim: int) -> Tensor:
    """Add the bias, and put the axes as they came."""
    out = as_autocast(out if bias is None else out + as_autocast(bias))
    found = channels_first(out)
    return found if found.ndim == ndim else ops.squeeze(found, axis=0)


@of_integers_too
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Lengths = 1,
    padding: Lengths | str = 0,
    dilation: Lengths = 1,
    groups: int = 1,
) -> Tensor:
    """Return the cross-correlation of sequences with a kernel; see `conv2d`.

    Args:
        input: floats of shape (batch, channels, length), or without batch.
        weight: shape (outputs, channels / groups, kernel), of the same dtype.
        bias: shape (outputs,), or None.
        stride: step of the kernel.
        padding: zeros at both ends, "same" or "valid".
        dilation: distance of the kernel's taps.
        groups: of channels that see each other.

    Returns:
        A tensor of shape (batch, outputs, length of the output).

    Raises:
        ValueError: if shapes or options do not fit.
        TypeError: if a dtype does not.
    """
    return _convolve("conv1d", 1, input, weight, bias, stride, padding, dilation, groups)


@of_integers_too
def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Lengths = 1,
    padding: Lengths | str = 0,
    dilation: Lengths = 1,
    groups: int = 1,
) -> Tensor:
    """Return the cross-correlation of pictures with a kernel.

    Args:
        input: floats of shape (batch, channels, height, width), or without batch.
        weight: shape (outputs, channels / groups, height, width), of the same dtype.
        bias: shape (outputs,), or None.
        stride: step of the kernel, one number or one for each axis; the same below.
        padding: zeros at both ends, "same" (the output is as large as the input) or "valid" (none).
        dilation: distance of the kernel's taps.
        groups: of channels that see each other.

    Returns:
        A tensor of shape (batch, outputs, height, width of the output).

    Raises:
        ValueError: if shapes or options do not fit.
        TypeError: if a dtype does not.

    >>> import schuss as ss
    >>> conv2d(ss.ones((1, 1, 3, 3)), ss.ones((1, 1, 2, 2))).tolist()
    [[[[4.0, 4.0], [4.0, 4.0]]]]
    """
    return _convolve("conv2d", 2, input, weight, bias, stride, padding, dilation, groups)


@of_integers_too
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Lengths = 1,
    padding: Lengths | str = 0,
    dilation: Lengths = 1,
    groups: int = 1,
) -> Tensor:
    """Return the cross-correlation of volumes with a kernel; see `conv2d`.

    Args:
        input: floats of shape (batch, channels, depth, height, width), or without batch.
        weight: shape (outputs, channels / groups, depth, height, width), of the same dtype.
        bias: shape (outputs,), or None.
        stride: step of the kernel.
        padding: zeros at both ends, "same" or "valid".
        dilation: distance of the kernel's taps.
        groups: of channels that see each other.

    Returns:
        A tensor of shape (batch, outputs, depth, height, width of the output).

    Raises:
        ValueError: if shapes or options do not fit.
        TypeError: if a dtype does not.
    """
    return _convolve("conv3d", 3, input, weight, bias, stride, padding, dilation, groups)
