"""Layers of convolutions and transposed convolutions."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy.typing as npt

from schuss.core import Tensor
from schuss.nn import functional, init
from schuss.nn.arguments import require_counts
from schuss.nn.functional.convolution import Lengths, lengths
from schuss.nn.module import Module, Parameter

__all__ = ["Conv1d", "Conv2d", "Conv3d"]
__all__ += ["ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _Convolution(Module):
    """What all of them have: a kernel, a bias, and where the kernel goes."""

    axes: ClassVar[int]
    weight: Parameter
    bias: Parameter | None

    def _set(
        self, channels: tuple[int, int], kernel_size: Lengths, stride: Lengths, padding: Any,
        dilation: Lengths, groups: int, padding_mode: str,
    ) -> None:  # fmt: skip
        """Check the options, and keep them."""
        owner = type(self).__name__
        self.in_channels, self.out_channels = channels
        require_counts(
            owner, in_channels=self.in_channels, out_channels=self.out_channels, groups=groups
        )
        if self.in_channels % groups or self.out_channels % groups:
            raise ValueError(
                f"{owner}: expected in_channels and out_channels that groups divides, got "
                f"{self.in_channels} and {self.out_channels} with groups={groups}."
            )
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"{owner}: expected padding_mode of {', '.join(_PADDING_MODES)}, got "
                f"{padding_mode!r}."
            )
        self.kernel_size = lengths(owner, "kernel_size", kernel_size, self.axes)
        self.stride = lengths(owner, "stride", stride, self.axes)
        self.dilation = lengths(owner, "dilation", dilation, self.axes)
        self.groups = groups
        self.padding_mode = padding_mode
        self.padding = padding
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(
                    f"{owner}: expected padding 'same', 'valid' or numbers, got {padding!r}."
                )
            if padding == "same" and max(self.stride) > 1:
                raise ValueError(
                    f"{owner}: expected stride 1 with padding='same', got {self.stride}."
                )
        else:
            self.padding = lengths(owner, "padding", padding, self.axes, 0)

    def _make(self, first: int, second: int, bias: bool, dtype: npt.DTypeLike | None) -> None:
        """Make the parameters."""
        shape = (first, second, *self.kernel_size)
        self.weight = Parameter(init.empty(shape, dtype))
        self.bias = Parameter(init.empty((self.out_channels,), dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new values."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5.0))
        if self.bias is not None:
            bound = 1.0 / math.sqrt(math.prod(self.weight.shape[1:]))
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """Return the options."""
        shown = [f"{self.in_channels}", f"{self.out_channels}"]
        shown += [f"kernel_size={self.kernel_size}", f"stride={self.stride}"]
        if isinstance(self.padding, str) or any(self.padding):
            shown.append(f"padding={self.padding!r}")
        if set(self.dilation) != {1}:
            shown.append(f"dilation={self.dilation}")
        if any(getattr(self, "output_padding", ())):
            shown.append(f"output_padding={getattr(self, 'output_padding', ())}")
        if self.groups != 1:
            shown.append(f"groups={self.groups}")
        if self.bias is None:
            shown.append("bias=False")
        if self.padding_mode != "zeros":
            shown.append(f"padding_mode={self.padding_mode}")
        return ", ".join(shown)


class _Conv(_Convolution):
    """A convolution."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Lengths,
        stride: Lengths = 1,
        padding: Lengths | str = 0,
        dilation: Lengths = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        channels = in_channels, out_channels
        self._set(channels, kernel_size, stride, padding, dilation, groups, padding_mode)
        self._make(out_channels, in_channels // groups, bias, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, *spatial) convolved."""
        padding = self.padding
        if self.padding_mode != "zeros":
            input = functional.pad(input, self._around(), mode=self.padding_mode)
            padding = 0
        convolve = getattr(functional, f"conv{self.axes}d")
        return convolve(  # type: ignore[no-any-return]
            input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups
        )

    def _around(self) -> list[int]:
        """Return how much is put before and behind each axis, the last one first."""
        around = []
        for axis in reversed(range(self.axes)):
            if isinstance(self.padding, str):
                total = self.dilation[axis] * (self.kernel_size[axis] - 1)
                total = 0 if self.padding == "valid" else total
                around += [total // 2, total - total // 2]
            else:
                around += [self.padding[axis]] * 2
        return around


class _ConvTranspose(_Convolution):
    """A transposed convolution."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Lengths,
        stride: Lengths = 1,
        padding: Lengths = 0,
        output_padding: Lengths = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Lengths = 1,
        padding_mode: str = "zeros",
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        if padding_mode != "zeros":
            raise ValueError(
                f"{type(self).__name__}: expected padding_mode 'zeros', got {padding_mode!r}."
            )
        channels = in_channels, out_channels
        self._set(channels, kernel_size, stride, padding, dilation, groups, padding_mode)
        owner = type(self).__name__
        self.output_padding = lengths(owner, "output_padding", output_padding, self.axes, 0)
        self._make(in_channels, out_channels // groups, bias, dtype)

    def forward(self, input: Tensor, output_size: Any = None) -> Tensor:
        """Return x of shape (batch, channels, *spatial) taken back through a convolution.

        Args:
            input: x.
            output_size: the spatial lengths that the output shall have, where the stride leaves a
                choice.
        """
        more = self.output_padding if output_size is None else self._more(input, output_size)
        convolve = getattr(functional, f"conv_transpose{self.axes}d")
        return convolve(  # type: ignore[no-any-return]
            input, self.weight, self.bias, self.stride, self.padding, more, self.groups,
            self.dilation,
        )  # fmt: skip

    def _more(self, x: Tensor, output_size: Any) -> tuple[int, ...]:
        """Return the output padding that gives an output of this size."""
        wanted = tuple(output_size)[-self.axes :]
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                x.shape[-self.axes :], self.stride, self.padding, self.dilation, self.kernel_size,
                strict=True,
            )
        ]  # fmt: skip
        found = tuple(w - n for w, n in zip(wanted, least, strict=True))
        if any(not 0 <= m < s for m, s in zip(found, self.stride, strict=True)):
            last = [n + s - 1 for n, s in zip(least, self.stride, strict=True)]
            raise ValueError(
                f"{type(self).__name__}: expected output_size from {tuple(least)} to "
                f"{tuple(last)}, got {wanted}."
            )
        return found


class Conv1d(_Conv):
    """Convolve sequences with learned kernels: y = sum of w * x + bias.

    Weight and bias start uniform in +-1 / sqrt(taps * channels that an output sees).

    Args:
        in_channels: of the input, axis 1.
        out_channels: of the output.
        kernel_size: taps along each axis, one number or one for each.
        stride: step of the kernel.
        padding: zeros at both ends, "same" or "valid".
        dilation: distance of the taps.
        groups: of channels that see each other; all alone where it is in_channels.
        bias: whether to add one.
        padding_mode: what is put there: "zeros", "reflect", "replicate" or "circular".
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if an option does not fit.

    >>> from schuss import nn, ones
    >>> nn.Conv1d(3, 8, 3, padding=1)(ones((2, 3, 5))).shape
    (2, 8, 5)
    """

    axes = 1


class Conv2d(_Conv):
    """Convolve pictures with learned kernels: y = sum of w * x + bias.

    Weight and bias start uniform in +-1 / sqrt(taps * channels that an output sees).

    Args:
        in_channels: of the input, axis 1.
        out_channels: of the output.
        kernel_size: taps along each axis, one number or one for each.
        stride: step of the kernel.
        padding: zeros at both ends, "same" or "valid".
        dilation: distance of the taps.
        groups: of channels that see each other; all alone where it is in_channels.
        bias: whether to add one.
        padding_mode: what is put there: "zeros", "reflect", "replicate" or "circular".
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if an option does not fit.

    >>> from schuss import nn, ones
    >>> nn.Conv2d(3, 8, 3, padding=1)(ones((2, 3, 5, 5))).shape
    (2, 8, 5, 5)
    """

    axes = 2


class Conv3d(_Conv):
    """Convolve volumes with learned kernels: y = sum of w * x + bias.

    Weight and bias start uniform in +-1 / sqrt(taps * channels that an output sees).

    Args:
        in_channels: of the input, axis 1.
        out_channels: of the output.
        kernel_size: taps along each axis, one number or one for each.
        stride: step of the kernel.
        padding: zeros at both ends, "same" or "valid".
        dilation: distance of the taps.
        groups: of channels that see each other; all alone where it is in_channels.
        bias: whether to add one.
        padding_mode: what is put there: "zeros", "reflect", "replicate" or "circular".
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if an option does not fit.

    >>> from schuss import nn, ones
    >>> nn.Conv3d(3, 8, 3, padding=1)(ones((2, 3, 5, 5, 5))).shape
    (2, 8, 5, 5, 5)
    """

    axes = 3


class ConvTranspose1d(_ConvTranspose):
    """Take sequences back through a convolution, which makes them larger where it has a stride.

    Args:
        in_channels: of the input, axis 1.
        out_channels: of the output.
        kernel_size: taps along each axis, one number or one for each.
        stride: step of the output for each step of the input.
        padding: elements that are left out at both ends of the output.
        output_padding: elements more at the end of the output.
        groups: of channels that see each other.
        bias: whether to add one.
        dilation: distance of the taps.
        padding_mode: "zeros" alone.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if an option does not fit.

    >>> from schuss import nn, ones
    >>> nn.ConvTranspose1d(3, 8, 2, stride=2)(ones((2, 3, 5))).shape
    (2, 8, 10)
    """

    axes = 1


class ConvTranspose2d(_ConvTranspose):
    """Take pictures back through a convolution, which makes them larger where it has a stride.

    Args:
        in_channels: of the input, axis 1.
        out_channels: of the output.
        kernel_size: taps along each axis, one number or one for each.
        stride: step of the output for each step of the input.
        padding: elements that are left out at both ends of the output.
        output_padding: elements more at the end of the output.
        groups: of channels that see each other.
        bias: whether to add one.
        dilation: distance of the taps.
        padding_mode: "zeros" alone.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if an option does not fit.

    >>> from schuss import nn, ones
    >>> nn.ConvTranspose2d(3, 8, 2, stride=2)(ones((2, 3, 5, 5))).shape
    (2, 8, 10, 10)
    """

    axes = 2


class ConvTranspose3d(_ConvTranspose):
    """Take volumes back through a convolution, which makes them larger where it has a stride.

    Args:
        in_channels: of the input, axis 1.
        out_channels: of the output.
        kernel_size: taps along each axis, one number or one for each.
        stride: step of the output for each step of the input.
        padding: elements that are left out at both ends of the output.
        output_padding: elements more at the end of the output.
        groups: of channels that see each other.
        bias: whether to add one.
        dilation: distance of the taps.
        padding_mode: "zeros" alone.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if an option does not fit.

    >>> from schuss import nn, ones
    >>> nn.ConvTranspose3d(3, 8, 2, stride=2)(ones((2, 3, 5, 5, 5))).shape
    (2, 8, 10, 10, 10)
    """

    axes = 3
