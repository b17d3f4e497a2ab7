"""Normalisation over groups of channels."""

from __future__ import annotations

from schuss.core import Tensor
from schuss.functions.normalization import standardize
from schuss.nn.functional._checks import require_floating


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias, for groups of channels of each row.

    Wu and He, 2018, arXiv 1803.08494. The variance is the biased one.

    Args:
        input: float tensor of shape (batch, channels, ...).
        num_groups: how many groups of neighbouring channels there are; divides the channels.
        weight: tensor of shape (channels,), or None.
        bias: tensor of shape (channels,), or None.
        eps: added to the variance.

    Raises:
        ValueError: if there are no channels, or not a multiple of the groups.
        TypeError: if the input is not a float tensor.

    >>> import schuss as ss
    >>> group_norm(ss.tensor([[1.0, 3.0]]), 1, eps=0.0).tolist()
    [[-1.0, 1.0]]
    """
    require_floating("group_norm", "input", input)
    if input.ndim < 2 or num_groups < 1 or input.shape[1] % num_groups:
        raise ValueError(
            "group_norm: expected input of shape (batch, channels, ...) with a multiple of "
            f"{num_groups} channels, got {input.shape}."
        )
    grouped = (input.shape[0], num_groups, input.shape[1] // num_groups, *input.shape[2:])
    axes = tuple(range(2, len(grouped)))
    y = standardize(input.reshape(grouped), axes=axes, eps=eps).reshape(input.shape)
    channels = (input.shape[1], *[1] * (input.ndim - 2))
    if weight is not None:
        y = y * weight.reshape(channels)
    return y if bias is None else y + bias.reshape(channels)
