"""Losses that ask for a margin: of one score, of the right class, of several right classes."""

from __future__ import annotations

from collections.abc import Callable

from schuss import functions as ops
from schuss.core import Tensor
from schuss.nn.functional._checks import (
    check_broadcast,
    check_pair,
    reduced,
    require_floating,
    require_indices,
    require_tensors,
)
from schuss.nn.functional.vectors import pairwise_distance


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, *, reduction: str = "mean"
) -> Tensor:
    """Return x where y is 1, and max(0, margin - x) where y is -1.

    Args:
        input: distances, a float tensor of any shape.
        target: 1 for what belongs together and -1 for the rest, broadcastable to the input.
        margin: the distance that the rest should have.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on shapes that do not go together, or an unknown reduction.

    >>> import schuss as ss
    >>> hinge_embedding_loss(ss.tensor([0.25, 0.25]), ss.tensor([1, -1]), reduction="none").tolist()
    [0.25, 0.75]
    """
    owner = "hinge_embedding_loss"
    (sign,) = check_broadcast(owner, input, target=target)
    apart = ops.where(sign != 1, ops.clip(margin - input, 0.0, None), 0.0)
    return reduced(owner, apart + ops.where(sign != -1, input, 0.0), reduction)


def soft_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Return log(1 + exp(-y * x)).

    Args:
        input: scores, a float tensor of any shape.
        target: 1 or -1, of the same shape.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on another shape, or an unknown reduction.

    >>> import schuss as ss
    >>> round(soft_margin_loss(ss.tensor([0.0]), ss.tensor([1])).item(), 4)
    0.6931
    """
    sign = check_pair("soft_margin_loss", input, target)
    return reduced("soft_margin_loss", ops.softplus(-sign * input), reduction)


def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
) -> Tensor:
    """Return the mean over the classes of max(0, margin - x[y] + x[i])^p, with 0 for the class y.

    Args:
        input: scores, float tensor of shape (batch, classes) or (classes,).
        target: classes, integers of shape (batch,) or ().
        p: 1 or 2.
        margin: by how much the right class has to be ahead.
        weight: a factor for each class y, of shape (classes,), or None.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on other shapes, another p, or an unknown reduction.
        TypeError: on classes that are no integers.
        IndexError: on a class out of range.

    >>> import schuss as ss
    >>> multi_margin_loss(ss.tensor([[0.5, 1.0]]), ss.tensor([1])).item()
    0.25
    """
    owner = "multi_margin_loss"
    require_tensors(owner, input=input, target=target)
    require_floating(owner, "input", input)
    if p not in (1, 2):
        raise ValueError(f"{owner}: expected p to be 1 or 2, got {p}.")
    if not input.ndim:
        input = ops.reshape(input, (1,))
    if input.ndim == 1 and target.shape == (1,):
        input = ops.reshape(input, (1, -1))
    if input.ndim not in (1, 2) or target.shape != input.shape[:-1]:
        raise ValueError(
            f"{owner}: expected input of shape (batch, classes) and target (batch,), got "
            f"{input.shape} and {target.shape}."
        )
    classes = input.shape[-1]
    require_indices(owner, "target", target, classes)
    right = ops.one_hot(target, classes)
    ahead = ops.sum(input * ops.astype(right, input.array.dtype), axis=-1, keepdims=True)
    short = ops.clip(margin - ahead + input, 0.0, None)
    loss = short * short if p == 2 else short
    if weight is not None:
        if weight.shape != (classes,):
            raise ValueError(f"{owner}: expected weight of shape ({classes},), got {weight.shape}.")
        loss = loss * ops.expand_dims(weight[target], -1)
    return reduced(owner, ops.sum(ops.where(right != 0, 0.0, loss), -1) / classes, reduction)


def multilabel_margin_loss(input: Tensor, target: Tensor, *, reduction: str = "mean") -> Tensor:
    """Return the sum of max(0, 1 - x[j] + x[i]) over right classes j and others i, over classes.

    Args:
        input: scores, float tensor of shape (batch, classes) or (classes,).
        target: integers of the same shape: the right classes of each row, and -1 behind them.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on other shapes, or an unknown reduction.
        TypeError: on classes that are no integers.
        IndexError: on a class out of range.

    >>> import schuss as ss
    >>> scores, right = ss.tensor([[0.1, 0.2, 0.4, 0.8]]), ss.tensor([[3, 0, -1, 1]])
    >>> round(multilabel_margin_loss(scores, right).item(), 4)
    0.85
    """
    owner = "multilabel_margin_loss"
    require_tensors(owner, input=input, target=target)
    require_floating(owner, "input", input)
    if not input.ndim and target.size == 1:
        input, target = ops.reshape(input, (1,)), ops.reshape(target, (1,))
    if input.ndim not in (1, 2) or target.shape != input.shape:
        raise ValueError(
            f"{owner}: expected input and target of shape (batch, classes), got {input.shape} "
            f"and {target.shape}."
        )
    classes = input.shape[-1]
    require_indices(owner, "target", target, classes, ignored=-1)
    # What stands behind the first -1 counts nothing.
    given = ops.astype(ops.cumulative_sum(ops.astype(target < 0, "int64"), axis=-1) == 0, "int64")
    chosen = ops.one_hot(ops.clip(target, 0, None), classes) * ops.expand_dims(given, -1)
    chosen = ops.astype(chosen, input.array.dtype)  # (..., places in the target, classes)
    ahead = ops.sum(chosen * ops.expand_dims(input, -2), axis=-1, keepdims=True)
    short = ops.clip(1.0 - ahead + ops.expand_dims(input, -2), 0.0, None)
    right = ops.sum(chosen, axis=-2, keepdims=True)
    counts = ops.logical_and(ops.expand_dims(given, -1) != 0, right == 0)
    loss = ops.sum(ops.where(counts, short, 0.0), axis=(-2, -1)) / classes
    return reduced(owner, loss, reduction)


def multilabel_soft_margin_loss(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """Return the mean over the classes of -y * log(s) - (1 - y) * log(1 - s), s = sigmoid(x).

    Args:
        input: scores, float tensor of shape (..., classes).
        target: which classes are right, 1 or 0, of the same shape.
        weight: a factor for each class, broadcastable to the input, or None.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on another shape, or an unknown reduction.

    >>> import schuss as ss
    >>> loss = multilabel_soft_margin_loss(ss.tensor([[0.0, 0.0]]), ss.tensor([[1.0, 0.0]]))
    >>> round(loss.item(), 4)
    0.6931
    """
    owner = "multilabel_soft_margin_loss"
    target = check_pair(owner, input, target)
    loss = target * ops.softplus(-input) + (1.0 - target) * ops.softplus(input)
    if weight is not None:
        loss = loss * weight
    return reduced(owner, ops.mean(loss, axis=-1), reduction)


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Return max(0, margin + distance(anchor, positive) - distance(anchor, negative)).

    Args:
        anchor: float tensor of shape (batch, ...) .
        positive: what should be near to it, of the same shape.
        negative: what should be far from it, of the same shape.
        distance_function: the distance of two such tensors; `pairwise_distance` by default.
        margin: by how much farther, above 0.
        swap: whether the distance from the positive to the negative counts where it is smaller.
        reduction: "mean", "sum" or "none".

    Raises:
        ValueError: on different numbers of axes, a margin that is not above 0, or an unknown
            reduction.

    >>> import schuss as ss
    >>> x, far = ss.tensor([[0.0, 0.0]]), ss.tensor([[3.0, 4.0]])
    >>> def city_block(a, b):
    ...     return (a - b).abs().sum(-1)
    >>> triplet_margin_with_distance_loss(x, far, x, distance_function=city_block).item()
    8.0
    """
    owner = "triplet_margin_with_distance_loss"
    require_tensors(owner, anchor=anchor, positive=positive, negative=negative)
    if not anchor.ndim == positive.ndim == negative.ndim:
        raise ValueError(
            f"{owner}: expected tensors of the same number of axes, got shapes {anchor.shape}, "
            f"{positive.shape} and {negative.shape}."
        )
    if not margin > 0:
        raise ValueError(f"{owner}: expected margin above 0, got {margin}.")
    distance = distance_function or pairwise_distance
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = ops.minimum(far, distance(positive, negative))
    return reduced(owner, ops.clip(margin + near - far, 0.0, None), reduction)
