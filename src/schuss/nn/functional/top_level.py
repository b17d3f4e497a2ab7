"""Functions of layers as PyTorch has them at its top: other orders of arguments, and flags."""

from __future__ import annotations

from collections.abc import Sequence

from schuss.core import Tensor
from schuss.nn.functional import feature_dropout as _channels
from schuss.nn.functional import grids as _grids
from schuss.nn.functional import groups as _groups
from schuss.nn.functional import layers as _layers
from schuss.nn.functional.adaptive_pooling import adaptive_max_pool1d as _adaptive_max_pool1d
from schuss.nn.functional.pooling import Lengths
from schuss.nn.functional.pooling import max_pool1d as _max_pool1d

__all__ = ["adaptive_max_pool1d", "affine_grid_generator", "alpha_dropout", "batch_norm"]
__all__ += ["dropout", "feature_alpha_dropout", "feature_dropout", "grid_sampler", "group_norm"]
__all__ += ["instance_norm", "layer_norm", "max_pool1d_with_indices"]


def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """Return what `nn.functional.batch_norm` does; `cudnn_enabled` has no effect."""
    return _layers.batch_norm(
        input, running_mean, running_var, weight, bias, training, momentum, eps
    )


def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """Return what `nn.functional.instance_norm` does; `cudnn_enabled` has no effect."""
    return _groups.instance_norm(
        input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps
    )


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Return what `nn.functional.group_norm` does; `cudnn_enabled` has no effect."""
    return _groups.group_norm(input, num_groups, weight, bias, eps)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """Return what `nn.functional.layer_norm` does; `cudnn_enable` has no effect."""
    return _layers.layer_norm(input, normalized_shape, weight, bias, eps)


def adaptive_max_pool1d(input: Tensor, output_size: int | Sequence[int]) -> tuple[Tensor, Tensor]:
    """Return the largest elements of so many windows, and their positions."""
    largest, places = _adaptive_max_pool1d(input, output_size, return_indices=True)
    return largest, places


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Lengths,
    stride: Lengths | None = None,
    padding: Lengths = 0,
    dilation: Lengths = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the largest element of each window, and its position."""
    largest, places = _max_pool1d(
        input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
    )
    return largest, places


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return what `nn.functional.dropout` does."""
    return _layers.dropout(input, p, train)


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return what `nn.functional.alpha_dropout` does."""
    return _channels.alpha_dropout(input, p, train)


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return the input with each channel, along axis 1, zeroed with probability p."""
    return _channels.dropout2d(input, p, train)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return what `nn.functional.feature_alpha_dropout` does."""
    return _channels.feature_alpha_dropout(input, p, train)


def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """Return what `nn.functional.affine_grid` does."""
    return _grids.affine_grid(theta, size, align_corners)


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Return what `nn.functional.grid_sample` does.

    Args:
        input: pictures or volumes.
        grid: where to read them.
        interpolation_mode: 0 for "bilinear", 1 for "nearest", 2 for "bicubic".
        padding_mode: 0 for "zeros", 1 for "border", 2 for "reflection".
        align_corners: whether -1 and 1 are the centres of the corners.

    Raises:
        ValueError: if shapes or options do not fit.
    """
    if interpolation_mode not in (0, 1, 2) or padding_mode not in (0, 1, 2):
        raise ValueError(
            "grid_sampler: expected interpolation_mode and padding_mode from 0 to 2, got "
            f"{interpolation_mode} and {padding_mode}."
        )
    mode = ("bilinear", "nearest", "bicubic")[interpolation_mode]
    around = ("zeros", "border", "reflection")[padding_mode]
    return _grids.grid_sample(input, grid, mode, around, align_corners)
