"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from schuss.core import Tensor, no_grad, tensor
from schuss.nn import functional, init
from schuss.nn.arguments import require_counts
from schuss.nn.module import Module, Parameter

__all__ = [
    "BatchNorm1d",
    "BatchNorm2d",
    "BatchNorm3d",
    "FeatureNorm",
    "GroupNorm",
    "LayerNorm",
    "RMSNorm",
]


def _lengths(owner: str, shape: int | Sequence[int]) -> tuple[int, ...]:
    lengths = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if not lengths:
        raise ValueError(f"{owner}: expected normalized_shape of one length or more, got {shape}.")
    for length in lengths:
        require_counts(owner, normalized_shape=length)
    return tuple(int(length) for length in lengths)


class _Affine(Module):
    """What all normalisations end with: a learned weight and bias, where they are wanted."""

    weight: Parameter | None
    bias: Parameter | None = None

    def reset_parameters(self) -> None:
        """Set the weight to ones and the bias to zeros."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)


class LayerNorm(_Affine):
    """Normalise each row: y = (x - mean) / sqrt(variance + eps) * weight + bias.

    Mean and biased variance are taken over the last axes, each row for itself. Ba, Kiros and
    Hinton, 2016, arXiv 1607.06450.

    Args:
        normalized_shape: lengths of the last axes, or the length of the last one.
        eps: added to the variance.
        elementwise_affine: whether to learn a weight (starts at 1) and a bias (starts at 0).
        bias: whether there is a bias besides the weight.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if a length is below 1.

    >>> from schuss import nn, tensor
    >>> [[round(v, 2) for v in row] for row in nn.LayerNorm(2)(tensor([[1.0, 3.0]])).tolist()]
    [[-1.0, 1.0]]
    """

    _shown = "{0.normalized_shape}, eps={0.eps}, elementwise_affine={0.elementwise_affine}"

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _lengths("LayerNorm", normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        affine = elementwise_affine
        self.weight = Parameter(init.empty(self.normalized_shape, dtype)) if affine else None
        self.bias = Parameter(init.empty(self.normalized_shape, dtype)) if affine and bias else None
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (..., *normalized_shape) normalised."""
        return functional.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)


class GroupNorm(_Affine):
    """Normalise groups of channels of each row: y = (x - mean) / sqrt(variance + eps) * w + b.

    Wu and He, 2018, arXiv 1803.08494.

    Args:
        num_groups: how many groups of neighbouring channels there are.
        num_channels: length of axis 1, a multiple of that.
        eps: added to the variance.
        affine: whether to learn a weight (starts at 1) and a bias (starts at 0) for each channel.
        bias: whether there is a bias besides the weight.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if the channels are not a multiple of the groups.

    >>> from schuss import nn, tensor
    >>> [[round(v, 2) for v in r] for r in nn.GroupNorm(1, 2)(tensor([[1.0, 3.0]])).tolist()]
    [[-1.0, 1.0]]
    """

    _shown = "{0.num_groups}, {0.num_channels}, eps={0.eps}, affine={0.affine}"

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        require_counts("GroupNorm", num_groups=num_groups, num_channels=num_channels)
        if num_channels % num_groups:
            raise ValueError(
                f"GroupNorm: expected num_channels to be a multiple of {num_groups}, got "
                f"{num_channels}."
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self.weight = Parameter(init.empty((num_channels,), dtype)) if affine else None
        self.bias = Parameter(init.empty((num_channels,), dtype)) if affine and bias else None
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, ...) normalised."""
        return functional.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)


class RMSNorm(_Affine):
    """Scale each row to root mean square 1: y = x / sqrt(mean(x^2) + eps) * weight.

    Zhang and Sennrich, 2019, arXiv 1910.07467.

    Args:
        normalized_shape: lengths of the last axes, or the length of the last one.
        eps: added to the mean square; the dtype's machine epsilon where None.
        elementwise_affine: whether to learn a weight (starts at 1).
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if a length is below 1.

    >>> from schuss import nn, tensor
    >>> [[round(v, 2) for v in row] for row in nn.RMSNorm(2)(tensor([[3.0, 3.0]])).tolist()]
    [[1.0, 1.0]]
    """

    _shown = "{0.normalized_shape}, eps={0.eps}, elementwise_affine={0.elementwise_affine}"
    weight: Parameter | None

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        *,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _lengths("RMSNorm", normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self.weight = (
            Parameter(init.empty(self.normalized_shape, dtype)) if elementwise_affine else None
        )
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (..., *normalized_shape) scaled."""
        return functional.rms_norm(input, self.normalized_shape, self.weight, self.eps)


