"""Dtypes in the standard's words: kinds, promotion, limits."""

from __future__ import annotations

import builtins
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from schuss.core import (
    Tensor,
    TensorLike,
    bool_,
    float32,
    float64,
    int32,
    int64,
    leaf,
    supported_dtype,
    to_array,
)
from schuss.data_type import data_type, dtype
from schuss.devices import require_cpu
from schuss.primitives import base
from schuss.primitives.base import promote
from schuss.primitives.base import result_dtype as _common

__all__ = ["astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type"]

KINDS = {
    "bool": (bool_,),
    "signed integer": (int32, int64),
    "unsigned integer": (),
    "integral": (int32, int64),
    "real floating": (float32, float64),
    "complex floating": (),
    "numeric": (int32, int64, float32, float64),
}


def astype(
    x: Tensor, dtype: npt.DTypeLike, /, *, copy: builtins.bool = True, device: Any = None
) -> Tensor:
    """Return `x` cast to `dtype`; x itself when it has it already and `copy` is False."""
    require_cpu("astype", device)
    return base.astype(x, dtype, copy=copy)


def result_type(*arrays_and_dtypes: TensorLike | npt.DTypeLike) -> dtype:
    """Return the dtype that mixing these tensors, dtypes and numbers gives; numbers are weak.

    >>> result_type(int64, float32, 2.5)
    schuss.float32
    """
    dtypes = [_dtype_of(x) for x in arrays_and_dtypes if not isinstance(x, (int, float))]
    numbers = [x for x in arrays_and_dtypes if isinstance(x, (int, float))]
    if not dtypes:
        return data_type(_common(*[to_array(x).dtype for x in numbers]))
    mixed: Tensor = promote(leaf(np.zeros((), _common(*dtypes))), *numbers)[0]
    return mixed.dtype


def _dtype_of(x: Any) -> np.dtype[Any]:
    is_data = isinstance(x, (Tensor, np.ndarray, list, tuple))
    return to_array(x).dtype if is_data else supported_dtype(x)


def can_cast(from_: TensorLike | npt.DTypeLike, to: npt.DTypeLike, /) -> builtins.bool:
    """Return whether promotion can turn a tensor or dtype into the dtype `to`."""
    return _common(_dtype_of(from_), supported_dtype(to)) == supported_dtype(to)


def isdtype(dtype: npt.DTypeLike, kind: Any) -> builtins.bool:
    """Return whether `dtype` is of a kind: "bool", "integral", "real floating", "numeric", ...

    Args:
        dtype: one of the five dtypes.
        kind: a name, a dtype, or a tuple of them, of which one has to hold.

    Raises:
        ValueError: for an unknown name.
    """
    if isinstance(kind, tuple):
        return builtins.any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str) and kind in KINDS:
        return supported_dtype(dtype) in KINDS[kind]
    try:
        return supported_dtype(dtype) == supported_dtype(kind)
    except TypeError:
        raise ValueError(
            f"isdtype: expected a dtype or one of {', '.join(KINDS)}, got {kind!r}."
        ) from None


def finfo(type: TensorLike | npt.DTypeLike, /) -> SimpleNamespace:
    """Return the limits of a float dtype: bits, eps, max, min, smallest_normal, dtype."""
    found = np.finfo(_dtype_of(type))
    return SimpleNamespace(
        bits=int(found.bits),
        eps=float(found.eps),
        max=float(found.max),
        min=float(found.min),
        smallest_normal=float(found.smallest_normal),
        dtype=data_type(found.dtype),
    )


def iinfo(type: TensorLike | npt.DTypeLike, /) -> SimpleNamespace:
    """Return the limits of an integer dtype: bits, max, min, dtype."""
    found = np.iinfo(_dtype_of(type))
    return SimpleNamespace(
        bits=int(found.bits), max=int(found.max), min=int(found.min), dtype=data_type(found.dtype)
    )
