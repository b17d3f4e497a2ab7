"""Creation of tensors from numbers and shapes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.core import Number, Tensor, TensorLike, bool_, int64, leaf, supported_dtype
from schuss.dtypes import DEFAULTS
from schuss.modes import SILENCE
from schuss.primitives.base import as_tensor
from schuss.primitives.logic import where

__all__ = [
    "arange",
    "empty",
    "empty_like",
    "eye",
    "full",
    "full_like",
    "linspace",
    "ones",
    "ones_like",
    "tril",
    "triu",
    "zeros",
    "zeros_like",
]


def _sizes(shape: Any, more: tuple[int, ...] = ()) -> tuple[int, ...]:
    return tuple(
        int(n) for n in ((shape, *more) if isinstance(shape, (int, np.integer)) else shape)
    )


def full(
    shape: int | Sequence[int], fill_value: Number, dtype: npt.DTypeLike | None = None
) -> Tensor:
    """Return a tensor of `shape` filled with one number, whose dtype it takes by default."""
    array = np.full(_sizes(shape), fill_value)
    if dtype is None:
        dtype = DEFAULTS.floating if array.dtype.kind == "f" else array.dtype
    SILENCE.ensure()
    return leaf(array.astype(supported_dtype(dtype), copy=False))


def zeros(shape: int | Sequence[int], *more: int, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Return zeros, float32 by default."""
    return leaf(np.zeros(_sizes(shape, more), supported_dtype(dtype)))


def ones(shape: int | Sequence[int], *more: int, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Return ones, float32 by default."""
    return leaf(np.ones(_sizes(shape, more), supported_dtype(dtype)))


def empty(shape: int | Sequence[int], *more: int, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Return a tensor whose contents mean nothing yet (zeros here), float32 by default."""
    return zeros(shape, *more, dtype=dtype)


def full_like(x: TensorLike, fill_value: Number, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Return a tensor of x's shape and dtype filled with one number."""
    x = as_tensor(x)
    return full(x.shape, fill_value, x.array.dtype if dtype is None else dtype)


def zeros_like(x: TensorLike, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Return zeros of x's shape and dtype."""
    return full_like(x, 0, dtype)


def ones_like(x: TensorLike, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Return ones of x's shape and dtype."""
    return full_like(x, 1, dtype)


def empty_like(x: TensorLike, dtype: npt.DTypeLike | None = None) -> Tensor:
    """Return a tensor of x's shape and dtype whose contents mean nothing yet."""
    return zeros_like(x, dtype)


def arange(
    start: float, stop: float | None = None, step: float = 1, dtype: npt.DTypeLike | None = None
) -> Tensor:
    """Return start, start + step, ... below `stop`; int64 for integers, else float32."""
    array = np.arange(0 if stop is None else start, start if stop is None else stop, step)
    default = DEFAULTS.floating if array.dtype.kind == "f" else int64
    SILENCE.ensure()
    return leaf(array.astype(supported_dtype(default if dtype is None else dtype), copy=False))


def linspace(
    start: float,
    stop: float,
    num: int,
    dtype: npt.DTypeLike | None = None,
    *,
    endpoint: bool = True,
) -> Tensor:
    """Return `num` evenly spaced numbers from `start` to `stop`, float32 by default."""
    return leaf(np.linspace(start, stop, num, endpoint=endpoint).astype(supported_dtype(dtype)))


def eye(
    n_rows: int, n_cols: int | None = None, *, k: int = 0, dtype: npt.DTypeLike | None = None
) -> Tensor:
    """Return ones on diagonal `k` and zeros elsewhere, float32 by default."""
    return leaf(np.eye(n_rows, n_cols, k, dtype=supported_dtype(dtype)))


def _band(x: TensorLike, k: int, keep: Any) -> Tensor:
    x = as_tensor(x)
    if x.ndim < 2:
        raise ValueError(f"tril, triu: expected at least 2 axes, got shape {x.shape}.")
    rows, columns = np.ogrid[: x.shape[-2], : x.shape[-1]]
    return where(keep(columns - rows, k), x, False if x.array.dtype == bool_ else 0)


def tril(x: TensorLike, k: int = 0) -> Tensor:
    """Return x with zeros above diagonal `k`."""
    return _band(x, k, np.less_equal)


def triu(x: TensorLike, k: int = 0) -> Tensor:
    """Return x with zeros below diagonal `k`."""
    return _band(x, k, np.greater_equal)
