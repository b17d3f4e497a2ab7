"""Losses of classifiers: cross-entropy, likelihood, and their binary forms."""

from __future__ import annotations

import math

from schuss import functions as ops
from schuss.core import Tensor
from schuss.functions.activations import softplus_parts
from schuss.functions.losses import binary_loss, class_loss, likelihood_loss, picked
from schuss.nn.functional._checks import (
    check_pair,
    reduced,
    require_floating,
    require_indices,
    require_probabilities,
    require_reduction,
    require_same_dtype,
    require_same_shape,
    require_tensors,
)
from schuss.primitives.indexing import look_up


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """Return the cross-entropy of logits against classes, or against probabilities.

    With p = log_softmax(x): loss = -weight[y] * p[y], or -sum(weight * y * p). Smoothing by s
    takes (1 - s) of the target and spreads s evenly over the classes. "mean" divides by the sum
    of the weights of the classes met (for probabilities, by the number of rows).

    Args:
        input: float logits of shape (batch, classes, ...), or (classes,).
        target: classes, int64 or int32 of shape (batch, ...) or (), in [0, classes); or
            probabilities, of the input's shape and dtype.
        weight: one factor a class, of shape (classes,), or None.
        ignore_index: rows with this class count nothing.
        reduction: "mean", "sum" or "none".
        label_smoothing: in [0, 1].

    Raises:
        ValueError: on shapes that do not fit, or options out of range.
        TypeError: on other dtypes.
        IndexError: on a class out of range.

    >>> import schuss as ss
    >>> logits = ss.tensor([[0.0, 0.0], [1000.0, 0.0]])
    >>> round(cross_entropy(logits, ss.tensor([0, 0])).item(), 4)
    0.3466
    """
    owner = "cross_entropy"
    if not (isinstance(input, Tensor) and isinstance(target, Tensor)):
        require_tensors(owner, input=input, target=target)
    if input.array.dtype.kind != "f":
        require_floating(owner, "input", input)
    require_reduction(owner, reduction)
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"{owner}: expected label_smoothing from 0 to 1, got {label_smoothing}.")
    axis = _class_axis(owner, input)
    if weight is not None:
        _check_class_weight(owner, input, axis, weight)
    if target.array.dtype.kind == "f":
        require_same_shape(owner, input, target)
        log_probability = ops.log_softmax(input, axis)
        return _soft_cross_entropy(
            log_probability, target, axis, weight, reduction, label_smoothing
        )
    ignoring = _check_classes(owner, input, axis, target, ignore_index)
    if weight is None and not ignoring and not label_smoothing:
        averaged = reduction == "mean" and target.array.size > 0
        loss = class_loss(input, target, axis=axis, averaged=averaged)
        return loss if averaged else _class_reduced(loss, None, reduction)
    kept = (target != ignore_index) if ignoring else None
    classes = ops.where(kept, target, 0) if kept is not None else target
    spread = None
    if label_smoothing:
        loss, spread = _smoothed(input, classes, axis, weight)
    else:
        loss = class_loss(input, classes, axis=axis, averaged=False)
    factor = None if weight is None else look_up(weight, classes)
    if kept is not None:
        kept = kept.astype(input.array.dtype)
        factor = kept if factor is None else factor * kept
    if factor is not None:
        loss = loss * factor
    if spread is not None:
        if kept is not None:
            spread = spread * kept
        loss = loss * (1.0 - label_smoothing) + spread * label_smoothing
    return _class_reduced(loss, factor, reduction)


