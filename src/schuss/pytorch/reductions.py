"""Reductions and running values, with PyTorch's arguments and named results."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from schuss import functions as F
from schuss.core import TRACER, Tensor, TensorLike, bool_, float32, float64, leaf
from schuss.functions.matrix_norms import matrix_norm
from schuss.functions.normalization import variance
from schuss.functions.reductions import among_equals, as_float, root
from schuss.primitives.axes import Axis, normalize_axes
from schuss.primitives.base import as_tensor, astype
from schuss.primitives.indexing import along
from schuss.pytorch.arguments import of_numbers_too, whole
from schuss.spelling.arguments import every_axis

__all__: list[str] = []


class ValuesAndIndices(NamedTuple):
    """Elements that were picked along an axis, and where they are (int64)."""

    values: Tensor
    indices: Tensor


class MinAndMax(NamedTuple):
    """The smallest and the largest elements."""

    min: Tensor
    max: Tensor


def picked(x: Tensor, indices: Tensor, dim: int, keepdim: bool) -> ValuesAndIndices:
    """Return what is at `indices` (with axis `dim`, of length 1), and these."""
    values = along(x, indices, dim % x.ndim)
    if keepdim:
        return ValuesAndIndices(values, indices)
    return ValuesAndIndices(F.squeeze(values, dim), F.squeeze(indices, dim))


def max(input: TensorLike, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """Return the largest element; along `dim` (values, indices); of two tensors the larger.

    >>> max([[1.0, 3.0], [5.0, 2.0]], 1)
    ValuesAndIndices(values=tensor([3., 5.]), indices=tensor([1, 0]))
    """
    return _extreme(input, dim, keepdim, other, F.max, F.maximum, F.argmax)


def min(input: TensorLike, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
    """Return the smallest element; along `dim` (values, indices); of two tensors the smaller."""
    return _extreme(input, dim, keepdim, other, F.min, F.minimum, F.argmin)


def _extreme(
    input: Any, dim: Any, keepdim: bool, other: Any, whole_of: Any, of_two: Any, place: Any
) -> Any:
    if dim is None and other is None:
        x = as_tensor(input)
        return one_of_all(whole_of.__name__, x, whole_of(x, None, keepdim), keepdim)
    if other is None and isinstance(dim, Tensor):
        other = dim
    if other is not None:
        return of_two(input, other)
    return _along(input, whole(dim), keepdim, place)


def one_of_all(name: str, x: Tensor, y: Tensor, keepdim: bool = False) -> Tensor:
    """Return an element `y` of x; those equal to it, also to nan, share its error evenly."""
    return among_equals(name, x, y, tuple(range(x.ndim)), keepdim, _is_alike)


def _is_alike(x: Tensor, y: Tensor) -> Tensor:
    return F.equal(x, y) | (F.isnan(x) & F.isnan(y))


def _along(input: Any, dim: int, keepdim: bool, place: Any) -> Any:
    x = as_tensor(input)
    if not x.ndim:
        normalize_axes(dim, 1, place.__name__[3:])
        return ValuesAndIndices(x, leaf(np.zeros((), np.int64)))
    return picked(x, place(x, dim, True), dim, keepdim)


def aminmax(input: TensorLike, *, dim: int | None = None, keepdim: bool = False) -> MinAndMax:
    """Return the smallest and the largest elements along `dim`, or of all."""
    x = as_tensor(input)
    axis = None if not x.ndim and dim in (0, -1) else dim
    return MinAndMax(F.min(x, axis, keepdim), F.max(x, axis, keepdim))


def var(
    input: TensorLike,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Return the variance over `dim`: squared distances from the mean, summed, over n - 1.

    Args:
        input: any shape.
        dim: axes to reduce, all by default.
        unbiased: False to divide by n, as a correction of 0 does.
        keepdim: keep reduced axes with length 1.
        correction: what is subtracted from n, 1 by default.
    """
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if unbiased is not None and correction is not None:
        raise TypeError("var: expected unbiased or correction, got both.")
    less = (1 if unbiased is not False else 0) if correction is None else correction
    x = as_tensor(input)
    if x.array.dtype.kind != "f":
        raise TypeError(f"var, std: expected floats, got {x.array.dtype}; cast it to float32.")
    axes = normalize_axes(every_axis(dim, x), x.ndim, "var")
    return variance(x, axes=axes, keepdims=keepdim, correction=float(less))


