"""Functions of vectors: lengths, angles, distances, padding, gates and draws of a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss import functions as ops
from schuss import random
from schuss.core import TRACER, Tensor, int64
from schuss.primitives.axes import normalize_axes
from schuss.primitives.base import astype, from_numpy
from schuss.primitives.indexing import look_up


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """Return vectors along `dim` divided by their p-norm, by `eps` at least.

    >>> import schuss as ss
    >>> normalize(ss.tensor([[2.0, 0.0]])).tolist()
    [[1.0, 0.0]]
    """
    if not input.ndim and dim in (0, -1):
        return ops.reshape(normalize(ops.reshape(input, (1,)), p, 0, eps), ())
    return ops.divide(input, ops.clip(ops.norm(input, dim, True, ord=float(p)), eps, None))


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """Return the cosine of the angle between vectors along `dim`; lengths count as `eps` at least.

    >>> import schuss as ss
    >>> cosine_similarity(ss.tensor([[1.0, 0.0]]), ss.tensor([[0.0, 2.0]])).tolist()
    [0.0]
    """
    x, y = ops.broadcast_arrays(x1, x2)
    if not x.ndim:
        x, y = ops.reshape(x, (1,)), ops.reshape(y, (1,))
    return ops.sum(normalize(x, 2.0, dim, eps) * normalize(y, 2.0, dim, eps), dim)


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """Return the p-norm of x1 - x2 + eps along the last axis."""
    return ops.norm(ops.add(ops.subtract(x1, x2), eps), -1, keepdim, ord=float(p))


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return a last axis (int64) with 1 at each integer and 0 elsewhere.

    Args:
        tensor: integers from 0 on, any shape.
        num_classes: the length of the axis; one more than the largest integer by default.

    Raises:
        ValueError: for an integer that is not from 0 to num_classes - 1.

    >>> import schuss as ss
    >>> one_hot(ss.tensor([0, 2])).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    if tensor.array.dtype.kind != "i":
        raise TypeError(f"one_hot: expected integers, got {tensor.array.dtype}; cast them first.")
    if TRACER.get() is None or num_classes < 0:
        array = tensor.numpy()
        low, high = (int(array.min()), int(array.max())) if array.size else (0, -1)
        if num_classes < 0:
            num_classes = high + 1
        if low < 0 or high >= num_classes:
            raise ValueError(
                f"one_hot: expected integers from 0 to {num_classes - 1}, got {low} to {high}."
            )
    return ops.one_hot(tensor, num_classes, int64)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """Return the first half along `dim` times the sigmoid of the second (Dauphin et al., 2017).

    Raises:
        ValueError: for an odd length.
    """
    (axis,) = normalize_axes(dim, input.ndim, "glu")
    n = input.shape[axis]
    if n % 2:
        raise ValueError(f"glu: expected an even length along {dim}, got shape {input.shape}.")
    before = (slice(None),) * axis
    gate = ops.sigmoid(input[(*before, slice(n // 2, None))])
    return input[(*before, slice(0, n // 2))] * gate


def gumbel_softmax(
    logits: Tensor, tau: float = 1.0, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """Return a draw of a class, relaxed so that errors flow back (Jang et al., 2017).

    Args:
        logits: unnormalised log-probabilities.
        tau: the temperature: near 0 the draw is near to one class.
        hard: return 1 for the class and 0 elsewhere, with the relaxed one's derivative.
        eps: has no effect.
        dim: along which the classes lie.
    """
    drawn = random.rand(logits.shape, dtype=logits.array.dtype)
    # -log(-log(u)), with u in (0, 1).
    noise = ops.negative(ops.log(ops.negative(ops.log1p(ops.negative(drawn)))))
    soft = ops.softmax((logits + noise.detach()) / tau, dim)
    if not hard:
        return soft
    place = ops.argmax(soft, dim, True)
    shape = [1] * soft.ndim
    shape[dim] = -1
    chosen = ops.equal(ops.reshape(ops.arange(soft.shape[dim]), shape), place)
    return astype(chosen, soft.array.dtype) - soft.detach() + soft


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """Put elements around the last axes, or with negative numbers take them off.

    Args:
        input: any shape.
        pad: (before, after) for the last axis, then for the one before it, and so on.
        mode: "constant"; or from the input itself: "reflect", "replicate", "circular".
        value: what is put there in mode "constant", 0 by default.

    >>> import schuss as ss
    >>> pad(ss.tensor([1.0, 2.0]), (1, 2)).tolist()
    [0.0, 1.0, 2.0, 0.0, 0.0]
    """
    if len(pad) % 2 or len(pad) > 2 * input.ndim:
        raise ValueError(
            f"pad: expected pairs for at most {input.ndim} axes, got {len(pad)} numbers."
        )
    if mode not in ("constant", "reflect", "replicate", "circular"):
        raise ValueError(f"pad: expected mode 'constant' or such, got {mode!r}.")
    pairs = [(int(a), int(b)) for a, b in zip(pad[::2], pad[1::2], strict=True)]
    widths = [(0, 0)] * (input.ndim - len(pairs)) + pairs[::-1]
    if mode != "constant":
        return _from_itself(input, widths, mode)
    filler: Any = 0 if value is None else value
    return _cropped(ops.pad(input, [(max(a, 0), max(b, 0)) for a, b in widths], filler), widths)


def _cropped(x: Tensor, widths: list[tuple[int, int]]) -> Tensor:
    """Take off what negative widths say."""
    if min(map(min, widths), default=0) >= 0:
        return x
    kept = [slice(max(-a, 0), n - max(-b, 0)) for n, (a, b) in zip(x.shape, widths, strict=True)]
    return x[tuple(kept)]


def _from_itself(x: Tensor, widths: list[tuple[int, int]], mode: str) -> Tensor:
    ways = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode == "circular":
        x = _cropped(x, widths)
    for axis, (before, after) in enumerate([(max(a, 0), max(b, 0)) for a, b in widths]):
        if before or after:
            n = x.shape[axis]
            if mode == "reflect" and max(before, after) >= n:
                raise ValueError(f"pad: expected less than {n} reflected, got {before}, {after}.")
            around: Any = np.pad(np.arange(n), (before, after), ways[mode])  # type: ignore[call-overload]  # a name
            x = ops.take(x, around, axis=axis)
    return x if mode == "circular" else _cropped(x, widths)


def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return x1 @ weight[k] @ x2 + bias[k], for each k.

    Args:
        input1: tensor of shape (..., in1_features).
        input2: tensor of shape (..., in2_features), its other axes the same.
        weight: tensor of shape (out_features, in1_features, in2_features).
        bias: tensor of shape (out_features,), or None.

    Raises:
        ValueError: on shapes that do not fit.

    >>> import schuss as ss
    >>> bilinear(ss.tensor([1.0, 2.0]), ss.tensor([3.0]), ss.tensor([[[1.0], [1.0]]])).tolist()
    [9.0]
    """
    fits = weight.ndim == 3 and (input1.shape[-1:], input2.shape[-1:]) == (
        weight.shape[1:2],
        weight.shape[2:],
    )
    if not fits or input1.shape[:-1] != input2.shape[:-1]:
        raise ValueError(
            "bilinear: expected inputs of shapes (..., in1) and (..., in2) for a weight (out, in1, "
            f"in2), got {input1.shape}, {input2.shape} and {weight.shape}."
        )
    result = ops.einsum("...i,kij,...j->...k", input1, weight, input2)
    return result if bias is None else result + bias


def pdist(input: Tensor, p: float = 2.0) -> Tensor:
    """Return the distances of all pairs of rows, (0, 1), (0, 2), ..., (1, 2), ...

    Args:
        input: float tensor of shape (rows, features).
        p: of the norm.

    Raises:
        ValueError: on another number of axes.

    >>> import schuss as ss
    >>> pdist(ss.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]])).tolist()
    [5.0, 0.0, 5.0]
    """
    if input.ndim != 2:
        raise ValueError(f"pdist: expected input of two axes, got shape {input.shape}.")
    first, second = (from_numpy(places) for places in np.triu_indices(input.shape[0], 1))
    return ops.norm(look_up(input, first) - look_up(input, second), -1, False, ord=float(p))
