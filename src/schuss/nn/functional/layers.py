"""What the layers with weights compute: linear maps, normalisation and dropout."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from schuss import functions as ops
from schuss import random
from schuss.core import TRACER, Tensor, leaf, no_grad
from schuss.functions.inplace import changing_in_place
from schuss.functions.normalization import deviations, inverse_root, standardize, standardize_affine
from schuss.modes import AUTOCAST
from schuss.nn.functional._checks import require_floating, require_same_dtype, require_tensors
from schuss.primitives import contraction
from schuss.primitives.bfloat16 import as_autocast
from schuss.primitives.contraction import exact_matmul
from schuss.values.numbers import number

if TYPE_CHECKING:
    from collections.abc import Sequence


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x @ weight.T + bias.

    Args:
        input: float tensor of shape (..., in_features).
        weight: tensor of shape (out_features, in_features).
        bias: tensor of shape (out_features,), or None.

    Returns:
        A tensor of shape (..., out_features).

    Raises:
        ValueError: if the last axis is not in_features long.
        TypeError: if the dtype is not the weight's.

    >>> import schuss as ss
    >>> linear(ss.tensor([[1.0, 2.0]]), ss.tensor([[3.0, 4.0]]), ss.tensor([0.5])).tolist()
    [[11.5]]
    """
    if not isinstance(input, Tensor):
        require_tensors("Linear", x=input)
    array, factors = input.array, weight.array
    features = factors.shape[-1]
    if array.ndim == 0 or array.shape[-1] != features:
        _refuse_features(array.shape, features)
    if array.dtype is not factors.dtype:
        require_same_dtype("Linear", "x", input, weight)
    if (
        bias is not None
        and array.ndim == factors.ndim == 2
        and array.dtype.kind == "f"
        and bias.array.dtype is array.dtype
        and bias.array.shape == factors.shape[:1]
        and not AUTOCAST.get()
    ):
        return contraction.linear(input, weight, bias)
    if bias is None or not AUTOCAST.get():
        result = ops.matmul(input, ops.matrix_transpose(weight))
        return result if bias is None else result + bias
    input, weight, bias = map(as_autocast, (input, weight, bias))
    return as_autocast(exact_matmul(input, ops.matrix_transpose(weight)) + bias)


def _refuse_features(shape: tuple[int, ...], features: int) -> None:
    way_out = f"the last axis must hold {features} features"
    if len(shape) > 2 and int(np.prod(shape[1:])) == features:
        way_out = "flatten it first"
    elif len(shape) > 1 and shape[-2] == features:
        way_out = "the last two axes look exchanged, transpose it"
    elif features == 1:
        way_out = "add an axis of length 1 with x.unsqueeze(-1)"
    raise ValueError(f"Linear: expected x of shape (..., {features}), got {shape}; {way_out}.")


def layer_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias over the last axes.

    Ba, Kiros and Hinton, 2016, arXiv 1607.06450. The variance is the biased one.

    Args:
        input: float tensor of shape (..., *normalized_shape).
        normalized_shape: lengths of the last axes, over which mean and variance are taken.
        weight: tensor of that shape, or None.
        bias: tensor of that shape, or None.
        eps: added to the variance.

    Raises:
        ValueError: if the last axes have other lengths.
        TypeError: if the input is not a float tensor of the weight's dtype.

    >>> import schuss as ss
    >>> layer_norm(ss.tensor([[1.0, 3.0]]), 2, eps=0.0).tolist()
    [[-1.0, 1.0]]
    """
    axes = _last_axes("LayerNorm", input, normalized_shape, weight)
    if weight is not None and bias is not None and bias.array.dtype is weight.array.dtype:
        return standardize_affine(input, weight, bias, axes=axes, eps=eps)
    return _scaled(standardize(input, axes=axes, eps=eps), weight, bias)


def rms_norm(
    input: Tensor,
    normalized_shape: int | Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """Return x / sqrt(mean(x^2) + eps) * weight over the last axes.

    Zhang and Sennrich, 2019, arXiv 1910.07467.

    Args:
        input: float tensor of shape (..., *normalized_shape).
        normalized_shape: lengths of the last axes, over which the mean is taken.
        weight: tensor of that shape, or None.
        eps: added to the mean square; the dtype's machine epsilon where None.

    Raises:
        ValueError: if the last axes have other lengths.
        TypeError: if the input is not a float tensor of the weight's dtype.

    >>> import schuss as ss
    >>> rms_norm(ss.tensor([[3.0, 3.0]]), 2, eps=0.0).tolist()
    [[1.0, 1.0]]
    """
    axes = _last_axes("RMSNorm", input, normalized_shape, weight)
    if eps is None:
        eps = float(np.finfo(input.array.dtype).eps)
    mean_square = ops.mean(input * input, axes, keepdims=True)
    return _scaled(input / ops.sqrt(mean_square + eps), weight, None)


def _last_axes(
    owner: str, x: Tensor, normalized_shape: int | Sequence[int], weight: Tensor | None
) -> tuple[int, ...]:
    if not isinstance(x, Tensor):
        require_tensors(owner, x=x)
    wanted = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
    shape = x.array.shape
    first = len(shape) - len(wanted)
    if not wanted or first < 0 or shape[first:] != wanted:
        inner = ", ".join(map(str, wanted))
        raise ValueError(
            f"{owner}: expected x of shape (..., {inner}), got {x.shape}; "
            "the last axes must be those given as normalized_shape."
        )
    if weight is None:
        require_floating(owner, "x", x)
    elif x.array.dtype is not weight.array.dtype:
        require_same_dtype(owner, "x", x, weight)
    return tuple(range(first, len(shape)))


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    if weight is not None:
        x = x * weight
    return x if bias is None else x + bias


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float | Tensor = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return (x - mean) / sqrt(variance + eps) * weight + bias for each channel.

    Ioffe and Szegedy, 2015, arXiv 1502.03167. While training, mean and (biased) variance are
    the batch's, and the running figures move towards the batch's mean and unbiased variance:
    running = (1 - momentum) * running + momentum * batch.

    Args:
        input: float tensor of shape (batch, channels, ...).
        running_mean: tensor of shape (channels,), updated while training, or None.
        running_var: tensor of shape (channels,), updated while training, or None.
        weight: tensor of shape (channels,), or None.
        bias: tensor of shape (channels,), or None.
        training: whether to use the batch's own figures.
        momentum: share of the batch in the running figures, in [0, 1].
        eps: added to the variance.

    Raises:
        ValueError: on fewer than two axes or another number of channels; while training, on a
            single value a channel; otherwise, where a running figure is missing.
        TypeError: if the input is not a float tensor of the weight's dtype.

    >>> import schuss as ss
    >>> batch_norm(ss.tensor([[1.0], [3.0]]), None, None, training=True, eps=0.0).tolist()
    [[-1.0], [1.0]]
    """
    _check_batch(input, running_mean, running_var, weight, training)
    if training and not input.array.size:
        # There are no figures to take, nor to move towards.
        running_mean = running_var = None
    shape, dtype = input.array.shape, input.array.dtype
    axes: tuple[int, ...] = (0,)
    if len(shape) > 2:
        axes = (0, *range(2, len(shape)))
        weight = None if weight is None else _spread(weight, input)
        bias = None if bias is None else _spread(bias, input)
    if not training:
        assert running_mean is not None  # _check_batch made sure
        assert running_var is not None
        centred = input - _spread(running_mean, input)
        y = centred / ops.sqrt(_spread(running_var, input) + eps)
    elif (
        TRACER.get() is None
        and weight is not None
        and bias is not None
        and bias.array.dtype is dtype
    ):
        known = deviations(input.array, axes)
        mean, _, square = map(leaf, known)
        _move_figures(input, mean, square, running_mean, running_var, momentum)
        return standardize_affine(input, weight, bias, axes=axes, eps=eps, known=known)
    else:
        mean = ops.mean(input, axes, keepdims=True)
        centred = input - mean
        variance = ops.mean(centred * centred, axes, keepdims=True)
        _move_figures(input, mean, variance, running_mean, running_var, momentum)
        y = centred * inverse_root(variance + eps)
    return _scaled(y, weight, bias)


