"""The namespace of the Python array API standard (2024.12), to the letter.

Code that is written for the standard can be given this module, or find it by
`x.__array_namespace__()`. All of the standard is here, with the `linalg` extension, for the dtypes
and the device that exist: bool, int32, int64, float32, float64 and "cpu". Without complex numbers
the `fft` extension cannot exist; see `schuss.fft`. `__array_namespace_info__` says the same.
"""

from __future__ import annotations

import math
import sys
from importlib import import_module
from typing import Any

import schuss.methods  # noqa: F401  # attaches them to Tensor
from schuss.array_api import creation as _creation
from schuss.array_api import data_types as _data_types
from schuss.array_api import elementwise as _elementwise
from schuss.array_api import linear_algebra as _linear_algebra
from schuss.array_api import manipulation as _manipulation
from schuss.array_api import searching as _searching
from schuss.array_api import statistics as _statistics
from schuss.array_api.creation import *  # noqa: F403  # this namespace is these and more
from schuss.array_api.data_types import *  # noqa: F403
from schuss.array_api.elementwise import *  # noqa: F403
from schuss.array_api.info import NamespaceInfo
from schuss.array_api.linear_algebra import *  # noqa: F403
from schuss.array_api.manipulation import *  # noqa: F403
from schuss.array_api.searching import *  # noqa: F403
from schuss.array_api.statistics import *  # noqa: F403
from schuss.core import Tensor
from schuss.data_type import bool, float32, float64, int32, int64

__all__ = ["__array_namespace_info__", "bool", "e", "float32", "float64", "inf", "int32", "int64"]
__all__ += ["linalg", "nan", "newaxis", "pi"]  # noqa: F405  # by __getattr__
for _part in (
    _creation,
    _data_types,
    _elementwise,
    _linear_algebra,
    _manipulation,
    _searching,
    _statistics,
):
    __all__ += _part.__all__

e, inf, nan, newaxis, pi = math.e, math.inf, math.nan, None, math.pi
__array_api_version__ = "2024.12"
# What came before is a part of it.
_VERSIONS = ("2021.12", "2022.12", "2023.12", __array_api_version__)


def __array_namespace_info__() -> NamespaceInfo:  # noqa: N807  # the standard's name
    """Return what the namespace says of itself."""
    return NamespaceInfo()


def __getattr__(name: str) -> Any:
    # Its decompositions are loaded when they are asked for.
    if name == "linalg":
        return import_module("schuss.array_api.linalg")
    raise AttributeError(f"module 'schuss.array_api' has no attribute {name!r}")


def _namespace(self: Tensor, /, *, api_version: str | None = None) -> Any:
    """Return this module."""
    if api_version is not None and api_version not in _VERSIONS:
        raise ValueError(
            f"array namespace: expected version {__array_api_version__}, got {api_version}; leave "
            "it out."
        )
    return sys.modules[__name__]


Tensor.__array_namespace__ = _namespace  # type: ignore[attr-defined]  # no part of the class
