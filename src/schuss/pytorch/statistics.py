"""Quantiles, covariances and correlations."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from schuss import functions as F
from schuss.core import Tensor, TensorLike
from schuss.functions.reductions import as_float, root
from schuss.primitives.axes import normalize_axes
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.checks import Condition, require
from schuss.pytorch.arguments import as_pair, whole

__all__: list[str] = []


def quantile(
    input: TensorLike,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
    ignore_nan: bool = False,
) -> Tensor:
    """Return the q-th quantiles (0 to 1) along `dim`, or of all elements.

    Args:
        input: any shape.
        q: a number, or a vector, whose results make a first axis.
        dim: along which.
        keepdim: keep the axis with length 1.
        interpolation: between two elements: "linear", "lower", "higher", "midpoint", "nearest".
        ignore_nan: whether what is not a number does not count.
    """
    x, at = as_pair(as_tensor(input), q)
    if x.array.dtype.kind != "f":
        raise TypeError(f"quantile: expected float32 or float64, got {x.array.dtype}.")
    known = at.array
    inside = not isinstance(known, np.ndarray) or bool(((known >= 0) & (known <= 1)).all())
    if at.ndim > 1 or not inside:
        raise ValueError(f"quantile: expected q from 0 to 1, one or a vector, got {q}.")
    if interpolation not in ("linear", "lower", "higher", "midpoint", "nearest"):
        raise ValueError(f"quantile: expected 'linear' or such, got {interpolation!r}.")
    rank = x.ndim
    if dim is None or not rank:
        x, axis = F.reshape(x, (-1,)), 0
    else:
        (axis,) = normalize_axes(whole(dim), rank, "quantile")
    if not x.shape[axis]:
        raise ValueError(f"quantile: expected at least one element, got shape {x.shape}.")
    x = F.moveaxis(F.sort(x, axis), axis, -1)
    broken = F.isnan(x)
    count = F.sum(~broken, -1, True) if ignore_nan else F.full_like(x[..., :1], x.shape[-1])
    found = _between(x, F.reshape(astype(at, x.array.dtype), (-1,)), count, interpolation)
    if not ignore_nan:
        found = F.where(F.any(broken, -1, True), math.nan, found)
    found = F.moveaxis(found, -1, 0)
    if keepdim:
        kept = [1] * rank if dim is None else [*x.shape[:-1]]
        if dim is not None and rank:
            kept.insert(axis, 1)
        found = F.reshape(found, (found.shape[0], *kept))
    return found if at.ndim else found[0]


def _between(x: Tensor, q: Tensor, count: Tensor, interpolation: str) -> Tensor:
    """Return quantiles of sorted rows, of which only the first `count` elements are meant."""
    place = q * F.maximum(astype(count, x.array.dtype) - 1.0, 0.0)
    if interpolation in ("lower", "higher", "nearest"):
        to = {"lower": F.floor, "higher": F.ceil, "nearest": F.round}[interpolation]
        return F.take_along_axis(x, astype(to(place), np.int64), -1)
    low = F.floor(place)
    a = F.take_along_axis(x, astype(low, np.int64), -1)
    b = F.take_along_axis(x, astype(F.ceil(place), np.int64), -1)
    weight = (place - low) if interpolation == "linear" else 0.5
    # Equal neighbours stay as they are, infinities too.
    return F.where(F.equal(a, b), a, a + (b - a) * weight)


def nanquantile(
    input: TensorLike,
    q: Any,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
) -> Tensor:
    """Return the q-th quantiles along `dim` of what is a number."""
    return quantile(input, q, dim, keepdim, interpolation=interpolation, ignore_nan=True)


def cov(
    input: TensorLike,
    *,
    correction: int = 1,
    fweights: Tensor | None = None,
    aweights: Tensor | None = None,
) -> Tensor:
    """Return the covariances of the rows of a matrix, each an observed variable."""
    x = as_tensor(input)
    if x.ndim > 2:
        raise ValueError(f"cov: expected at most 2 axes, got shape {x.shape}.")
    rows = as_float(F.reshape(x, (1, -1)) if x.ndim < 2 else x)
    weights = [w for w in (fweights, aweights) if w is not None]
    for name, w in (("fweights", fweights), ("aweights", aweights)):
        _require_weights(name, w, rows.shape[1])
    w = math.prod(weights[1:], start=weights[0]) if weights else None
    total = float(rows.shape[1]) if w is None else F.sum(w)
    mean = F.sum(rows if w is None else rows * w, 1, True) / total
    apart = rows - mean
    bottom = total - correction
    if aweights is not None and w is not None:
        bottom = total - correction * F.sum(w * aweights) / total
    bottom = F.maximum(as_tensor(bottom), 0.0)
    found = F.matmul(apart if w is None else apart * w, F.matrix_transpose(apart)) / bottom
    return F.reshape(found, ()) if found.size == 1 else found


def _require_weights(name: str, w: Tensor | None, count: int) -> None:
    """Raise TypeError or ValueError unless these are weights of so many observations."""
    if w is None:
        return
    if name == "fweights" and w.array.dtype.kind != "i":
        raise TypeError(f"cov: expected integers as fweights, got {w.array.dtype}.")
    if w.ndim > 1 or w.size != count:
        raise ValueError(f"cov: expected {name} of shape ({count},), got {w.shape}.")
    message = f"cov: expected {name} of at least 0, got negative ones."
    require(Condition(ValueError, message, lambda x: x >= 0), w)


def corrcoef(input: TensorLike) -> Tensor:
    """Return the correlations of the rows of a matrix, each an observed variable."""
    found = cov(input)
    if not found.ndim:
        return found / found
    deviation = root(F.diagonal(found))
    return F.clip(found / F.expand_dims(deviation, -1) / deviation, -1.0, 1.0)
