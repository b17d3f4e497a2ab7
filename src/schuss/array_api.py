"""The namespace of the Python array API standard (2024.12): the functions, and the rest of it.

Everything of `schuss.functions` is here too, so that code written for the standard can be given
this module, or find it by `x.__array_namespace__()`. There are no complex numbers, no unsigned or
8 and 16 bit integers, and one device, "cpu".
"""

from __future__ import annotations

import builtins
import math
import sys
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import schuss.methods  # noqa: F401  # attaches them to Tensor
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
from schuss.functions import *  # noqa: F403  # this namespace is theirs and more
from schuss.functions import __all__ as _functions
from schuss.functions import divide, equal, floor_divide, less, multiply, pow
from schuss.primitives.base import as_tensor, asarray, promote
from schuss.primitives.base import result_dtype as _common

_ADDED = [
    "bitwise_left_shift",
    "bitwise_right_shift",
    "can_cast",
    "finfo",
    "from_dlpack",
    "iinfo",
    "isdtype",
    "nextafter",
    "result_type",
    "signbit",
    "unique_all",
    "unique_counts",
    "unique_inverse",
]
_CONSTANTS = ["e", "inf", "nan", "newaxis", "pi"]
_DTYPES = ["bool", "float32", "float64", "int32", "int64"]

__all__ = [*_functions, *_ADDED, *_CONSTANTS, *_DTYPES, "asarray"]

e, inf, nan, newaxis, pi = math.e, math.inf, math.nan, None, math.pi
bool = bool_
__array_api_version__ = "2024.12"

_KINDS = {
    "bool": (bool_,),
    "signed integer": (int32, int64),
    "unsigned integer": (),
    "integral": (int32, int64),
    "real floating": (float32, float64),
    "complex floating": (),
    "numeric": (int32, int64, float32, float64),
}


def bitwise_left_shift(x: TensorLike, y: TensorLike) -> Tensor:
    """Return the bits of x moved up by y places (0 to one less than its bits), elementwise.

    >>> bitwise_left_shift([1, 3], 2)
    tensor([ 4, 12])
    """
    x, y = _integers("bitwise_left_shift", x, y)
    return multiply(x, pow(2, y))


def bitwise_right_shift(x: TensorLike, y: TensorLike) -> Tensor:
    """Return the bits of x moved down by y places (0 to one less than its bits), elementwise.

    >>> bitwise_right_shift([4, -3], 1)
    tensor([ 2, -2])
    """
    x, y = _integers("bitwise_right_shift", x, y)
    # In two steps, as the power itself would overflow for the largest shift.
    half = floor_divide(y, 2)
    return floor_divide(floor_divide(x, pow(2, half)), pow(2, y - half))


def _integers(owner: str, x: TensorLike, y: TensorLike) -> tuple[Tensor, Tensor]:
    x, y = map(as_tensor, promote(as_tensor(x), y))
    if x.dtype.kind != "i":
        raise TypeError(f"{owner}: expected integers, got {x.dtype}; cast them first.")
    return x, y if isinstance(y, Tensor) else leaf(np.asarray(y, x.dtype))


def nextafter(x: TensorLike, y: TensorLike) -> Tensor:
    """Return the next number after x toward y that its dtype has, elementwise; not recorded."""
    x, y = map(as_tensor, promote(as_tensor(x), y, 1.0)[:2])
    return leaf(np.nextafter(x.array, y.array.astype(x.dtype)))


def signbit(x: TensorLike) -> Tensor:
    """Return whether each element is negative; -0.0 is."""
    x = as_tensor(x)
    minus = less(x, 0)
    return minus if x.dtype.kind != "f" else minus | (equal(x, 0) & less(divide(1.0, x), 0))


class UniqueAll(NamedTuple):
    """What `unique_all` returns."""

    values: Tensor
    indices: Tensor
    inverse_indices: Tensor
    counts: Tensor


class UniqueCounts(NamedTuple):
    """What `unique_counts` returns."""

    values: Tensor
    counts: Tensor


class UniqueInverse(NamedTuple):
    """What `unique_inverse` returns."""

    values: Tensor
    inverse_indices: Tensor


