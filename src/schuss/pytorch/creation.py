"""New tensors, with PyTorch's arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from schuss import functions as F
from schuss.core import (
    TRACER,
    Number,
    Tensor,
    TensorLike,
    bool_,
    float32,
    float64,
    int32,
    int64,
    leaf,
    no_grad,
)
from schuss.core import tensor as of_values
from schuss.counts import lengths_in
from schuss.dtypes import DEFAULTS, supported_dtype
from schuss.primitives.base import as_tensor, asarray, astype, has_tensor
from schuss.pytorch.arguments import whole

__all__: list[str] = []


def _sizes(owner: str, size: Any) -> tuple[int, ...]:
    lengths = (whole(size),) if not isinstance(size, (tuple, list)) else tuple(map(whole, size))
    if min(lengths, default=0) < 0:
        raise ValueError(f"{owner}: expected lengths of at least 0, got {lengths}.")
    return lengths


def zeros(size: Any, dtype: Any = None) -> Tensor:
    """Return zeros, float32 by default."""
    return F.zeros(_sizes("zeros", size), dtype=dtype)


def ones(size: Any, dtype: Any = None) -> Tensor:
    """Return ones, float32 by default."""
    return F.ones(_sizes("ones", size), dtype=dtype)


def empty(size: Any, dtype: Any = None) -> Tensor:
    """Return a tensor whose contents mean nothing yet (zeros here), float32 by default."""
    return F.zeros(_sizes("empty", size), dtype=dtype)


def full(size: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """Return a tensor filled with one number, whose dtype it takes by default."""
    if isinstance(fill_value, Tensor):
        value = fill_value if dtype is None else astype(fill_value, dtype)
        return F.broadcast_to(value, _sizes("full", size))
    return F.full(_sizes("full", size), fill_value, dtype)


def zeros_like(input: TensorLike, dtype: Any = None) -> Tensor:
    """Return zeros of input's shape and dtype."""
    return F.zeros_like(input, dtype)


def ones_like(input: TensorLike, dtype: Any = None) -> Tensor:
    """Return ones of input's shape and dtype."""
    return F.ones_like(input, dtype)


def full_like(input: TensorLike, fill_value: Any, dtype: Any = None) -> Tensor:
    """Return a tensor of input's shape and dtype, filled with one number."""
    x = as_tensor(input)
    return full(x.shape, fill_value, x.array.dtype if dtype is None else dtype)


def new_zeros(input: Tensor, size: Any, dtype: Any = None) -> Tensor:
    """Return zeros of input's dtype, or another."""
    return zeros(size, input.array.dtype if dtype is None else dtype)


def new_ones(input: Tensor, size: Any, dtype: Any = None) -> Tensor:
    """Return ones of input's dtype, or another."""
    return ones(size, input.array.dtype if dtype is None else dtype)


def new_full(input: Tensor, size: Any, fill_value: Number, dtype: Any = None) -> Tensor:
    """Return a tensor of input's dtype, or another, filled with one number."""
    return full(size, fill_value, input.array.dtype if dtype is None else dtype)


def tensor(data: Any, dtype: Any = None, *, requires_grad: bool = False) -> Tensor:
    """Return a new tensor with a copy of data, which may be or hold tensors.

    >>> tensor([[1, 2], [3, 4]])
    tensor([[1, 2],
            [3, 4]])
    """
    if isinstance(data, list | tuple):
        holds_tensors = has_tensor(data)
    else:
        # Values of a traced tensor are not known yet.
        holds_tensors = isinstance(data, Tensor) and TRACER.get() is not None
    if not holds_tensors:
        return of_values(data, dtype, requires_grad=requires_grad)
    with no_grad():
        x = asarray(data)
        found = astype(x, x.array.dtype if dtype is None else supported_dtype(dtype), copy=True)
    return found.requires_grad_() if requires_grad else found


def new_tensor(input: Tensor, data: TensorLike, dtype: Any = None) -> Tensor:
    """Return a copy of data as a tensor of input's dtype, or another."""
    return tensor(data, dtype=input.array.dtype if dtype is None else dtype)


def scalar_tensor(s: Number, dtype: Any = None) -> Tensor:
    """Return a number as a tensor, float32 by default."""
    return full((), s, supported_dtype(dtype))


