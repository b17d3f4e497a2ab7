"""Connectionist temporal classification: labels without places in a longer sequence."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from schuss import functions as ops
from schuss.core import TRACER, Tensor, int64, tensor
from schuss.functions.scan import scan
from schuss.nn.functional._checks import (
    require_floating,
    require_indices,
    require_reduction,
    require_tensors,
)
from schuss.primitives.base import as_tensor

__all__ = ["ctc_loss"]

_OWNER = "ctc_loss"


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Return -log of the probability of the labels, over all ways of placing them.

    Graves et al., 2006. The derivative is that of the probability itself; PyTorch's, which is the
    same behind a log_softmax, takes for granted that the probabilities sum to 1.

    Args:
        log_probs: floats of shape (steps, batch, classes), or without batch: logarithms.
        targets: labels of shape (batch, longest), or all of them one behind the other.
        input_lengths: how many steps each row has, of shape (batch,).
        target_lengths: how many labels each row has, of shape (batch,).
        blank: the class that stands for no label.
        reduction: "mean" (of the losses, each over its number of labels), "sum" or "none".
        zero_infinity: whether a loss of infinity, of more labels than there is room for, counts 0,
            and so does its error.

    Raises:
        ValueError: if shapes or options do not fit.
        TypeError: if a dtype does not.
        IndexError: if a label is no class.

    >>> import math, schuss as ss
    >>> even = ss.full((2, 1, 2), math.log(0.5))
    >>> round(ctc_loss(even, ss.tensor([[1]]), [2], [1]).item(), 4)  # of 4 ways 3 are right
    0.2877
    """
    require_tensors(_OWNER, log_probs=log_probs, targets=targets)
    require_floating(_OWNER, "log_probs", log_probs)
    require_reduction(_OWNER, reduction)
    is_batched = log_probs.ndim == 3
    if log_probs.ndim not in (2, 3) or targets.ndim not in (1, 2):
        raise ValueError(
            f"{_OWNER}: expected log_probs of shape (steps, batch, classes) and targets of shape "
            f"(batch, longest), or without batch, got {log_probs.shape} and {targets.shape}."
        )
    x = log_probs if is_batched else ops.expand_dims(log_probs, axis=1)
    steps, batch, classes = x.shape
    if not 0 <= blank < classes:
        raise ValueError(f"{_OWNER}: expected blank from 0 to {classes - 1}, got {blank}.")
    sizes = _lengths("input_lengths", input_lengths, batch, steps)
    counts = _lengths("target_lengths", target_lengths, batch, None)
    labels = _rows(targets, counts, batch)
    require_indices(_OWNER, "targets", labels, classes)
    losses = _losses(x, labels, sizes, counts, blank)
    if zero_infinity:
        losses = ops.where(losses == math.inf, 0.0, losses)
    if reduction == "mean":
        return ops.mean(losses / ops.astype(ops.maximum(counts, 1), x.array.dtype))
    if reduction == "sum":
        return ops.sum(losses)
    return losses if is_batched else ops.squeeze(losses, axis=0)


def _lengths(name: str, given: Any, batch: int, most: int | None) -> Tensor:
    found = ops.reshape(ops.astype(as_tensor(given), int64), (-1,))
    if found.shape != (batch,):
        raise ValueError(f"{_OWNER}: expected {name} of shape ({batch},), got {found.shape}.")
    if TRACER.get() is None and found.size:
        low, high = int(found.array.min()), int(found.array.max())
        if low < 0 or (most is not None and high > most):
            limit = "on" if most is None else f"to {most}"
            raise ValueError(f"{_OWNER}: expected {name} from 0 {limit}, got {low} to {high}.")
    return found


def _rows(targets: Tensor, counts: Tensor, batch: int) -> Tensor:
    """Return labels of shape (batch, longest); what is behind a row's own is any class."""
    if targets.ndim == 1:
        total = targets.shape[0]
        longest = total
        if TRACER.get() is None:
            longest = int(counts.array.max()) if counts.size else 0
            if int(counts.array.sum()) != total:
                raise ValueError(
                    f"{_OWNER}: expected {int(counts.array.sum())} targets as target_lengths say, "
                    f"got {total}."
                )
        first = ops.expand_dims(ops.cumulative_sum(counts) - counts, axis=1)
        places = ops.minimum(first + tensor(np.arange(longest)), max(total - 1, 0))
        targets = ops.take(targets, places) if total else ops.zeros((batch, 0), dtype=int64)
    elif targets.shape[0] != batch:
        raise ValueError(f"{_OWNER}: expected targets of {batch} rows, got {targets.shape}.")
    there = tensor(np.arange(targets.shape[1])) < ops.expand_dims(counts, axis=1)
    return ops.where(there, targets, 0)


def _losses(x: Tensor, labels: Tensor, sizes: Tensor, counts: Tensor, blank: int) -> Tensor:
    """Return the loss of each row, by the recursion over steps."""
    steps, batch, _ = x.shape
    longest = labels.shape[1]
    states = 2 * longest + 1
    # Blanks before, between and behind the labels.
    labels = ops.astype(labels, int64)
    gaps = tensor(np.full((batch, longest + 1), blank))
    pairs = ops.stack([gaps[:, :-1], labels], axis=2)
    classes = ops.concat([ops.reshape(pairs, (batch, 2 * longest)), gaps[:, -1:]], axis=1)
    before = ops.pad(classes, [(0, 0), (2, 0)], blank)[:, :states]
    may_skip = ops.logical_and(classes != blank, classes != before)
    spread = ops.broadcast_to(ops.expand_dims(classes, axis=0), (steps, batch, states))
    scores = ops.take_along_axis(x, spread, axis=2)
    goes_on = tensor(np.arange(steps)[:, np.newaxis]) < sizes
    start = np.full((batch, states), -math.inf, x.array.dtype)
    start[:, 0] = 0.0

    def step(alpha: Tensor, part: tuple[Tensor, Tensor]) -> tuple[Tensor, None]:
        score, more = part
        from_last = _shifted(alpha, 1)
        from_one_before = ops.where(may_skip, _shifted(alpha, 2), -math.inf)
        after = _logsumexp([alpha, from_last, from_one_before]) + score
        return ops.where(ops.expand_dims(more, axis=1), after, alpha), None

    alpha, _ = scan(step, tensor(start), (scores, goes_on))
    place = tensor(np.arange(states))
    last = ops.expand_dims(2 * counts, axis=1)
    is_end = ops.logical_or(place == last, place == last - 1)
    return -_logsumexp([ops.where(is_end, alpha, -math.inf)], axis=1)


def _shifted(alpha: Tensor, count: int) -> Tensor:
    """Return each state's value of the one so many before."""
    return ops.pad(alpha, [(0, 0), (count, 0)], -math.inf)[:, : alpha.shape[1]]


def _logsumexp(parts: list[Tensor], axis: int | None = None) -> Tensor:
    """Return log(sum(exp)) of parts, or along an axis; no error goes to what is all -inf."""
    largest = parts[0].detach()
    for part in parts[1:]:
        largest = ops.maximum(largest, part.detach())
    if axis is not None:
        largest = ops.max(largest, axis, keepdims=True)
    top = ops.where(largest == -math.inf, 0.0, largest)
    total = ops.exp(parts[0] - top)
    for part in parts[1:]:
        total = total + ops.exp(part - top)
    if axis is not None:
        total, top = ops.sum(total, axis), ops.squeeze(top, axis=axis)
    is_none = total == 0.0
    found = ops.log(ops.where(is_none, 1.0, total)) + top
    return ops.where(is_none, -math.inf, found)