def std(
    input: TensorLike,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> Tensor:
    """Return the standard deviation over `dim`: the square root of `var`, of squares in float64."""
    x = as_tensor(input)
    wide = astype(x, float64) if x.array.dtype == float32 else x
    return astype(root(var(wide, dim, unbiased, keepdim, correction=correction)), x.array.dtype)


def var_mean(
    input: TensorLike,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the variance and the mean over `dim`."""
    found = var(input, dim, unbiased, keepdim, correction=correction)
    return found, _mean(input, dim, keepdim)


def std_mean(
    input: TensorLike,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: float | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the standard deviation and the mean over `dim`."""
    found = std(input, dim, unbiased, keepdim, correction=correction)
    return found, _mean(input, dim, keepdim)


def _mean(input: TensorLike, dim: Any, keepdim: bool) -> Tensor:
    x = as_tensor(input)
    return F.mean(x, None if isinstance(dim, bool) else every_axis(dim, x), keepdim)


def norm(
    input: TensorLike, p: Any = "fro", dim: Axis = None, keepdim: bool = False, dtype: Any = None
) -> Tensor:
    """Return the p-norm over `dim`, of all elements by default: (sum |x|**p) ** (1/p)."""
    x = as_tensor(input) if dtype is None else astype(input, dtype)
    kind = x.array.dtype.kind
    if p == "fro" and kind == "f":
        return F.norm(x, dim, keepdim)
    if kind != "f":
        raise TypeError(f"norm: expected floats, got {x.array.dtype}; cast it to float32.")
    if isinstance(p, str) and p not in ("fro", "nuc"):
        raise ValueError(f"norm: expected a number, 'fro' or 'nuc' as p, got {p!r}.")
    if p == "nuc":
        axes = (0, 1) if dim is None and x.ndim == 2 else dim
        if not isinstance(axes, tuple) or len(axes) != 2:
            raise ValueError(f"norm: expected two axes for 'nuc', got {dim} of shape {x.shape}.")
        return matrix_norm(x, axis=axes, keepdims=keepdim, ord="nuc")
    order = 2.0 if p in ("fro", None) else float(p)
    if not x.size and order < 0:
        raise ValueError(f"norm: expected at least one element for p={p}, got shape {x.shape}.")
    return F.norm(x, dim, keepdim, ord=order)


def nansum(input: TensorLike, dim: Axis = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """Return the sum over `dim` of what is a number."""
    x = as_tensor(input)
    return F.sum(F.where(F.isnan(x), False, x), dim, keepdim, dtype=dtype)


def nanmean(
    input: TensorLike, dim: Axis = None, keepdim: bool = False, dtype: Any = None
) -> Tensor:
    """Return the mean over `dim` of what is a number."""
    x = as_tensor(input) if dtype is None else astype(input, dtype)
    if x.array.dtype.kind != "f":
        raise TypeError(f"nanmean: expected floats, got {x.array.dtype}; cast it to float32.")
    count = F.sum(~F.isnan(x), dim, keepdim)
    return nansum(x, dim, keepdim) / astype(count, x.array.dtype)


def cumsum(input: TensorLike, dim: int, dtype: Any = None) -> Tensor:
    """Return the sum of the elements up to and including each, along `dim`."""
    if isinstance(input, Tensor) and input.array.shape:
        return F.cumulative_sum(input, whole(dim), dtype=dtype)
    found: Tensor = _summed(input, dim, dtype)
    return found


@of_numbers_too
def _summed(input: Any, dim: int, dtype: Any) -> Tensor:
    return F.cumulative_sum(input, whole(dim), dtype=dtype)


@of_numbers_too
def cumprod(input: Any, dim: int, dtype: Any = None) -> Tensor:
    """Return the product of the elements up to and including each, along `dim`."""
    return F.cumulative_prod(input, whole(dim), dtype=dtype)


@of_numbers_too
def cummax(input: Any, dim: int) -> ValuesAndIndices:
    """Return the largest element up to and including each, along `dim`, and where the last is."""
    return _running(input, whole(dim), F.maximum, np.maximum, "cummax")


@of_numbers_too
def cummin(input: Any, dim: int) -> ValuesAndIndices:
    """Return the smallest element up to and including each, along `dim`, and where the last is."""
    return _running(input, whole(dim), F.minimum, np.minimum, "cummin")


def _running(x: Tensor, dim: int, of_two: Any, plain: Any, owner: str) -> ValuesAndIndices:
    (axis,) = normalize_axes(dim, x.ndim, owner)
    if not x.size:
        return ValuesAndIndices(x, F.zeros_like(x, dtype=np.int64))
    best = running(x.detach(), axis, of_two, plain)
    here = F.equal(x, best) | F.isnan(x)
    indices = running(F.where(here, _places(x, axis), 0), axis, F.maximum, np.maximum)
    return ValuesAndIndices(along(x, indices, axis), indices)


def _places(x: Tensor, axis: int) -> Tensor:
    """Return 0, 1, ... along an axis, of a shape that broadcasts against x's."""
    shape = [1] * x.ndim
    shape[axis] = -1
    return F.reshape(F.arange(x.shape[axis]), shape)


def running(x: Tensor, axis: int, of_two: Any, plain: Any) -> Tensor:
    """Return extremes of the elements up to each, along `axis`; nothing flows back."""
    if TRACER.get() is None:
        return leaf(plain.accumulate(x.array, axis))
    before = (slice(None),) * axis
    stride, n = 1, x.shape[axis]
    while stride < n:
        head, tail = x[(*before, slice(0, stride))], x[(*before, slice(stride, n))]
        x = F.concat([head, of_two(tail, x[(*before, slice(0, n - stride))])], axis)
        stride *= 2
    return x


@of_numbers_too
def logcumsumexp(input: Any, dim: int) -> Tensor:
    """Return the logarithm of the running sum of exponentials along `dim`, without overflow."""
    (axis,) = normalize_axes(whole(dim), input.ndim, "logcumsumexp")
    x = as_float(input)
    before = (slice(None),) * axis
    stride, n = 1, x.shape[axis]
    while stride < n:
        head, tail = x[(*before, slice(0, stride))], x[(*before, slice(stride, n))]
        x = F.concat([head, F.logaddexp(tail, x[(*before, slice(0, n - stride))])], axis)
        stride *= 2
    return x


def diff(
    input: TensorLike,
    n: int = 1,
    dim: int = -1,
    prepend: TensorLike | None = None,
    append: TensorLike | None = None,
) -> Tensor:
    """Return the n-th differences between neighbours along `dim`; whether booleans differ.

    Args:
        input: at least one axis.
        n: how often differences are taken.
        dim: along which.
        prepend: what to put before input along `dim` first, of its number of axes.
        append: what to put after it.
    """
    x = as_tensor(input)
    axis, times = whole(dim), whole(n)
    if times == 0:
        return x
    if x.array.dtype != bool_:
        return F.diff(x, axis, times, prepend=prepend, append=append)
    parts = [as_tensor(part) for part in (prepend, x, append) if part is not None]
    x = F.concat(parts, axis)
    before = (slice(None),) * normalize_axes(axis, x.ndim, "diff")[0]
    for _ in range(times):
        x = x[(*before, slice(1, None))] ^ x[(*before, slice(None, -1))]
    return x


def logsumexp(input: TensorLike, dim: Axis = None, keepdim: bool = False) -> Tensor:
    """Return log(sum(exp(x))) over `dim` without overflow; minus infinity of nothing."""
    x = as_float(input)
    if not x.array.size:
        return F.log(F.sum(F.exp(x), dim, keepdim))
    return F.logsumexp(x, dim, keepdim)


def softmax(input: TensorLike, dim: int = -1, dtype: Any = None) -> Tensor:
    """Return exp(x) divided by its sum along `dim`: positive numbers that add up to 1."""
    return _normalized(F.softmax, input, dim, dtype)


def log_softmax(input: TensorLike, dim: int = -1, dtype: Any = None) -> Tensor:
    """Return log(softmax(x)) along `dim`, exact for small probabilities too."""
    return _normalized(F.log_softmax, input, dim, dtype)


@of_numbers_too
def _of_number(input: Any, function: Any, dim: int) -> Any:
    return function(input, dim)


def _normalized(function: Any, input: TensorLike, dim: int, dtype: Any) -> Tensor:
    x = as_tensor(input) if dtype is None else astype(input, dtype)
    if x.array.ndim and x.array.size:
        return function(x, whole(dim))  # type: ignore[no-any-return]
    if not x.ndim:
        return _of_number(x, function, whole(dim))  # type: ignore[no-any-return]
    normalize_axes(whole(dim), x.ndim, function.__name__)
    return x


def count_nonzero(input: TensorLike, dim: Axis = None) -> Tensor:
    """Return how many elements over `dim` are not 0 (int64)."""
    return F.count_nonzero(input, dim)