class FeatureNorm(_Affine):
    """What normalisations of each channel with running figures have in common."""

    ranks: ClassVar[tuple[int, ...]]
    names: ClassVar[str]
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__()
        require_counts(type(self).__name__, num_features=num_features)
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        shape = (num_features,)
        self.weight = Parameter(init.empty(shape, dtype)) if affine else None
        self.bias = Parameter(init.empty(shape, dtype)) if affine and bias else None
        tracked = track_running_stats
        count = tensor(np.zeros((), np.int64))
        self.register_buffer("running_mean", init.empty(shape, dtype) if tracked else None)
        self.register_buffer("running_var", init.empty(shape, dtype) if tracked else None)
        self.register_buffer("num_batches_tracked", count if tracked else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to ones, the bias to zeros, and forget the running figures."""
        self.reset_running_stats()
        super().reset_parameters()

    def reset_running_stats(self) -> None:
        """Set the running mean to 0 and the running variance to 1."""
        if self.running_mean is not None:
            init.zeros_(self.running_mean)
        if self.running_var is not None:
            init.ones_(self.running_var)
        if self.num_batches_tracked is not None:
            init.zeros_(self.num_batches_tracked)

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, ...) normalised."""
        if input.ndim not in self.ranks or input.shape[1] != self.num_features:
            shapes = self.names.format(self.num_features)
            raise ValueError(
                f"{type(self).__name__}: expected x of shape {shapes}, got {input.shape}; axis 1 "
                "holds the channels."
            )
        tracking = self.training and self.num_batches_tracked is not None
        momentum: float | Tensor = 0.0 if self.momentum is None else self.momentum
        if tracking and self.num_batches_tracked is not None:
            with no_grad():
                self.num_batches_tracked.assign(self.num_batches_tracked + 1)
                if self.momentum is None:
                    momentum = 1.0 / self.num_batches_tracked.astype(input.array.dtype)
        return functional.batch_norm(
            input,
            self.running_mean if tracking or not self.training else None,
            self.running_var if tracking or not self.training else None,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            momentum,
            self.eps,
        )

    def extra_repr(self) -> str:
        """Return the options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(FeatureNorm):
    """What the batch normalisations are."""


class BatchNorm1d(_BatchNorm):
    """Normalise each channel of rows, sequences: (x - mean) / sqrt(variance + eps) * weight + bias.

    While training, mean and biased variance are the batch's; in evaluation they are the running
    figures, which training moves by running = (1 - momentum) * running + momentum * batch (with
    the unbiased variance). Ioffe and Szegedy, 2015, arXiv 1502.03167.

    Args:
        num_features: number of channels, the length of axis 1.
        eps: added to the variance.
        momentum: share of the newest batch in the running figures, in [0, 1]; None keeps the
            plain mean over all batches.
        affine: whether to learn a weight (starts at 1) and a bias (starts at 0).
        track_running_stats: False to use the batch's own figures in evaluation, too.
        bias: whether there is a bias besides the weight.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if num_features is below 1.

    >>> from schuss import nn, tensor
    >>> layer = nn.BatchNorm1d(1)
    >>> [round(v, 2) for [v] in layer(tensor([[1.0], [3.0]])).tolist()]
    [-1.0, 1.0]
    >>> round(layer.running_mean.item(), 4)
    0.2
    """

    ranks = (2, 3)
    names = "(batch, {0}) or (batch, {0}, length)"


class BatchNorm2d(_BatchNorm):
    """Normalise each channel of pictures: (x - mean) / sqrt(variance + eps) * weight + bias.

    While training, mean and biased variance are the batch's; in evaluation they are the running
    figures, which training moves by running = (1 - momentum) * running + momentum * batch (with
    the unbiased variance). Ioffe and Szegedy, 2015, arXiv 1502.03167.

    Args:
        num_features: number of channels, the length of axis 1.
        eps: added to the variance.
        momentum: share of the newest batch in the running figures, in [0, 1]; None keeps the
            plain mean over all batches.
        affine: whether to learn a weight (starts at 1) and a bias (starts at 0).
        track_running_stats: False to use the batch's own figures in evaluation, too.
        bias: whether there is a bias besides the weight.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if num_features is below 1.

    >>> from schuss import nn, ones
    >>> nn.BatchNorm2d(3)(ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    ranks = (4,)
    names = "(batch, {0}, height, width)"


class BatchNorm3d(_BatchNorm):
    """Normalise each channel of volumes: (x - mean) / sqrt(variance + eps) * weight + bias.

    While training, mean and biased variance are the batch's; in evaluation they are the running
    figures, which training moves by running = (1 - momentum) * running + momentum * batch (with
    the unbiased variance). Ioffe and Szegedy, 2015, arXiv 1502.03167.

    Args:
        num_features: number of channels, the length of axis 1.
        eps: added to the variance.
        momentum: share of the newest batch in the running figures, in [0, 1]; None keeps the
            plain mean over all batches.
        affine: whether to learn a weight (starts at 1) and a bias (starts at 0).
        track_running_stats: False to use the batch's own figures in evaluation, too.
        bias: whether there is a bias besides the weight.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if num_features is below 1.

    >>> from schuss import nn, ones
    >>> nn.BatchNorm3d(3)(ones((2, 3, 4, 4, 4))).shape
    (2, 3, 4, 4, 4)
    """

    ranks = (5,)
    names = "(batch, {0}, depth, height, width)"