def arange(start: Any = None, end: Any = None, step: Any = 1, dtype: Any = None) -> Tensor:
    """Return start, start + step, ... below `end`; int64 for integers, else float32."""
    if start is None and end is None:
        raise TypeError("arange: expected an end, got none.")
    first, last = (0, start) if end is None else (0 if start is None else start, end)
    first, last, by = (
        x.item() if isinstance(x, (Tensor, np.generic)) else x for x in (first, last, step)
    )
    if not all(math.isfinite(x) for x in (first, last, by)):
        raise ValueError(f"arange: expected finite numbers, got {first}, {last} and {by}.")
    if by == 0 or (last - first) * by < 0:
        raise ValueError(
            f"arange: expected a step other than 0 that leads from {first} to {last}, got {by}."
        )
    if dtype is None:
        dtype = DEFAULTS.floating if float in {type(x) for x in (first, last, by)} else int64
    kind = supported_dtype(dtype)
    if kind.kind == "f":
        return F.arange(first, last, by, kind)
    # In whole steps; how many, int64 counts in them, and int32 before they are whole.
    begin, stride = int(first), int(by)
    count = -((begin - int(last)) // stride) if kind == int64 else math.ceil((last - first) / by)
    return leaf((begin + stride * np.arange(count)).astype(kind))


def linspace(
    start: Any, end: Any, steps: int, dtype: Any = None, *, endpoint: bool = True
) -> Tensor:
    """Return `steps` evenly spaced numbers from `start` to `end`, float32 by default."""
    count = _steps("linspace", steps)
    first, last = (x.item() if isinstance(x, (Tensor, np.generic)) else x for x in (start, end))
    kind = supported_dtype(dtype)
    if not endpoint:
        return F.linspace(first, last, count, kind, endpoint=False)
    values = (
        _even_steps(first, last, count, kind)
        if kind.kind == "f"
        else _whole_steps(first, last, count)
    )
    return leaf(values.astype(kind))


def _steps(owner: str, steps: Any) -> int:
    """Return how many numbers are wanted."""
    count = whole(steps)
    if not isinstance(count, int) or isinstance(count, bool):
        raise TypeError(f"{owner}: expected an integer as steps, got {steps}.")
    if count < 0:
        raise ValueError(f"{owner}: expected steps >= 0, got {steps}.")
    return count


def _even_steps(first: float, last: float, count: int, kind: Any) -> Any:
    """Return numbers from either end to the middle, in steps that are rounded to the dtype."""
    begin, end = kind.type(first), kind.type(last)
    with np.errstate(over="ignore", invalid="ignore"):
        step = float((end - begin) / kind.type(max(count - 1, 1)))
        i = np.arange(count)
        rising, falling = float(begin) + step * i, float(end) - step * (count - 1 - i)
        return rising if count == 1 else np.where(i < count // 2, rising, falling)


def _whole_steps(first: Any, last: Any, count: int) -> Any:
    """Return evenly spaced numbers between whole ones, from either end to the middle."""
    first, last = int(first), int(last)
    step = (last - first) / max(count - 1, 1)
    i = np.arange(count)
    if count == 1:
        return np.full(1, first)
    return np.where(i < count // 2, first + step * i, last - step * (count - 1 - i))


def logspace(start: Any, end: Any, steps: int, base: float = 10.0, dtype: Any = None) -> Tensor:
    """Return `steps` numbers from base ** start to base ** end, their logarithms evenly spaced."""
    kind, count = supported_dtype(dtype), _steps("logspace", steps)
    if kind.kind != "f":
        return leaf(np.power(float(base), _whole_steps(start, end, count)).astype(kind))
    return astype(F.pow(float(base), linspace(start, end, steps, float64)), kind)


def eye(n: int, m: int | None = None, dtype: Any = None, *, k: int = 0) -> Tensor:
    """Return ones on the diagonal and zeros elsewhere, float32 by default."""
    rows, columns = whole(n), whole(m)
    if rows < 0 or (columns is not None and columns < 0):
        raise ValueError(f"eye: expected n and m of at least 0, got {n} and {m}.")
    return F.eye(rows, columns, k=k, dtype=dtype)


def tril(input: TensorLike, diagonal: int = 0) -> Tensor:
    """Return input with zeros above a diagonal."""
    return F.tril(input, whole(diagonal))


def triu(input: TensorLike, diagonal: int = 0) -> Tensor:
    """Return input with zeros below a diagonal."""
    return F.triu(input, whole(diagonal))


def as_tensor_of(data: TensorLike, dtype: Any = None) -> Tensor:
    """Return data as a tensor, the same one or the same memory where possible."""
    return asarray(data, dtype)


def clone(input: Tensor) -> Tensor:
    """Return a copy, through which errors flow back."""
    x = as_tensor(input)
    return astype(x, x.array.dtype, copy=True)


def _typed(name: str, dtype: Any) -> Callable[..., Tensor]:
    def typed(*data: Any) -> Tensor:
        sizes = lengths_in(data)
        return tensor(data[0], dtype=dtype) if sizes is None else zeros(sizes, dtype)

    typed.__name__ = typed.__qualname__ = name
    typed.__doc__ = f"Return a {dtype} tensor of data, or of lengths of axes."
    typed.dtype = dtype  # type: ignore[attr-defined]
    return typed


FloatTensor = _typed("FloatTensor", float32)
DoubleTensor = _typed("DoubleTensor", float64)
IntTensor = _typed("IntTensor", int32)
LongTensor = _typed("LongTensor", int64)
BoolTensor = _typed("BoolTensor", bool_)
TYPES: dict[np.dtype[Any], str] = {
    float32: "FloatTensor",
    float64: "DoubleTensor",
    int32: "IntTensor",
    int64: "LongTensor",
    bool_: "BoolTensor",
}
