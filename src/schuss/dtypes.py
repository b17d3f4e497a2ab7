"""The five dtypes that tensors have, and the precision that products may be computed in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "DEFAULTS",
    "Precision",
    "bfloat16",
    "bool_",
    "default_dtype",
    "float32",
    "float64",
    "int32",
    "int64",
    "is_supported",
]
__all__ += ["double", "dtype", "float", "int", "long", "supported_dtype"]

float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)
int64 = np.dtype(np.int64)
int32 = np.dtype(np.int32)
bool_ = np.dtype(np.bool_)


class Precision:
    """How numbers are rounded, which is no dtype of tensors.

    Args:
        name: PyTorch's of the dtype.
    """

    is_floating_point, is_complex = True, False

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"schuss.{self.name}"

    def __reduce__(self) -> str:
        return self.name


bfloat16 = Precision("bfloat16")


class _Defaults:
    """What numbers with a point have where no dtype is given: float32, or what a program sets."""

    floating = float32


DEFAULTS = _Defaults()

# By the names that PyTorch has for them, too; what is defined below means these.
double, long = float64, int64
dtype = np.dtype

_KEPT: dict[np.dtype[Any], np.dtype[Any]] = {
    float32: float32,
    float64: float64,
    int64: int64,
    int32: int32,
    bool_: bool_,
}
_BY_KIND: dict[str, np.dtype[Any]] = {"f": float32, "i": int64, "u": int64, "b": bool_}


def supported_dtype(dtype: npt.DTypeLike | None) -> np.dtype[Any]:
    """Return `dtype` as one of float32, float64, int64, int32, bool.

    Raises:
        TypeError: when it is none of these.
    """
    if isinstance(dtype, Precision):
        raise TypeError(
            f"dtype: expected float32, float64, int64, int32 or bool, got {dtype.name}; no tensor "
            "has it, but products are computed in it within `autocast`."
        )
    found: np.dtype[Any] = np.dtype(DEFAULTS.floating if dtype is None else dtype)
    if found not in _KEPT:
        raise TypeError(
            f"dtype: expected float32, float64, int64, int32 or bool, got {found}; "
            "cast the data to one of these first."
        )
    return _KEPT[found]


def is_supported(dtype: np.dtype[Any]) -> bool:
    """Return whether tensors have this dtype."""
    return dtype in _KEPT


def default_dtype(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Return the dtype that tensors have in another's place, None for what is not numeric."""
    if dtype.kind not in _BY_KIND:
        return None
    return float64 if dtype.itemsize > 8 else _BY_KIND[dtype.kind]


float, int = float32, int32