def unique_all(x: TensorLike) -> UniqueAll:
    """Return the distinct elements, ascending, where each is first, which each was, and how often.

    >>> unique_all([3, 1, 3]).counts
    tensor([1, 2])
    """
    found = np.unique_all(as_tensor(x).array)
    return UniqueAll(*[leaf(np.asarray(part)) for part in found])


def unique_counts(x: TensorLike) -> UniqueCounts:
    """Return the distinct elements, ascending, and how often each comes."""
    found = unique_all(x)
    return UniqueCounts(found.values, found.counts)


def unique_inverse(x: TensorLike) -> UniqueInverse:
    """Return the distinct elements, ascending, and for each element of x which one it is."""
    found = unique_all(x)
    return UniqueInverse(found.values, found.inverse_indices)


def from_dlpack(x: Any, *, device: Any = None, copy: Any = None) -> Tensor:
    """Return another library's array as a tensor, sharing its memory where possible."""
    array = np.from_dlpack(x)
    return asarray(array, copy=copy)


def result_type(*inputs: TensorLike | npt.DTypeLike) -> np.dtype[Any]:
    """Return the dtype that mixing these tensors, dtypes and numbers gives; numbers are weak.

    >>> result_type(int64, float32, 2.5)
    dtype('float32')
    """
    dtypes = [_dtype_of(x) for x in inputs if not isinstance(x, (int, float))]
    numbers = [x for x in inputs if isinstance(x, (int, float))]
    if not dtypes:
        return _common(*[to_array(x).dtype for x in numbers])
    mixed = promote(leaf(np.zeros((), _common(*dtypes))), *numbers)[0]
    return mixed.dtype  # type: ignore[no-any-return]


def _dtype_of(x: Any) -> np.dtype[Any]:
    is_data = isinstance(x, (Tensor, np.ndarray, list, tuple))
    return to_array(x).dtype if is_data else supported_dtype(x)


def can_cast(from_: TensorLike | npt.DTypeLike, to: npt.DTypeLike) -> Any:
    """Return whether promotion can turn a tensor or dtype into the dtype `to`."""
    return _common(_dtype_of(from_), supported_dtype(to)) == supported_dtype(to)


def isdtype(dtype: npt.DTypeLike, kind: Any) -> Any:
    """Return whether `dtype` is of a kind: "bool", "integral", "real floating", "numeric", ...

    Args:
        dtype: one of the five dtypes.
        kind: a name, a dtype, or a tuple of them, of which one has to hold.

    Raises:
        ValueError: for an unknown name.
    """
    if isinstance(kind, tuple):
        return builtins.any(isdtype(dtype, k) for k in kind)
    if isinstance(kind, str) and kind in _KINDS:
        return supported_dtype(dtype) in _KINDS[kind]
    try:
        return supported_dtype(dtype) == supported_dtype(kind)
    except TypeError:
        raise ValueError(
            f"isdtype: expected a dtype or one of {', '.join(_KINDS)}, got {kind!r}."
        ) from None


def finfo(dtype: TensorLike | npt.DTypeLike) -> SimpleNamespace:
    """Return the limits of a float dtype: bits, eps, max, min, smallest_normal, dtype."""
    found = np.finfo(_dtype_of(dtype))
    return SimpleNamespace(
        bits=int(found.bits),
        eps=float(found.eps),
        max=float(found.max),
        min=float(found.min),
        smallest_normal=float(found.smallest_normal),
        dtype=found.dtype,
    )


def iinfo(dtype: TensorLike | npt.DTypeLike) -> SimpleNamespace:
    """Return the limits of an integer dtype: bits, max, min, dtype."""
    found = np.iinfo(_dtype_of(dtype))
    return SimpleNamespace(
        bits=int(found.bits), max=int(found.max), min=int(found.min), dtype=found.dtype
    )


def _namespace(self: Tensor, *, api_version: str | None = None) -> Any:
    """Return this module."""
    if api_version not in (None, __array_api_version__):
        raise ValueError(
            f"array namespace: expected version {__array_api_version__}, got {api_version}; leave "
            "it out."
        )
    return sys.modules[__name__]


Tensor.__array_namespace__ = _namespace  # type: ignore[attr-defined]  # no part of the class
