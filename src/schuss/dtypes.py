"""The five dtypes that tensors have, as NumPy has them; users see those of `data_type`."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from schuss import data_type
from schuss.data_type import EXPECTED

__all__ = [
    "DEFAULTS",
    "bool_",
    "default_dtype",
    "float32",
    "float64",
    "int32",
    "int64",
    "is_supported",
    "supported_dtype",
]

float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)
int64 = np.dtype(np.int64)
int32 = np.dtype(np.int32)
bool_ = np.dtype(np.bool_)


class _Defaults:
    """What numbers with a point have where no dtype is given: float32, or what a program sets."""

    floating = float32


DEFAULTS = _Defaults()

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
    if isinstance(dtype, data_type.dtype):
        if dtype is data_type.bfloat16:
            raise TypeError(
                f"dtype: {EXPECTED}, got bfloat16; no tensor has it, but products are computed in "
                "it within `autocast`."
            )
        return dtype.dtype
    found: np.dtype[Any] = np.dtype(DEFAULTS.floating if dtype is None else dtype)
    if found not in _KEPT:
        raise TypeError(f"dtype: {EXPECTED}, got {found}; cast the data to one of these first.")
    return _KEPT[found]


def is_supported(dtype: np.dtype[Any]) -> bool:
    """Return whether tensors have this dtype."""
    return dtype in _KEPT


def default_dtype(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """Return the dtype that tensors have in another's place, None for what is not numeric."""
    if dtype.kind not in _BY_KIND:
        return None
    return float64 if dtype.itemsize > 8 else _BY_KIND[dtype.kind]
