"""Transposed convolutions of sequences, pictures and volumes."""

from __future__ import annotations

from schuss.core import Tensor
from schuss.nn.functional._integers import of_integers_too
from schuss.nn.functional.convolution import (
    Lengths,
    batched,
    channels_last,
    finished,
    lengths,
    require_channels,
    require_pictures,
)
from schuss.primitives.bfloat16 import as_autocast
from schuss.primitives.convolution import convolution_input

__all__ = ["conv_transpose1d", "conv_transpose2d", "conv_transpose3d"]


def _convolve_transposed(
    owner: str, axes: int, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Lengths,
    padding: Lengths, output_padding: Lengths, groups: int, dilation: Lengths,
) -> Tensor:  # fmt: skip
    require_pictures(owner, x, weight, bias, axes)
    whole = batched(owner, x, axes)
    require_channels(owner, whole, weight, bias, groups, transposed=True)
    steps = lengths(owner, "stride", stride, axes)
    spread = lengths(owner, "dilation", dilation, axes)
    around = lengths(owner, "padding", padding, axes, 0)
    more = lengths(owner, "output_padding", output_padding, axes, 0)
    if any(m >= max(s, d) for m, s, d in zip(more, steps, spread, strict=True)):
        raise ValueError(
            f"{owner}: expected output_padding below stride or dilation, got {output_padding} with "
            f"stride {stride} and dilation {dilation}."
        )
    size = tuple(
        (n - 1) * s - 2 * p + d * (k - 1) + m + 1
        for n, k, s, d, p, m in zip(
            whole.shape[2:], weight.shape[2:], steps, spread, around, more, strict=True
        )
    )
    if min(size) < 1:
        raise ValueError(
            f"{owner}: expected padding that leaves something of the output, got {padding} for x "
            f"of shape {x.shape} and weight of shape {weight.shape}."
        )
    whole, weight = as_autocast(whole), as_autocast(weight)
    out = convolution_input(
        channels_last(whole), weight, stride=steps, padding=around, dilation=spread, groups=groups,
        size=size,
    )  # fmt: skip
    return finished(out, bias, x.ndim)


@of_integers_too
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Lengths = 1,
    padding: Lengths = 0,
    output_padding: Lengths = 0,
    groups: int = 1,
    dilation: Lengths = 1,
) -> Tensor:
    """Return the transposed convolution of sequences; see `conv_transpose2d`.

    Args:
        input: floats of shape (batch, channels, length), or without batch.
        weight: shape (channels, outputs / groups, kernel), of the same dtype.
        bias: shape (outputs,), or None.
        stride: step of the output for each step of the input.
        padding: elements that are left out at both ends of the output.
        output_padding: elements more at the end of the output.
        groups: of channels that see each other.
        dilation: distance of the kernel's taps.

    Returns:
        A tensor of shape (batch, outputs, length of the output).

    Raises:
        ValueError: if shapes or options do not fit.
        TypeError: if a dtype does not.
    """
    return _convolve_transposed(
        "conv_transpose1d",
        1,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


@of_integers_too
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Lengths = 1,
    padding: Lengths = 0,
    output_padding: Lengths = 0,
    groups: int = 1,
    dilation: Lengths = 1,
) -> Tensor:
    """Return the transposed convolution of pictures: the gradient of `conv2d` by its input.

    Args:
        input: floats of shape (batch, channels, height, width), or without batch.
        weight: shape (channels, outputs / groups, height, width), of the same dtype.
        bias: shape (outputs,), or None.
        stride: step of the output for each step of the input.
        padding: elements that are left out at all sides of the output.
        output_padding: elements more at the end of each axis of the output.
        groups: of channels that see each other.
        dilation: distance of the kernel's taps.

    Returns:
        A tensor of shape (batch, outputs, height, width of the output), where a length is
        (length - 1) * stride - 2 * padding + dilation * (kernel - 1) + output_padding + 1.

    Raises:
        ValueError: if shapes or options do not fit.
        TypeError: if a dtype does not.

    >>> import schuss as ss
    >>> conv_transpose2d(ss.ones((1, 1, 2, 1)), ss.ones((1, 1, 1, 2)), stride=2).shape
    (1, 1, 3, 2)
    """
    return _convolve_transposed(
        "conv_transpose2d",
        2,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )


@of_integers_too
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Lengths = 1,
    padding: Lengths = 0,
    output_padding: Lengths = 0,
    groups: int = 1,
    dilation: Lengths = 1,
) -> Tensor:
    """Return the transposed convolution of volumes; see `conv_transpose2d`.

    Args:
        input: floats of shape (batch, channels, depth, height, width), or without batch.
        weight: shape (channels, outputs / groups, depth, height, width), of the same dtype.
        bias: shape (outputs,), or None.
        stride: step of the output for each step of the input.
        padding: elements that are left out at all sides of the output.
        output_padding: elements more at the end of each axis of the output.
        groups: of channels that see each other.
        dilation: distance of the kernel's taps.

    Returns:
        A tensor of shape (batch, outputs, depth, height, width of the output).

    Raises:
        ValueError: if shapes or options do not fit.
        TypeError: if a dtype does not.
    """
    return _convolve_transposed(
        "conv_transpose3d",
        3,
        input,
        weight,
        bias,
        stride,
        padding,
        output_padding,
        groups,
        dilation,
    )
