"""Layers of pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.functional.pooling import Lengths
from schuss.nn.module import Module

__all__ = ["AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"]
__all__ += ["AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d"]
__all__ += ["AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d"]


@dataclass(eq=False, repr=False)
class MaxPool1d(Module):
    """Return the largest element of each window of sequences.

    Args:
        kernel_size: of the windows, one number or one for each axis; the same below.
        stride: between windows; None for the kernel's size.
        padding: -inf around the input, at most half of the kernel.
        dilation: between the elements of a window.
        return_indices: whether to return the flat positions, too.
        ceil_mode: whether windows may reach beyond the padded input.

    >>> from schuss import nn, ones
    >>> nn.MaxPool1d(2)(ones((2, 3, 6))).shape
    (2, 3, 3)
    """

    _shown = (
        "kernel_size={0.kernel_size}, stride={0.stride}, padding={0.padding}, "
        "dilation={0.dilation}, ceil_mode={0.ceil_mode}"
    )
    kernel_size: Lengths
    stride: Lengths | None = None
    padding: Lengths = 0
    dilation: Lengths = 1
    return_indices: bool = False
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        """Let windows lie side by side where nothing else is asked for."""
        self.stride = self.kernel_size if self.stride is None else self.stride

    def forward(self, input: Tensor) -> Any:
        """Return x of shape (batch, channels, length) pooled."""
        return functional.max_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
            self.return_indices,
        )  # fmt: skip


@dataclass(eq=False, repr=False)
class AvgPool1d(Module):
    """Return the mean of each window of sequences.

    Args:
        kernel_size: of the windows, one number or one for each axis; the same below.
        stride: between windows; None for the kernel's size.
        padding: zeros around the input, at most half of the kernel.
        ceil_mode: whether windows may reach beyond the padded input.
        count_include_pad: whether these zeros count.

    >>> from schuss import nn, ones
    >>> nn.AvgPool1d(2)(ones((2, 3, 6))).shape
    (2, 3, 3)
    """

    _shown = "kernel_size={0.kernel_size}, stride={0.stride}, padding={0.padding}"
    kernel_size: Lengths
    stride: Lengths | None = None
    padding: Lengths = 0
    ceil_mode: bool = False
    count_include_pad: bool = True

    def __post_init__(self) -> None:
        """Let windows lie side by side where nothing else is asked for."""
        self.stride = self.kernel_size if self.stride is None else self.stride

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, length) pooled."""
        return functional.avg_pool1d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad,
        )  # fmt: skip


@dataclass(eq=False, repr=False)
class AdaptiveAvgPool1d(Module):
    """Return the means of so many windows that sequences of any size are cut into.

    Args:
        output_size: how many, one number or one for each axis; None for the input's length.

    >>> from schuss import nn, ones
    >>> nn.AdaptiveAvgPool1d(2)(ones((2, 3, 5))).shape
    (2, 3, 2)
    """

    _shown = "output_size={0.output_size}"
    output_size: Any

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, length) pooled."""
        return functional.adaptive_avg_pool1d(input, self.output_size)


@dataclass(eq=False, repr=False)
class AdaptiveMaxPool1d(Module):
    """Return the largest elements of so many windows that sequences of any size are cut into.

    Args:
        output_size: how many, one number or one for each axis; None for the input's length.
        return_indices: whether to return the flat positions, too.

    >>> from schuss import nn, ones
    >>> nn.AdaptiveMaxPool1d(2)(ones((2, 3, 5))).shape
    (2, 3, 2)
    """

    _shown = "output_size={0.output_size}"
    output_size: Any
    return_indices: bool = False

    def forward(self, input: Tensor) -> Any:
        """Return x of shape (batch, channels, length) pooled."""
        return functional.adaptive_max_pool1d(input, self.output_size, self.return_indices)


@dataclass(eq=False, repr=False)
class MaxPool2d(Module):
    """Return the largest element of each window of pictures.

    Args:
        kernel_size: of the windows, one number or one for each axis; the same below.
        stride: between windows; None for the kernel's size.
        padding: -inf around the input, at most half of the kernel.
        dilation: between the elements of a window.
        return_indices: whether to return the flat positions, too.
        ceil_mode: whether windows may reach beyond the padded input.

    >>> from schuss import nn, ones
    >>> nn.MaxPool2d(2)(ones((2, 3, 6, 6))).shape
    (2, 3, 3, 3)
    """

    _shown = (
        "kernel_size={0.kernel_size}, stride={0.stride}, padding={0.padding}, "
        "dilation={0.dilation}, ceil_mode={0.ceil_mode}"
    )
    kernel_size: Lengths
    stride: Lengths | None = None
    padding: Lengths = 0
    dilation: Lengths = 1
    return_indices: bool = False
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        """Let windows lie side by side where nothing else is asked for."""
        self.stride = self.kernel_size if self.stride is None else self.stride

    def forward(self, input: Tensor) -> Any:
        """Return x of shape (batch, channels, height, width) pooled."""
        return functional.max_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
            self.return_indices,
        )  # fmt: skip


@dataclass(eq=False, repr=False)
class AvgPool2d(Module):
    """Return the mean of each window of pictures.

    Args:
        kernel_size: of the windows, one number or one for each axis; the same below.
        stride: between windows; None for the kernel's size.
        padding: zeros around the input, at most half of the kernel.
        ceil_mode: whether windows may reach beyond the padded input.
        count_include_pad: whether these zeros count.
        divisor_override: what sums are divided by, instead of the count.

    >>> from schuss import nn, ones
    >>> nn.AvgPool2d(2)(ones((2, 3, 6, 6))).shape
    (2, 3, 3, 3)
    """

    _shown = "kernel_size={0.kernel_size}, stride={0.stride}, padding={0.padding}"
    kernel_size: Lengths
    stride: Lengths | None = None
    padding: Lengths = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None

    def __post_init__(self) -> None:
        """Let windows lie side by side where nothing else is asked for."""
        self.stride = self.kernel_size if self.stride is None else self.stride

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, height, width) pooled."""
        return functional.avg_pool2d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override,
        )  # fmt: skip


