"""Instance normalisation."""

from __future__ import annotations

import numpy.typing as npt

from schuss import functions as ops
from schuss.core import Tensor
from schuss.nn import functional
from schuss.nn.normalization import FeatureNorm

__all__ = ["InstanceNorm1d", "InstanceNorm2d", "InstanceNorm3d"]


class _InstanceNorm(FeatureNorm):
    """What the instance normalisations have in common."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        bias: bool = True,
        dtype: npt.DTypeLike | None = None,
    ) -> None:
        super().__init__(
            num_features, eps, momentum, affine, track_running_stats, bias=bias, dtype=dtype
        )

    def forward(self, input: Tensor) -> Tensor:
        """Return x of shape (batch, channels, *spatial), or without batch, normalised."""
        (rank,) = self.ranks
        has_batch = input.ndim == rank
        if input.ndim not in (rank, rank - 1) or input.shape[1 - rank] != self.num_features:
            raise ValueError(
                f"{type(self).__name__}: expected x of shape "
                f"{self.names.format(self.num_features)}, with or without batch, got {input.shape}."
            )
        found = functional.instance_norm(
            input if has_batch else ops.expand_dims(input, axis=0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return found if has_batch else ops.squeeze(found, axis=0)


class InstanceNorm1d(_InstanceNorm):
    """Normalise each channel of each of the sequences alone: (x - mean) / sqrt(variance + eps).

    Ulyanov et al., 2016, arXiv 1607.08022.

    Args:
        num_features: number of channels, the length of axis 1.
        eps: added to the variance.
        momentum: share of the newest batch in the running figures, in [0, 1].
        affine: whether to learn a weight (starts at 1) and a bias (starts at 0) for each channel.
        track_running_stats: whether to keep running figures, and use them in evaluation.
        bias: whether there is a bias besides the weight.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if num_features is below 1.

    >>> from schuss import nn, ones
    >>> nn.InstanceNorm1d(3)(ones((2, 3, 4))).shape
    (2, 3, 4)
    """

    ranks = (3,)
    names = "(batch, {0}, length)"


class InstanceNorm2d(_InstanceNorm):
    """Normalise each channel of each of the pictures alone: (x - mean) / sqrt(variance + eps).

    Ulyanov et al., 2016, arXiv 1607.08022.

    Args:
        num_features: number of channels, the length of axis 1.
        eps: added to the variance.
        momentum: share of the newest batch in the running figures, in [0, 1].
        affine: whether to learn a weight (starts at 1) and a bias (starts at 0) for each channel.
        track_running_stats: whether to keep running figures, and use them in evaluation.
        bias: whether there is a bias besides the weight.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if num_features is below 1.

    >>> from schuss import nn, ones
    >>> nn.InstanceNorm2d(3)(ones((2, 3, 4, 4))).shape
    (2, 3, 4, 4)
    """

    ranks = (4,)
    names = "(batch, {0}, height, width)"


class InstanceNorm3d(_InstanceNorm):
    """Normalise each channel of each of the volumes alone: (x - mean) / sqrt(variance + eps).

    Ulyanov et al., 2016, arXiv 1607.08022.

    Args:
        num_features: number of channels, the length of axis 1.
        eps: added to the variance.
        momentum: share of the newest batch in the running figures, in [0, 1].
        affine: whether to learn a weight (starts at 1) and a bias (starts at 0) for each channel.
        track_running_stats: whether to keep running figures, and use them in evaluation.
        bias: whether there is a bias besides the weight.
        dtype: float32 (default) or float64.

    Raises:
        ValueError: if num_features is below 1.

    >>> from schuss import nn, ones
    >>> nn.InstanceNorm3d(3)(ones((2, 3, 4, 4, 4))).shape
    (2, 3, 4, 4, 4)
    """

    ranks = (5,)
    names = "(batch, {0}, depth, height, width)"