def _spread(figures: Tensor, x: Tensor) -> Tensor:
    """Return a figure for each channel so that it broadcasts against x."""
    after = x.ndim - 2
    return figures.reshape((1, x.shape[1]) + (1,) * after) if after else figures


def _move_figures(
    x: Tensor,
    mean: Tensor,
    variance: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    momentum: float | Tensor,
) -> None:
    """Move the running figures towards the batch's."""
    count = math.prod((x.shape[0], *x.shape[2:]))
    with no_grad():
        if running_mean is not None:
            _move(running_mean, mean.reshape(-1), momentum)
        if running_var is not None:
            _move(running_var, variance.reshape(-1) * (count / (count - 1)), momentum)


def _move(running: Tensor, batch: Tensor, momentum: float | Tensor) -> None:
    running.assign(running * (1.0 - momentum) + batch * momentum)


def _check_batch(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    training: bool,
) -> None:
    if not isinstance(x, Tensor):
        require_tensors("BatchNorm", x=x)
    known = weight
    if known is None:
        known = running_var if running_mean is None else running_mean
    channels = known.array.shape[0] if known is not None else "channels"
    shape = x.array.shape
    if len(shape) < 2 or (known is not None and shape[1] != channels):
        raise ValueError(
            f"BatchNorm: expected x of shape (batch, {channels}, ...), got {x.shape}; "
            "axis 1 holds the channels."
        )
    if known is None:
        require_floating("BatchNorm", "x", x)
    elif x.array.dtype is not known.array.dtype:
        require_same_dtype("BatchNorm", "x", x, known)
    if training and x.array.size == shape[1] > 0:
        raise ValueError(
            f"BatchNorm: expected more than 1 value per channel when training, got {x.shape}; "
            "use larger batches, or leave out a last batch of one row."
        )
    if not training and (running_mean is None or running_var is None):
        raise ValueError(
            "BatchNorm: expected running_mean and running_var when training=False, got None; "
            "use training=True to normalise with the batch's own figures."
        )


@changing_in_place
def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """Return the input with each element zeroed with probability p, the others over 1 - p.

    Srivastava et al., 2014. The draws come from `schuss.random`.

    Args:
        input: float tensor of any shape.
        p: probability of zeroing, in [0, 1].
        training: whether to drop at all.
        inplace: whether the input becomes the result, too.

    Raises:
        ValueError: if p is outside of [0, 1].

    >>> import schuss as ss
    >>> dropout(ss.ones((2,)), p=0.5, training=False).tolist()
    [1.0, 1.0]
    """
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"dropout: expected p from 0 to 1, got {p}.")
    if not training or p == 0.0:
        return input
    if input.array.dtype.kind != "f":
        require_floating("dropout", "input", input)
    if p == 1.0:
        return input * 0.0
    scale = 1.0 / (1.0 - p)
    if TRACER.get() is None:
        # The same, without a tensor for each step of it.
        array = input.array
        drawn = random.draw(array.shape)
        kept = np.less(drawn, number(1.0 - p, drawn.dtype))
        return input * leaf(np.asarray(kept * number(scale, array.dtype)))
    keep = random.bernoulli(1.0 - p, input.shape)
    return input * (ops.astype(keep, input.array.dtype) * scale)