def _smoothed(
    x: Tensor, classes: Tensor, axis: int, weight: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return the loss of each class, and -mean(weight * log-probabilities) over all classes."""
    shifted = x - ops.max(x.detach(), axis=axis, keepdims=True)
    log_sum = ops.log(ops.exp(shifted).sum(axis=axis))
    loss = log_sum - picked(shifted, classes, axis)
    if weight is None:
        return loss, log_sum - ops.mean(shifted, axis=axis)
    log_probability = shifted - ops.expand_dims(log_sum, axis=axis)
    return loss, -ops.mean(log_probability * _along(weight, axis, x.ndim), axis=axis)


def _soft_cross_entropy(
    log_probability: Tensor,
    target: Tensor,
    axis: int,
    weight: Tensor | None,
    reduction: str,
    label_smoothing: float,
) -> Tensor:
    if label_smoothing:
        classes = log_probability.shape[axis]
        target = target * (1.0 - label_smoothing) + label_smoothing / classes
    if weight is not None:
        target = target * _along(weight, axis, target.ndim)
    return reduced("cross_entropy", -(target * log_probability).sum(axis=axis), reduction)


def _class_reduced(loss: Tensor, factor: Tensor | None, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    if reduction == "mean" and factor is None:
        return ops.mean(loss)
    total = ops.sum(loss)
    if reduction == "sum" or factor is None:
        return total
    # Where every row is ignored the mean is 0 / 0, but no row has an error.
    count = ops.sum(factor)
    none = count == 0.0
    return ops.where(none, math.nan, total / ops.where(none, 1.0, count))


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Return the negative log-likelihood, -weight[y] * input[y].

    Args:
        input: log-probabilities of shape (batch, classes, ...), or (classes,).
        target: classes, int64 or int32 of shape (batch, ...) or (), in [0, classes).
        weight: one factor a class, of shape (classes,), or None.
        ignore_index: rows with this class count nothing.
        reduction: "mean" (divides by the sum of the weights of the classes met), "sum", "none".

    Raises:
        ValueError: on shapes that do not fit, or an unknown reduction.
        TypeError: on other dtypes.
        IndexError: on a class out of range.

    >>> import schuss as ss
    >>> nll_loss(ss.tensor([[-1.0, -2.0], [-3.0, -4.0]]), ss.tensor([0, 1])).item()
    2.5
    """
    owner = "nll_loss"
    if not (isinstance(input, Tensor) and isinstance(target, Tensor)):
        require_tensors(owner, input=input, target=target)
    if input.array.dtype.kind != "f":
        require_floating(owner, "input", input)
    require_reduction(owner, reduction)
    axis = _class_axis(owner, input)
    if weight is not None:
        _check_class_weight(owner, input, axis, weight)
    ignoring = _check_classes(owner, input, axis, target, ignore_index)
    if weight is None and not ignoring:
        averaged = reduction == "mean" and target.array.size > 0
        loss = likelihood_loss(input, target, axis=axis, averaged=averaged)
        return loss if averaged else _class_reduced(loss, None, reduction)
    kept = (target != ignore_index) if ignoring else None
    classes = ops.where(kept, target, 0) if kept is not None else target
    loss = likelihood_loss(input, classes, axis=axis, averaged=False)
    factor = None if weight is None else look_up(weight, classes)
    if kept is not None:
        kept = kept.astype(input.array.dtype)
        factor = kept if factor is None else factor * kept
    return _class_reduced(loss if factor is None else loss * factor, factor, reduction)


def _class_axis(owner: str, x: Tensor) -> int:
    ndim = x.array.ndim
    if ndim == 0:
        raise ValueError(
            f"{owner}: expected input of shape (batch, classes, ...), got (); "
            "give one number a class."
        )
    return 0 if ndim == 1 else 1


def _along(weight: Tensor, axis: int, ndim: int) -> Tensor:
    return ops.reshape(weight, (-1,) + (1,) * (ndim - axis - 1))


def _check_class_weight(owner: str, x: Tensor, axis: int, weight: Tensor) -> None:
    require_same_dtype(owner, "input", x, weight)
    if weight.shape != (x.shape[axis],):
        raise ValueError(
            f"{owner}: expected weight of shape ({x.shape[axis]},), got {weight.shape}; "
            "give one factor a class."
        )


def _check_classes(owner: str, x: Tensor, axis: int, target: Tensor, ignore_index: int) -> bool:
    shape = x.array.shape
    wanted = shape[:axis] + shape[axis + 1 :]
    if target.array.shape != wanted:
        way_out = "give one class a row"
        if target.shape == x.shape:
            way_out = "make one-hot rows floats, or give their argmax along axis 1"
        elif target.size == math.prod(wanted):
            way_out = f"use target.reshape({', '.join(map(str, wanted))})"
        raise ValueError(
            f"{owner}: expected target of shape {wanted} for input of shape {x.shape}, "
            f"got {target.shape}; {way_out}."
        )
    return require_indices(owner, "target", target, shape[axis], ignored=ignore_index)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """Return -(pos_weight * y * log(s) + (1 - y) * log(1 - s)) with s = sigmoid(input).

    Computed from log1p(exp(-|x|)), which neither overflows nor cancels for any x.

    Args:
        input: float logits of any shape.
        target: the same shape and dtype, values from 0 to 1.
        weight: a factor for each element, broadcastable to the input, or None.
        reduction: "mean", "sum" or "none".
        pos_weight: a factor for the positive part, broadcastable to the input, or None.

    Raises:
        ValueError: on another shape, or an unknown reduction.
        TypeError: on other dtypes.

    >>> import schuss as ss
    >>> x, y = ss.tensor([-1000.0, 1000.0, 0.0]), ss.tensor([0.0, 0.0, 1.0])
    >>> binary_cross_entropy_with_logits(x, y, reduction="none").tolist()
    [0.0, 1000.0, 0.6931471824645996]
    """
    owner = "binary_cross_entropy_with_logits"
    target = check_pair(owner, input, target)
    if pos_weight is None:
        loss = binary_loss(input, target)
    else:
        negative, positive, tail = softplus_parts(input)
        loss = pos_weight * target * (tail - negative) + (1.0 - target) * (positive + tail)
    return reduced(owner, loss if weight is None else loss * weight, reduction)


def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """Return -(y * log(p) + (1 - y) * log(1 - p)), with logarithms limited to -100.

    Args:
        input: probabilities from 0 to 1, of any shape.
        target: the same shape and dtype, values from 0 to 1.
        weight: a factor for each element, broadcastable to the input, or None.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on another shape, a probability outside of [0, 1], an unknown reduction.
        TypeError: on other dtypes.

    >>> import schuss as ss
    >>> p, y = ss.tensor([0.5, 0.0]), ss.tensor([1.0, 1.0])
    >>> binary_cross_entropy(p, y, reduction="none").tolist()
    [0.6931471824645996, 100.0]
    """
    owner = "binary_cross_entropy"
    target = check_pair(owner, input, target)
    require_probabilities(owner, input)
    loss = _cross_entropy_of_probabilities(input, target)
    return reduced(owner, loss if weight is None else loss * weight, reduction)


# What divides the derivative is at least this, as in PyTorch.
_LEAST_VARIANCE = 1e-12


def _cross_entropy_of_probabilities(p: Tensor, target: Tensor) -> Tensor:
    """Return the losses, with the derivative (p - target) / max(p (1 - p), 1e-12) to p."""
    known = p.detach()
    limited = p * (1.0 - p) < _LEAST_VARIANCE
    inner = ops.where(limited, 0.5, p)
    yes = ops.where(limited, ops.maximum(ops.log(known), -100.0), ops.log(inner))
    no = ops.where(limited, ops.maximum(ops.log(1.0 - known), -100.0), ops.log(1.0 - inner))
    # A straight line through the point, whose offset is 0.
    line = (p - known) * ((known - target.detach()) / _LEAST_VARIANCE)
    return ops.where(limited, line, 0.0) - (target * yes + (1.0 - target) * no)
