"""Creation functions of the standard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.core import Number, Tensor, TensorLike, leaf, to_array
from schuss.devices import require_cpu
from schuss.functions import creation, shapes
from schuss.primitives import base

__all__ = ["arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like"]
__all__ += ["linspace", "meshgrid", "ones", "ones_like", "tril", "triu", "zeros", "zeros_like"]

Dtype = npt.DTypeLike | None
Shape = int | Sequence[int]


def arange(
    start: float,
    /,
    stop: float | None = None,
    step: float = 1,
    *,
    dtype: Dtype = None,
    device: Any = None,
) -> Tensor:
    """Return start, start + step, ... below `stop`; int64 for integers, else float32."""
    require_cpu("arange", device)
    return creation.arange(start, stop, step, dtype=dtype)


def asarray(
    obj: TensorLike, /, *, dtype: Dtype = None, device: Any = None, copy: bool | None = None
) -> Tensor:
    """Return `obj` as a tensor, the same object or the same memory where possible.

    Args:
        obj: numbers, nested sequences, a tensor, or what has the buffer protocol. Integers that
            have not one of the dtypes here become int64, floats float32.
        dtype: the dtype wanted.
        device: "cpu".
        copy: True to copy always, False to raise ValueError where a copy would be needed.
    """
    require_cpu("asarray", device)
    return base.asarray(obj, dtype, copy=copy)


def empty(shape: Shape, *, dtype: Dtype = None, device: Any = None) -> Tensor:
    """Return a tensor whose contents mean nothing yet (zeros here), float32 by default."""
    require_cpu("empty", device)
    return creation.zeros(shape, dtype=dtype)


def empty_like(x: Tensor, /, *, dtype: Dtype = None, device: Any = None) -> Tensor:
    """Return a tensor of x's shape and dtype whose contents mean nothing yet."""
    require_cpu("empty_like", device)
    return creation.zeros_like(x, dtype=dtype)


def eye(
    n_rows: int,
    n_cols: int | None = None,
    /,
    *,
    k: int = 0,
    dtype: Dtype = None,
    device: Any = None,
) -> Tensor:
    """Return ones on diagonal `k` and zeros elsewhere, float32 by default."""
    require_cpu("eye", device)
    return creation.eye(n_rows, n_cols, k=k, dtype=dtype)


def from_dlpack(x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """Return another library's array as a tensor.

    Args:
        x: has `__dlpack__`.
        device: "cpu"; from another device only libraries that copy it themselves.
        copy: True to copy always, False to raise BufferError where a copy would be needed, None to
            share memory where that is possible.

    Raises:
        BufferError: when the data cannot be had without a copy, or not at all.
    """
    require_cpu("from_dlpack", device)
    array = np.from_dlpack(x, device=device, copy=copy)
    found = to_array(array)
    if copy is False and found is not array:
        raise BufferError(
            f"from_dlpack: copy=False, but {array.dtype} becomes {found.dtype}; leave copy out."
        )
    return leaf(found)


def full(shape: Shape, fill_value: Number, *, dtype: Dtype = None, device: Any = None) -> Tensor:
    """Return a tensor of `shape` filled with one number, whose dtype it takes by default."""
    require_cpu("full", device)
    return creation.full(shape, fill_value, dtype=dtype)


def full_like(
    x: Tensor, /, fill_value: Number, *, dtype: Dtype = None, device: Any = None
) -> Tensor:
    """Return a tensor of x's shape and dtype filled with one number."""
    require_cpu("full_like", device)
    return creation.full_like(x, fill_value, dtype=dtype)


def linspace(
    start: float,
    stop: float,
    /,
    num: int,
    *,
    dtype: Dtype = None,
    device: Any = None,
    endpoint: bool = True,
) -> Tensor:
    """Return `num` evenly spaced numbers from `start` to `stop`, float32 by default."""
    require_cpu("linspace", device)
    return creation.linspace(start, stop, num, dtype=dtype, endpoint=endpoint)


def meshgrid(*arrays: Tensor, indexing: str = "xy") -> list[Tensor]:
    """Return coordinate grids from coordinate vectors, "xy" with the second axis' length first."""
    return list(shapes.meshgrid(*arrays, indexing=indexing))


def ones(shape: Shape, *, dtype: Dtype = None, device: Any = None) -> Tensor:
    """Return ones, float32 by default."""
    require_cpu("ones", device)
    return creation.ones(shape, dtype=dtype)


def ones_like(x: Tensor, /, *, dtype: Dtype = None, device: Any = None) -> Tensor:
    """Return ones of x's shape and dtype."""
    require_cpu("ones_like", device)
    return creation.ones_like(x, dtype=dtype)


def tril(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Return x with zeros above diagonal `k`."""
    return creation.tril(x, k)


def triu(x: Tensor, /, *, k: int = 0) -> Tensor:
    """Return x with zeros below diagonal `k`."""
    return creation.triu(x, k)


def zeros(shape: Shape, *, dtype: Dtype = None, device: Any = None) -> Tensor:
    """Return zeros, float32 by default."""
    require_cpu("zeros", device)
    return creation.zeros(shape, dtype=dtype)


def zeros_like(x: Tensor, /, *, dtype: Dtype = None, device: Any = None) -> Tensor:
    """Return zeros of x's shape and dtype."""
    require_cpu("zeros_like", device)
    return creation.zeros_like(x, dtype=dtype)
