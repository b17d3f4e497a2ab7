"""Layers of pooled powers, and of largest elements put back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.functional.convolution import lengths
from schuss.nn.module import Module

__all__ = ["LPPool1d", "LPPool2d", "LPPool3d", "LocalResponseNorm", "Softmax2d"]
__all__ += ["MaxUnpool1d", "MaxUnpool2d", "MaxUnpool3d"]


@dataclass(eq=False, repr=False)
class _LPPool(Module):
    """What pooled powers have in common."""

    _shown = (
        "norm_type={0.norm_type}, kernel_size={0.kernel_size}, stride={0.stride}, "
        "ceil_mode={0.ceil_mode}"
    )
    axes: ClassVar[int]
    norm_type: float
    kernel_size: Any
    stride: Any = None
    ceil_mode: bool = False

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, *spatial) pooled."""
        pool = getattr(functional, f"lp_pool{self.axes}d")
        return pool(  # type: ignore[no-any-return]  # of functions by name
            input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode
        )


class _MaxUnpool(Module):
    """What the layers that put elements back have in common."""

    axes: ClassVar[int]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        owner = type(self).__name__
        self.kernel_size = lengths(owner, "kernel_size", kernel_size, self.axes)
        stride = self.kernel_size if stride is None else stride
        self.stride = lengths(owner, "stride", stride, self.axes)
        self.padding = lengths(owner, "padding", padding, self.axes, 0)

    def forward(self, input: Tensor, indices: Tensor, output_size: Any = None) -> Tensor:
        """Return the largest elements where they came from, else 0.

        Args:
            input: x of shape (batch, channels, *spatial).
            indices: of that shape, what the pooling returned with return_indices.
            output_size: the shape that went into the pooling, where the stride leaves a choice.
        """
        put = getattr(functional, f"max_unpool{self.axes}d")
        return put(  # type: ignore[no-any-return]  # of functions by name
            input, indices, self.kernel_size, self.stride, self.padding, output_size
        )

    def extra_repr(self) -> str:
        """Return the options."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class LPPool1d(_LPPool):
    """Return the p-norm of each window of sequences: sum(x ** p) ** (1 / p).

    Args:
        norm_type: p.
        kernel_size: of the windows, one number or one for each axis.
        stride: between windows; None for the kernel's size.
        ceil_mode: whether windows may reach beyond the input.

    >>> from schuss import nn, ones
    >>> nn.LPPool1d(2, 2)(ones((2, 3, 6))).shape
    (2, 3, 3)
    """

    axes = 1


class MaxUnpool1d(_MaxUnpool):
    """Return sequences with the largest elements where `MaxPool1d` found them, else 0.

    Args:
        kernel_size: of the pooling, one number or one for each axis; the same below.
        stride: None for the kernel's size.
        padding: around the input of the pooling.

    >>> from schuss import nn, ones
    >>> y, indices = nn.MaxPool1d(2, return_indices=True)(ones((2, 3, 6)))
    >>> nn.MaxUnpool1d(2)(y, indices).shape
    (2, 3, 6)
    """

    axes = 1


class LPPool2d(_LPPool):
    """Return the p-norm of each window of pictures: sum(x ** p) ** (1 / p).

    Args:
        norm_type: p.
        kernel_size: of the windows, one number or one for each axis.
        stride: between windows; None for the kernel's size.
        ceil_mode: whether windows may reach beyond the input.

    >>> from schuss import nn, ones
    >>> nn.LPPool2d(2, 2)(ones((2, 3, 6, 6))).shape
    (2, 3, 3, 3)
    """

    axes = 2


class MaxUnpool2d(_MaxUnpool):
    """Return pictures with the largest elements where `MaxPool2d` found them, else 0.

    Args:
        kernel_size: of the pooling, one number or one for each axis; the same below.
        stride: None for the kernel's size.
        padding: around the input of the pooling.

    >>> from schuss import nn, ones
    >>> y, indices = nn.MaxPool2d(2, return_indices=True)(ones((2, 3, 6, 6)))
    >>> nn.MaxUnpool2d(2)(y, indices).shape
    (2, 3, 6, 6)
    """

    axes = 2


class LPPool3d(_LPPool):
    """Return the p-norm of each window of volumes: sum(x ** p) ** (1 / p).

    Args:
        norm_type: p.
        kernel_size: of the windows, one number or one for each axis.
        stride: between windows; None for the kernel's size.
        ceil_mode: whether windows may reach beyond the input.

    >>> from schuss import nn, ones
    >>> nn.LPPool3d(2, 2)(ones((2, 3, 6, 6, 6))).shape
    (2, 3, 3, 3, 3)
    """

    axes = 3


class MaxUnpool3d(_MaxUnpool):
    """Return volumes with the largest elements where `MaxPool3d` found them, else 0.

    Args:
        kernel_size: of the pooling, one number or one for each axis; the same below.
        stride: None for the kernel's size.
        padding: around the input of the pooling.

    >>> from schuss import nn, ones
    >>> y, indices = nn.MaxPool3d(2, return_indices=True)(ones((2, 3, 6, 6, 6)))
    >>> nn.MaxUnpool3d(2)(y, indices).shape
    (2, 3, 6, 6, 6)
    """

    axes = 3


@dataclass(eq=False, repr=False)
class LocalResponseNorm(Module):
    """Return x / (k + alpha * mean of x^2 over neighbouring channels) ^ beta.

    Krizhevsky et al., 2012.

    Args:
        size: how many channels are neighbours.
        alpha: factor of the mean.
        beta: exponent.
        k: added.

    >>> from schuss import nn, ones
    >>> nn.LocalResponseNorm(2)(ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    _shown = "{0.size}, alpha={0.alpha}, beta={0.beta}, k={0.k}"
    size: int
    alpha: float = 1e-4
    beta: float = 0.75
    k: float = 1.0

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, ...) normalised."""
        return functional.local_response_norm(input, self.size, self.alpha, self.beta, self.k)


class Softmax2d(Module):
    """Return the softmax over the channels at each place of pictures.

    >>> from schuss import nn, ones
    >>> nn.Softmax2d()(ones((1, 2, 1, 1))).tolist()
    [[[[0.5]], [[0.5]]]]
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, height, width), or without batch.

        Raises:
            ValueError: if x has another number of axes.
        """
        if input.ndim not in (3, 4):
            raise ValueError(
                "Softmax2d: expected x of shape (batch, channels, height, width), with or without "
                f"batch, got {input.shape}."
            )
        return functional.softmax(input, -3)
