"""Layers of pooling."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.functional.pooling import Lengths
from schuss.nn.module import Module

__all__ = ["AdaptiveAvgPool1d", "AdaptiveAvgPool2d", "AdaptiveAvgPool3d"]
__all__ += ["AdaptiveMaxPool1d", "AdaptiveMaxPool2d", "AdaptiveMaxPool3d"]
__all__ += ["AvgPool1d", "AvgPool2d", "AvgPool3d", "MaxPool1d", "MaxPool2d", "MaxPool3d"]


@dataclass(eq=False, repr=False)
class _MaxPool(Module):
    """What the layers of largest elements have in common."""

    _shown = (
        "kernel_size={0.kernel_size}, stride={0.stride}, padding={0.padding}, "
        "dilation={0.dilation}, ceil_mode={0.ceil_mode}"
    )
    axes: ClassVar[int]
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
        """Return x of shape (batch, channels, *spatial) pooled."""
        pool = getattr(functional, f"max_pool{self.axes}d")
        return pool(
            input, self.kernel_size, self.stride, self.padding, self.dilation, self.ceil_mode,
            self.return_indices,
        )  # fmt: skip


@dataclass(eq=False, repr=False)
class _AvgPool(Module):
    """What the layers of means have in common."""

    _shown = "kernel_size={0.kernel_size}, stride={0.stride}, padding={0.padding}"
    axes: ClassVar[int]
    kernel_size: Lengths
    stride: Lengths | None = None
    padding: Lengths = 0
    ceil_mode: bool = False
    count_include_pad: bool = True
    # Pictures and volumes have it as an option.
    divisor_override: ClassVar[int | None] = None

    def __post_init__(self) -> None:
        """Let windows lie side by side where nothing else is asked for."""
        self.stride = self.kernel_size if self.stride is None else self.stride

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, *spatial) pooled."""
        options = {} if self.axes == 1 else {"divisor_override": self.divisor_override}
        pool = getattr(functional, f"avg_pool{self.axes}d")
        return pool(  # type: ignore[no-any-return]
            input, self.kernel_size, self.stride, self.padding, self.ceil_mode,
            self.count_include_pad, **options,
        )  # fmt: skip


@dataclass(eq=False, repr=False)
class _AdaptiveAvgPool(Module):
    """What the layers of means of so many windows have in common."""

    _shown = "output_size={0.output_size}"
    axes: ClassVar[int]
    output_size: Any

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, *spatial) pooled."""
        pool = getattr(functional, f"adaptive_avg_pool{self.axes}d")
        return pool(input, self.output_size)  # type: ignore[no-any-return]


@dataclass(eq=False, repr=False)
class _AdaptiveMaxPool(Module):
    """What the layers of largest elements of so many windows have in common."""

    _shown = "output_size={0.output_size}"
    axes: ClassVar[int]
    output_size: Any
    return_indices: bool = False

    def forward(self, input: Tensor) -> Any:
        """Return x of shape (batch, channels, *spatial) pooled."""
        pool = getattr(functional, f"adaptive_max_pool{self.axes}d")
        return pool(input, self.output_size, self.return_indices)


@dataclass(eq=False, repr=False)
class MaxPool1d(_MaxPool):
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

    axes = 1


@dataclass(eq=False, repr=False)
class AvgPool1d(_AvgPool):
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

    axes = 1


@dataclass(eq=False, repr=False)
class AdaptiveAvgPool1d(_AdaptiveAvgPool):
    """Return the means of so many windows that sequences of any size are cut into.

    Args:
        output_size: how many, one number or one for each axis; None for the input's length.

    >>> from schuss import nn, ones
    >>> nn.AdaptiveAvgPool1d(2)(ones((2, 3, 5))).shape
    (2, 3, 2)
    """

    axes = 1


@dataclass(eq=False, repr=False)
class AdaptiveMaxPool1d(_AdaptiveMaxPool):
    """Return the largest elements of so many windows that sequences of any size are cut into.

    Args:
        output_size: how many, one number or one for each axis; None for the input's length.
        return_indices: whether to return the flat positions, too.

    >>> from schuss import nn, ones
    >>> nn.AdaptiveMaxPool1d(2)(ones((2, 3, 5))).shape
    (2, 3, 2)
    """

    axes = 1


@dataclass(eq=False, repr=False)
class MaxPool2d(_MaxPool):
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

    axes = 2


@dataclass(eq=False, repr=False)
class AvgPool2d(_AvgPool):
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

    axes = 2
    divisor_override: int | None = None  # type: ignore[misc]  # in its place


@dataclass(eq=False, repr=False)
class AdaptiveAvgPool2d(_AdaptiveAvgPool):
    """Return the means of so many windows that pictures of any size are cut into.

    Args:
        output_size: how many, one number or one for each axis; None for the input's length.

    >>> from schuss import nn, ones
    >>> nn.AdaptiveAvgPool2d(2)(ones((2, 3, 5, 5))).shape
    (2, 3, 2, 2)
    """

    axes = 2


@dataclass(eq=False, repr=False)
class AdaptiveMaxPool2d(_AdaptiveMaxPool):
    """Return the largest elements of so many windows that pictures of any size are cut into.

    Args:
        output_size: how many, one number or one for each axis; None for the input's length.
        return_indices: whether to return the flat positions, too.

    >>> from schuss import nn, ones
    >>> nn.AdaptiveMaxPool2d(2)(ones((2, 3, 5, 5))).shape
    (2, 3, 2, 2)
    """

    axes = 2


@dataclass(eq=False, repr=False)
class MaxPool3d(_MaxPool):
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

    axes = 3


@dataclass(eq=False, repr=False)
class AvgPool3d(_AvgPool):
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

    axes = 3
    divisor_override: int | None = None  # type: ignore[misc]  # in its place


@dataclass(eq=False, repr=False)
class AdaptiveAvgPool3d(_AdaptiveAvgPool):
    """Return the means of so many windows that volumes of any size are cut into.

    Args:
        output_size: how many, one number or one for each axis; None for the input's length.

    >>> from schuss import nn, ones
    >>> nn.AdaptiveAvgPool3d(2)(ones((2, 3, 5, 5, 5))).shape
    (2, 3, 2, 2, 2)
    """

    axes = 3


@dataclass(eq=False, repr=False)
class AdaptiveMaxPool3d(_AdaptiveMaxPool):
    """Return the largest elements of so many windows that volumes of any size are cut into.

    Args:
        output_size: how many, one number or one for each axis; None for the input's length.
        return_indices: whether to return the flat positions, too.

    >>> from schuss import nn, ones
    >>> nn.AdaptiveMaxPool3d(2)(ones((2, 3, 5, 5, 5))).shape
    (2, 3, 2, 2, 2)
    """

    axes = 3
