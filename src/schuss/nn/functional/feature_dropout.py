"""Dropout of whole channels, and of a kind that keeps mean and variance."""

from __future__ import annotations

import math

from schuss import functions as ops
from schuss import random
from schuss.core import Tensor
from schuss.functions.inplace import changing_in_place
from schuss.nn.functional._checks import require_floating, require_tensors

__all__ = ["alpha_dropout", "dropout1d", "dropout2d", "dropout3d", "feature_alpha_dropout"]

# What SELU goes to at minus infinity.
_LOWEST = -1.7580993408473766


def _kept(owner: str, x: Tensor, p: float, *, channels: bool) -> Tensor:
    """Return 1 for elements, or channels, that stay and 0 for others."""
    require_floating(owner, "input", x)
    shape: tuple[int, ...] = x.shape
    if channels:
        if x.ndim < 2:
            raise ValueError(
                f"{owner}: expected input of shape (batch, channels, ...), got {x.shape}."
            )
        shape = (*x.shape[:2], *[1] * (x.ndim - 2))
    return ops.astype(random.bernoulli(1.0 - p, shape), x.array.dtype)


def _require(owner: str, x: Tensor, p: float) -> None:
    require_tensors(owner, input=x)
    if not 0.0 <= p <= 1.0:
        raise ValueError(f"{owner}: expected p from 0 to 1, got {p}.")


def _drop_channels(owner: str, axes: int, x: Tensor, p: float, training: bool) -> Tensor:
    _require(owner, x, p)
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return x * 0.0
    if x.ndim == axes + 1:
        return ops.squeeze(_drop_channels(owner, axes, ops.expand_dims(x, axis=0), p, True), axis=0)
    return x * (_kept(owner, x, p, channels=True) * (1.0 / (1.0 - p)))


@changing_in_place
def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Return sequences with each channel zeroed with probability p, the others over 1 - p.

    Args:
        input: floats of shape (batch, channels, length), or without batch.
        p: probability of zeroing, in [0, 1].
        training: whether to drop at all.
        inplace: whether the input becomes the result, too.

    Raises:
        ValueError: if p is outside of [0, 1].
    """
    return _drop_channels("dropout1d", 1, input, p, training)


@changing_in_place
def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Return pictures with each channel zeroed with probability p, the others over 1 - p.

    Args:
        input: floats of shape (batch, channels, height, width); axis 1 holds the channels always.
        p: probability of zeroing, in [0, 1].
        training: whether to drop at all.
        inplace: whether the input becomes the result, too.

    Raises:
        ValueError: if p is outside of [0, 1].
    """
    # Without batch nothing is added in front, as in PyTorch.
    return _drop_channels("dropout2d", 0, input, p, training)


@changing_in_place
def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """Return volumes with each channel zeroed with probability p, the others over 1 - p.

    Args:
        input: floats of shape (batch, channels, depth, height, width), or without batch.
        p: probability of zeroing, in [0, 1].
        training: whether to drop at all.
        inplace: whether the input becomes the result, too.

    Raises:
        ValueError: if p is outside of [0, 1].
    """
    return _drop_channels("dropout3d", 3, input, p, training)


def _alpha(owner: str, x: Tensor, p: float, training: bool, *, channels: bool) -> Tensor:
    _require(owner, x, p)
    if not training or p == 0.0:
        return x
    if p == 1.0:
        return x * 0.0
    kept = _kept(owner, x, p, channels=channels)
    scale = 1.0 / math.sqrt((1.0 + p * _LOWEST**2) * (1.0 - p))
    return x * (kept * scale) + ((1.0 - kept) * _LOWEST - p * _LOWEST) * scale


@changing_in_place
def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Return the input with elements set to SELU's lowest value, mean and variance kept.

    Klambauer et al., 2017, arXiv 1706.02515: a (x kept + lowest (1 - kept)) + b.

    Args:
        input: floats of any shape.
        p: probability of setting an element, in [0, 1].
        training: whether to drop at all.
        inplace: whether the input becomes the result, too.

    Raises:
        ValueError: if p is outside of [0, 1].
    """
    return _alpha("alpha_dropout", input, p, training, channels=False)


@changing_in_place
def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Return the input with channels set to SELU's lowest value, mean and variance kept.

    Args:
        input: floats of shape (batch, channels, ...).
        p: probability of setting a channel, in [0, 1].
        training: whether to drop at all.
        inplace: whether the input becomes the result, too.

    Raises:
        ValueError: if p is outside of [0, 1].
    """
    return _alpha("feature_alpha_dropout", input, p, training, channels=True)