@dataclass(eq=False, repr=False)
class AdaptiveAvgPool2d(Module):
    """Return the means of so many windows that pictures of any size are cut into.

    Args:
        output_size: how many, one number or one for each axis; None for the input's length.

    >>> from schuss import nn, ones
    >>> nn.AdaptiveAvgPool2d(2)(ones((2, 3, 5, 5))).shape
    (2, 3, 2, 2)
    """

    _shown = "output_size={0.output_size}"
    output_size: Any

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, height, width) pooled."""
        return functional.adaptive_avg_pool2d(input, self.output_size)


@dataclass(eq=False, repr=False)
class AdaptiveMaxPool2d(Module):
    """Return the largest elements of so many windows that pictures of any size are cut into.

    Args:
        output_size: how many, one number or one for each axis; None for the input's length.
        return_indices: whether to return the flat positions, too.

    >>> from schuss import nn, ones
    >>> nn.AdaptiveMaxPool2d(2)(ones((2, 3, 5, 5))).shape
    (2, 3, 2, 2)
    """

    _shown = "output_size={0.output_size}"
    output_size: Any
    return_indices: bool = False

    def forward(self, input: Tensor) -> Any:
        """Return x of shape (batch, channels, height, width) pooled."""
        return functional.adaptive_max_pool2d(input, self.output_size, self.return_indices)


@dataclass(eq=False, repr=False)
class MaxPool3d(Module):
    """Return the largest element of each window of volumes.

    Args:
        kernel_size: of the windows, one number or one for each axis; the same below.
        stride: between windows; None for the kernel's size.
        padding: -inf around the input, at most half of the kernel.
        dilation: between the elements of a window.
        return_indices: whether to return the flat positions, too.
        ceil_mode: whether windows may reach beyond the padded input.

    >>> from schuss import nn, ones
    >>> nn.MaxPool3d(2)(ones((2, 3, 6, 6, 6))).shape
    (2, 3, 3, 3, 3)
    """

    _shown = (
        "kernel_size={0.kernel_size}, stride={0.stride}, padding={0.padding}, "
        "dilation={0.dilation}, ceil_mode={0.ceil_mode}"
    )
    kernel_size: Lengths
    stride: Lengths | None = None
    padding: Lengths = 0
    dilation: Lengths = 1
    return_indices: bool = False
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        """Let windows lie side by side where nothing else is asked for."""
        self.stride = self.kernel_size if self.stride is None else self.stride

    def forward(self, input: Tensor) -> Any:
        """Return x of shape (batch, channels, depth, height, width) pooled."""
        return functional.max_pool3d(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
            self.return_indices,
        )  # fmt: skip


@dataclass(eq=False, repr=False)
class AvgPool3d(Module):
    """Return the mean of each window of volumes.

    Args:
        kernel_size: of the windows, one number or one for each axis; the same below.
        stride: between windows; None for the kernel's size.
        padding: zeros around the input, at most half of the kernel.
        ceil_mode: whether windows may reach beyond the padded input.
        count_include_pad: whether these zeros count.
        divisor_override: what sums are divided by, instead of the count.

    >>> from schuss import nn, ones
    >>> nn.AvgPool3d(2)(ones((2, 3, 6, 6, 6))).shape
    (2, 3, 3, 3, 3)
    """

    _shown = "kernel_size={0.kernel_size}, stride={0.stride}, padding={0.padding}"
    kernel_size: Lengths
    stride: Lengths | None = None
    padding: Lengths = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    divisor_override: int | None = None

    def __post_init__(self) -> None:
        """Let windows lie side by side where nothing else is asked for."""
        self.stride = self.kernel_size if self.stride is None else self.stride

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, depth, height, width) pooled."""
        return functional.avg_pool3d(
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, self.divisor_override,
        )  # fmt: skip


@dataclass(eq=False, repr=False)
class AdaptiveAvgPool3d(Module):
    """Return the means of so many windows that volumes of any size are cut into.

    Args:
        output_size: how many, one number or one for each axis; None for the input's length.

    >>> from schuss import nn, ones
    >>> nn.AdaptiveAvgPool3d(2)(ones((2, 3, 5, 5, 5))).shape
    (2, 3, 2, 2, 2)
    """

    _shown = "output_size={0.output_size}"
    output_size: Any

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, depth, height, width) pooled."""
        return functional.adaptive_avg_pool3d(input, self.output_size)


@dataclass(eq=False, repr=False)
class AdaptiveMaxPool3d(Module):
    """Return the largest elements of so many windows that volumes of any size are cut into.

    Args:
        output_size: how many, one number or one for each axis; None for the input's length.
        return_indices: whether to return the flat positions, too.

    >>> from schuss import nn, ones
    >>> nn.AdaptiveMaxPool3d(2)(ones((2, 3, 5, 5, 5))).shape
    (2, 3, 2, 2, 2)
    """

    _shown = "output_size={0.output_size}"
    output_size: Any
    return_indices: bool = False

    def forward(self, input: Tensor) -> Any:
        """Return x of shape (batch, channels, depth, height, width) pooled."""
        return functional.adaptive_max_pool3d(input, self.output_size, self.return_indices)
