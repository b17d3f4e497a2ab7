"""Placing elements by position, with PyTorch's arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from schuss import functions as F
from schuss.core import TRACER, Number, Tensor, TensorLike, bool_, int64
from schuss.functions.inplace import masked
from schuss.functions.placing import last_of_equal, placed
from schuss.primitives.base import REGISTRY, apply, as_tensor, astype
from schuss.primitives.checks import Condition, require
from schuss.primitives.index_template import ARRAY
from schuss.primitives.writing import put
from schuss.pytorch.arguments import of_numbers_too, whole
from schuss.pytorch.indexing import at_axis, axis_of, positions

__all__: list[str] = []


def _grid(index: Tensor, axis: int) -> tuple[Tensor, ...]:
    """Return an index for each axis, which says where along `axis` each element goes."""
    return tuple(
        [
            index if a == axis else as_tensor(np.arange(n).reshape(-1, *[1] * (index.ndim - a - 1)))
            for a, n in enumerate(index.shape)
        ]
    )


def _added(x: Tensor, axis: int, index: Tensor, values: Tensor) -> Tensor:
    """Return zeros of x's shape with values added at an index along `axis`."""
    kept = values
    if index.shape != values.shape:
        kept = values[tuple([slice(0, n) for n in index.shape])]
    attributes = {"template": (ARRAY,) * x.ndim, "shape": x.shape}
    return apply(REGISTRY["scatter_add"], (kept, *_grid(index, axis)), attributes)


def _require_range(owner: str, index: Tensor, low: int, high: int) -> None:
    """Raise IndexError unless all integers are from `low` on and below `high`."""
    message = f"{owner}: expected an index from {low} to {high - 1}, got others."
    require(Condition(IndexError, message, lambda i: (i >= low) & (i < high)), index)


def _scattering(
    owner: str, input: Any, dim: Any, index: Any, src: Any
) -> tuple[Tensor, int, Tensor, Tensor]:
    """Return what is scattered: x, an axis, an index and a tensor at least as long as that."""
    x, at = as_tensor(input), positions(owner, index)
    axis = axis_of(x, dim, owner)
    value = as_tensor(src) if isinstance(src, Tensor) else as_tensor(np.asarray(src, x.array.dtype))
    if value.ndim == 0 and x.ndim:
        value = F.broadcast_to(value, at.shape)
    if at.size and not (
        at.ndim == x.ndim == value.ndim
        and all(
            n <= value.shape[a] and (a == axis or n <= x.shape[a]) for a, n in enumerate(at.shape)
        )
    ):
        raise ValueError(
            f"{owner}: expected an index no longer than input (but along {dim}) and src, got "
            f"shapes {at.shape}, {x.shape} and {value.shape}."
        )
    if at.size:
        _require_range(owner, at, 0, x.shape[axis])
    if value.array.dtype != x.array.dtype:
        raise TypeError(
            f"{owner}: expected src of {x.array.dtype}, got {value.array.dtype}; cast it."
        )
    return x, axis, at, value


@of_numbers_too
def scatter_add(input: Any, dim: int, index: TensorLike, src: TensorLike) -> Tensor:
    """Return input with the elements of `src` added at `index` along `dim`."""
    x, axis, at, value = _scattering("scatter_add", input, dim, index, src)
    return x + _added(x, axis, at, value) if at.size else x


@of_numbers_too
def scatter(
    input: Any,
    dim: int,
    index: TensorLike,
    src: Any = None,
    *,
    value: Any = None,
    reduce: str | None = None,
) -> Tensor:
    """Return input with the elements of `src` put at `index` along `dim`; the last one counts.

    Args:
        input: any shape.
        dim: along which.
        index: integers, of input's number of axes.
        src: a tensor at least as long as the index, or a number.
        value: a number in its place.
        reduce: "add" or "multiply" to do that to what is there.
    """
    x, axis, at, value = _scattering("scatter", input, dim, index, src if value is None else value)
    if reduce not in (None, "add", "multiply"):
        raise ValueError(f"scatter: expected reduce 'add' or 'multiply', got {reduce!r}.")
    if not at.size:
        return x
    if reduce == "add":
        return x + _added(x, axis, at, value)
    if reduce == "multiply":
        return _reduced(x, axis, at, value, "prod")
    last = last_of_equal(at, axis)
    placed = _added(x, axis, at, F.where(last, value[tuple(map(slice, at.shape))], 0))
    hit = F.greater(_added(x, axis, at, astype(last, int64)), 0)
    return F.where(hit, astype(placed, x.array.dtype), x)


