"""Layers that enlarge pictures and rearrange their elements."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.module import Module

__all__ = ["ChannelShuffle", "Fold", "PixelShuffle", "PixelUnshuffle", "Unfold"]
__all__ += ["Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"]


@dataclass(eq=False, repr=False)
class Upsample(Module):
    """Return sequences, pictures or volumes at another size; see `functional.interpolate`.

    Args:
        size: of the result, one number or one for each spatial axis; or instead
        scale_factor: of the result to the input, likewise.
        mode: "nearest", "linear" for sequences, "bilinear" or "bicubic" for pictures, "trilinear"
            for volumes.
        align_corners: whether the centres of the corners, and not their outer edges, stay where
            they are.
        recompute_scale_factor: whether the factor is taken anew from the rounded size.

    >>> from schuss import nn, ones
    >>> nn.Upsample(scale_factor=2)(ones((2, 3, 4, 4))).shape
    (2, 3, 8, 8)
    """

    size: Any = None
    scale_factor: Any = None
    mode: str = "nearest"
    align_corners: bool | None = None
    recompute_scale_factor: bool | None = None

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, *spatial) at another size."""
        return functional.interpolate(
            input, self.size, self.scale_factor, self.mode, self.align_corners,
            self.recompute_scale_factor,
        )  # fmt: skip

    def extra_repr(self) -> str:
        """Return the options."""
        by = "size" if self.scale_factor is None else "scale_factor"
        return f"{by}={getattr(self, by)}, mode={self.mode!r}"


class UpsamplingNearest2d(Upsample):
    """Return pictures at another size, of the nearest elements.

    Args:
        size: of the result, one number or one for each axis; or instead
        scale_factor: of the result to the input, likewise.

    >>> from schuss import nn, ones
    >>> nn.UpsamplingNearest2d(scale_factor=2)(ones((2, 3, 4, 4))).shape
    (2, 3, 8, 8)
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor)


class UpsamplingBilinear2d(Upsample):
    """Return pictures at another size, linear between the elements; corners stay where they are.

    Args:
        size: of the result, one number or one for each axis; or instead
        scale_factor: of the result to the input, likewise.

    >>> from schuss import nn, ones
    >>> nn.UpsamplingBilinear2d(scale_factor=2)(ones((2, 3, 4, 4))).shape
    (2, 3, 8, 8)
    """

    def __init__(self, size: Any = None, scale_factor: Any = None) -> None:
        super().__init__(size, scale_factor, "bilinear", True)


@dataclass(eq=False, repr=False)
class PixelShuffle(Module):
    """Return pictures of r times the height and width, of r^2 channels each (Shi et al., 2016).

    Args:
        upscale_factor: r.

    >>> from schuss import nn, ones
    >>> nn.PixelShuffle(2)(ones((2, 12, 4, 4))).shape
    (2, 3, 8, 8)
    """

    _shown = "upscale_factor={0.upscale_factor}"
    upscale_factor: int

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (..., channels * r^2, height, width) rearranged."""
        return functional.pixel_shuffle(input, self.upscale_factor)


@dataclass(eq=False, repr=False)
class PixelUnshuffle(Module):
    """Return what `PixelShuffle` made pictures of.

    Args:
        downscale_factor: r.

    >>> from schuss import nn, ones
    >>> nn.PixelUnshuffle(2)(ones((2, 3, 8, 8))).shape
    (2, 12, 4, 4)
    """

    _shown = "downscale_factor={0.downscale_factor}"
    downscale_factor: int

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (..., channels, height * r, width * r) rearranged."""
        return functional.pixel_unshuffle(input, self.downscale_factor)


@dataclass(eq=False, repr=False)
class ChannelShuffle(Module):
    """Return channels in another order: one of each group, then the next ones.

    Args:
        groups: of neighbouring channels, as many as divide them.

    >>> from schuss import nn, ones
    >>> nn.ChannelShuffle(2)(ones((2, 4, 3, 3))).shape
    (2, 4, 3, 3)
    """

    _shown = "groups={0.groups}"
    groups: int

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, ...) reordered."""
        return functional.channel_shuffle(input, self.groups)


@dataclass(eq=False, repr=False)
class Unfold(Module):
    """Return the windows of pictures as columns.

    Args:
        kernel_size: of the windows, one number or one for each axis; the same below.
        dilation: distance of a window's elements.
        padding: zeros around the pictures.
        stride: between windows.

    >>> from schuss import nn, ones
    >>> nn.Unfold(2)(ones((2, 3, 4, 5))).shape
    (2, 12, 12)
    """

    _shown = "{0.kernel_size}, dilation={0.dilation}, padding={0.padding}, stride={0.stride}"
    kernel_size: Any
    dilation: Any = 1
    padding: Any = 0
    stride: Any = 1

    def forward(self, input: Tensor) -> Tensor:
        """Return the windows of x of shape (batch, channels, height, width)."""
        return functional.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)


@dataclass(eq=False, repr=False)
class Fold(Module):
    """Return pictures that are the sums of windows given as columns: the transpose of `Unfold`.

    Args:
        output_size: height and width of the pictures.
        kernel_size: of the windows, one number or one for each axis; the same below.
        dilation: distance of a window's elements.
        padding: of the pictures, which is left out of the result.
        stride: between windows.

    >>> from schuss import nn, ones
    >>> nn.Fold((4, 5), 2)(ones((2, 12, 12))).shape
    (2, 3, 4, 5)
    """

    _shown = (
        "{0.output_size}, {0.kernel_size}, dilation={0.dilation}, padding={0.padding}, "
        "stride={0.stride}"
    )
    output_size: Any
    kernel_size: Any
    dilation: Any = 1
    padding: Any = 0
    stride: Any = 1

    def forward(self, input: Tensor) -> Tensor:
        """Return the pictures that columns of shape (batch, channels * elements, windows) make."""
        return functional.fold(
            input, self.output_size, self.kernel_size, self.dilation, self.padding, self.stride
        )
