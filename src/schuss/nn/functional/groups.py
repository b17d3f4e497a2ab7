"""Normalisation over groups of channels, over each channel, and over neighbouring ones."""

from __future__ import annotations

from schuss import functions as ops
from schuss.core import Tensor, int64, no_grad
from schuss.functions.normalization import standardize
from schuss.nn.functional._checks import require_floating, require_tensors
from schuss.nn.functional.layers import batch_norm


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


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias, for each channel of each row.

    Ulyanov et al., 2016, arXiv 1607.08022. The running figures move towards the rows' mean ones.

    Args:
        input: float tensor of shape (batch, channels, ...).
        running_mean: tensor of shape (channels,), or None.
        running_var: tensor of shape (channels,), or None.
        weight: tensor of shape (channels,), or None.
        bias: tensor of shape (channels,), or None.
        use_input_stats: whether to use the rows' own figures, and not the running ones.
        momentum: share of the rows in the running figures, in [0, 1].
        eps: added to the variance.

    Raises:
        ValueError: if there are no positions, or a single one for the rows' own figures.
        TypeError: if the input is not a float tensor of the weight's dtype.

    >>> import schuss as ss
    >>> instance_norm(ss.tensor([[[1.0, 3.0]]]), eps=0.0).tolist()
    [[[-1.0, 1.0]]]
    """
    require_tensors("instance_norm", input=input)
    require_floating("instance_norm", "input", input)
    if input.ndim < 3 or (use_input_stats and input.size <= input.shape[0] * input.shape[1]):
        raise ValueError(
            "instance_norm: expected input of shape (batch, channels, ...) with more than one "
            f"position, got {input.shape}."
        )
    batch, channels = input.shape[:2]
    if not use_input_stats:
        return batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    axes = tuple(range(2, input.ndim))
    y = standardize(input, axes=axes, eps=eps)
    with no_grad():
        count = input.size // (batch * channels)
        if running_mean is not None:
            mean = ops.mean(ops.mean(input, axes), 0)
            running_mean.assign(running_mean * (1.0 - momentum) + mean * momentum)
        if running_var is not None:
            spread = ops.mean(ops.var(input, axes, correction=1.0 if count > 1 else 0.0), 0)
            running_var.assign(running_var * (1.0 - momentum) + spread * momentum)
    shape = (channels, *[1] * (input.ndim - 2))
    if weight is not None:
        y = y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """Return x / (k + alpha * mean of x^2 over neighbouring channels) ^ beta.

    Krizhevsky et al., 2012.

    Args:
        input: float tensor of shape (batch, channels, ...), of three axes or more.
        size: how many channels are neighbours; those beyond the ends count as 0.
        alpha: factor of the mean.
        beta: exponent.
        k: added.

    Raises:
        ValueError: if the input has fewer axes, or size is below 1.

    >>> import schuss as ss
    >>> local_response_norm(ss.ones((1, 2, 1)), 1, alpha=3.0, beta=0.5).tolist()
    [[[0.5], [0.5]]]
    """
    require_tensors("local_response_norm", input=input)
    if input.ndim < 3 or size < 1:
        raise ValueError(
            "local_response_norm: expected input of shape (batch, channels, ...) and size of at "
            f"least 1, got {input.shape} and {size}."
        )
    channels = input.shape[1]
    widths = [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (input.ndim - 2)]
    square = ops.pad(input * input, widths)
    total = square[:, :channels]
    for first in range(1, size):
        total = total + square[:, first : first + channels]
    if total.array.dtype == int64:
        # PyTorch's mean of integers is an integer.
        return input / (ops.astype(total / size, int64) * alpha + k) ** beta
    return input / (total * (alpha / size) + k) ** beta