@of_numbers_too
def scatter_reduce(
    input: Any,
    dim: int,
    index: TensorLike,
    src: TensorLike,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """Return input with elements of `src` merged into what is at `index` along `dim`.

    Args:
        input: any shape.
        dim: along which.
        index: integers, of input's number of axes.
        src: a tensor at least as long as the index.
        reduce: "sum", "prod", "mean", "amax" or "amin".
        include_self: whether what is there counts, too.
    """
    x, axis, at, value = _scattering("scatter_reduce", input, dim, index, src)
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise ValueError(f"scatter_reduce: expected reduce such as 'sum', got {reduce!r}.")
    if not at.size:
        return x
    return _reduced(x, axis, at, value, reduce, include_self)


def _reduced(
    x: Tensor, axis: int, at: Tensor, value: Tensor, reduce: str, include_self: bool = True
) -> Tensor:
    """Merge along one more axis, on which there is a place for each element of the index."""
    n = at.shape[axis]
    hits = F.equal(
        F.expand_dims(F.moveaxis(at, axis, -1), -2), F.reshape(F.arange(x.shape[axis]), (-1, 1))
    )
    part = x[tuple([slice(None) if a == axis else slice(0, k) for a, k in enumerate(at.shape)])]
    part = F.moveaxis(part, axis, -1)
    value = F.moveaxis(value[tuple(map(slice, at.shape))], axis, -1)
    spread = F.broadcast_to(F.expand_dims(value, -2), (*part.shape, n))
    hit = F.any(hits, -1)
    neutral = {"sum": 0, "mean": 0, "prod": 1, "amax": -math.inf, "amin": math.inf}[reduce]
    if math.isinf(neutral) and x.array.dtype.kind != "f":
        limits = np.iinfo(x.array.dtype) if x.array.dtype.kind == "i" else None
        lowest, highest = (limits.min, limits.max) if limits else (False, True)
        neutral = lowest if neutral < 0 else highest
    spread = F.where(hits, spread, F.full((), neutral, x.array.dtype))
    if include_self:
        spread = F.concat([F.expand_dims(part, -1), spread], -1)
    function = {"sum": F.sum, "mean": F.sum, "prod": F.prod, "amax": F.max, "amin": F.min}[reduce]
    merged = function(spread, -1)
    if reduce == "mean":
        count = F.maximum(F.sum(hits, -1) + int(include_self), 1)
        merged = merged / count if x.array.dtype.kind == "f" else F.floor_divide(merged, count)
    merged = F.moveaxis(F.where(hit, astype(merged, x.array.dtype), part), -1, axis)
    if merged.shape == x.shape:
        return merged
    return put(x, tuple(map(slice, merged.shape)), merged)


def _slices(
    owner: str, input: Any, dim: Any, index: Any, source: Any
) -> tuple[Tensor, int, Tensor, Tensor]:
    """Return x, an axis, a vector of positions along it, and the slices that go there."""
    x, at, value = as_tensor(input), positions(owner, index), as_tensor(source)
    if at.ndim > 1:
        raise ValueError(f"{owner}: expected a vector as index, got shape {at.shape}.")
    if not x.ndim:
        x, value = F.reshape(x, (1,)), F.reshape(value, (-1,))
    axis = axis_of(x, dim, owner)
    at = F.reshape(at, (-1,))
    if not value.ndim and x.ndim == 1 and owner != "index_fill":
        value = F.reshape(value, (1,))
    shape = (*x.shape[:axis], at.shape[0], *x.shape[axis + 1 :])
    if value.ndim and value.shape != shape:
        raise ValueError(f"{owner}: expected values of shape {shape}, got {value.shape}.")
    if value.array.dtype != x.array.dtype and isinstance(source, Tensor) and value.ndim:
        raise TypeError(
            f"{owner}: expected values of {x.array.dtype}, got {value.array.dtype}; cast them."
        )
    n = x.shape[axis]
    _require_range(owner, at, -n, n)
    at = F.where(at < 0, at + n, at)
    return x, axis, at, F.broadcast_to(astype(value, x.array.dtype), shape)


def _scattered(x: Tensor, axis: int, at: Tensor, value: Tensor) -> Tensor:
    """Return x with slices at a vector of positions; the last one counts."""
    at = F.reshape(at, (-1, *[1] * (x.ndim - axis - 1)))
    result: Tensor = scatter(x, axis, F.broadcast_to(at, value.shape), value)
    return result


def _in_shape(x: Tensor, result: Tensor) -> Tensor:
    return result if result.shape == x.shape else F.reshape(result, x.shape)


def index_add(
    input: TensorLike, dim: int, index: TensorLike, source: TensorLike, *, alpha: Number = 1
) -> Tensor:
    """Return input with `alpha` times the slices of `source` added at positions along `dim`."""
    x, axis, at, value = _slices("index_add", input, dim, index, source)
    if not at.size:
        return as_tensor(input)
    attributes = {"template": (slice(None),) * axis + (ARRAY,), "shape": x.shape}
    added = apply(REGISTRY["scatter_add"], (value * alpha, at), attributes)
    return _in_shape(as_tensor(input), x + added)


def index_copy(input: TensorLike, dim: int, index: TensorLike, source: TensorLike) -> Tensor:
    """Return input with the slices of `source` at positions along `dim`."""
    x, axis, at, value = _slices("index_copy", input, dim, index, source)
    return _in_shape(as_tensor(input), _scattered(x, axis, at, value) if at.size else x)


def index_fill(input: TensorLike, dim: int, index: TensorLike, value: Any) -> Tensor:
    """Return input with one number in the slices at positions along `dim`."""
    if isinstance(value, Tensor) and value.ndim:
        raise ValueError(f"index_fill: expected one number as value, got shape {value.shape}.")
    number = value if isinstance(value, Tensor) else F.full((), value, as_tensor(input).array.dtype)
    x, axis, at, values = _slices("index_fill", input, dim, index, number)
    return _in_shape(as_tensor(input), _scattered(x, axis, at, values) if at.size else x)


def index_put(
    input: Tensor, indices: Sequence[Any], values: TensorLike, accumulate: bool = False
) -> Tensor:
    """Return input with values, broadcast, at NumPy's index of several tensors."""
    index: tuple[Any, ...] = tuple([slice(None) if i is None else i for i in indices])
    value = as_tensor(values)
    if value.array.dtype != input.array.dtype:
        raise TypeError(
            f"index_put: expected values of {input.array.dtype}, got {value.array.dtype}."
        )
    if not accumulate and TRACER.get() is None:
        plain = tuple([np.asarray(i.numpy()) if isinstance(i, Tensor) else i for i in index])
        return put(input, plain, value)
    first = index[0] if len(index) == 1 else None
    if TRACER.get() is not None and isinstance(first, Tensor) and first.array.dtype == bool_:
        if accumulate:
            return input + masked(F.zeros_like(input), first, value)
        return masked(input, first, value)
    if not accumulate:
        return placed(input, index, value)
    flat = F.reshape(F.arange(input.size), input.shape)[index]
    value = F.reshape(F.broadcast_to(value, flat.shape), (-1,))
    added = scatter_add(F.reshape(input, (-1,)), 0, F.reshape(flat, (-1,)), value)
    return F.reshape(added, input.shape)


def put_at(
    input: TensorLike, index: TensorLike, source: TensorLike, accumulate: bool = False
) -> Tensor:
    """Return input with the elements of `source` at positions of the flat input."""
    x, at, value = as_tensor(input), F.reshape(positions("put", index), (-1,)), as_tensor(source)
    if value.array.dtype != x.array.dtype or value.size != at.size:
        raise ValueError(
            f"put: expected {at.size} values of {x.array.dtype}, got {value.size} of "
            f"{value.array.dtype}."
        )
    if not at.size:
        return x
    flat, value = F.reshape(x, (-1,)), F.reshape(value, (-1,))
    at = F.where(at < 0, at + x.size, at)
    return F.reshape((scatter_add if accumulate else scatter)(flat, 0, at, value), x.shape)


def masked_scatter(input: TensorLike, mask: TensorLike, source: TensorLike) -> Tensor:
    """Return input with the elements of `source`, one by one, where `mask` holds."""
    x, at = F.broadcast_arrays(input, mask)
    value = F.reshape(source, (-1,))
    if at.array.dtype != bool_ or value.array.dtype != x.array.dtype:
        raise TypeError(
            f"masked_scatter: expected a boolean mask and a source of {x.array.dtype}, got "
            f"{at.array.dtype} and {value.array.dtype}."
        )
    if not value.size or not x.size:
        return x
    order = F.cumulative_sum(F.reshape(at, (-1,)), axis=0) - 1
    found = value[F.clip(order, 0, value.size - 1)]
    return F.where(at, F.reshape(found, x.shape), x)


def _replaced(x: Tensor, index: Any, value: Tensor, owner: str) -> Tensor:
    shape = x[index].shape
    if value.shape != shape:
        raise ValueError(f"{owner}: expected src of shape {shape}, got {value.shape}.")
    return put(x, index, astype(value, x.array.dtype))


def select_scatter(input: TensorLike, src: TensorLike, dim: int, index: int) -> Tensor:
    """Return input with `src` in the place of slice `index` along `dim`."""
    x = as_tensor(input)
    at = at_axis(axis_of(x, dim, "select_scatter"), whole(index))
    return _replaced(x, at, as_tensor(src), "select_scatter")


def slice_scatter(
    input: TensorLike,
    src: TensorLike,
    dim: int = 0,
    start: Any = None,
    end: Any = None,
    step: int = 1,
) -> Tensor:
    """Return input with `src` in the place of slices along `dim`."""
    x = as_tensor(input)
    at = at_axis(axis_of(x, dim, "slice_scatter"), slice(whole(start), whole(end), whole(step)))
    return _replaced(x, at, as_tensor(src), "slice_scatter")


def diagonal_scatter(
    input: TensorLike, src: TensorLike, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    """Return input with `src` on diagonal `offset` of two axes."""
    x = as_tensor(input)
    a, b = (axis_of(x, i, "diagonal_scatter") for i in (dim1, dim2))
    rest = [i for i in range(x.ndim) if i not in (a, b)]
    turned = F.permute_dims(x, [*rest, a, b])
    n, m = turned.shape[-2:]
    i = np.arange(max(0, min(n + min(offset, 0), m - max(offset, 0))))
    index = (..., i - min(offset, 0), i + max(offset, 0))
    made = _replaced(turned, index, as_tensor(src), "diagonal_scatter")
    order = [*rest, a, b]
    return F.permute_dims(made, [order.index(i) for i in range(x.ndim)])
