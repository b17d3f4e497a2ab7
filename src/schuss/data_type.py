"""The dtypes that users see: NumPy's, with PyTorch's attributes and names."""

from __future__ import annotations

import builtins
from typing import Any, Self

import numpy as np

__all__ = ["bfloat16", "bool", "data_type", "double", "dtype", "float", "float32", "float64"]
__all__ += ["int", "int32", "int64", "long"]

# What NumPy's dtypes may be equal to.
_COMPARED = (np.dtype, type, str)
EXPECTED = "expected float32, float64, int64, int32 or bool"


class dtype:  # noqa: N801  # PyTorch's name
    """The type of a tensor's elements: one object for each, equal to NumPy's.

    Wherever NumPy takes a dtype it takes these. What they have no attribute of their own for is
    asked of NumPy's: `kind`, `type`, `str`, ...

    Args:
        kind: a dtype, also NumPy's; a scalar type; or a name.

    Raises:
        TypeError: for a dtype that no tensor has.

    >>> import numpy as np
    >>> dtype("float32").is_floating_point, dtype("float32").itemsize, dtype("float32").kind
    (True, 4, 'f')
    >>> dtype(np.int64) is int64, int64 == np.int64, np.zeros(2, dtype=int64).dtype == int64
    (True, True, True)
    """

    __slots__ = ("dtype", "is_complex", "is_floating_point", "is_signed", "itemsize", "name")

    dtype: np.dtype[Any]  # NumPy's, by the name that NumPy asks for it by; bfloat16 has none
    name: str
    itemsize: builtins.int  # bytes of an element
    is_floating_point: builtins.bool
    is_complex: builtins.bool
    is_signed: builtins.bool

    def __new__(cls, kind: Any) -> Self:  # noqa: D102  # the class says it
        if isinstance(kind, cls):
            return kind
        named = kind == bfloat16.name if isinstance(kind, str) else False
        found: Any = bfloat16 if named else _KEPT.get(np.dtype(kind))
        if found is None:
            raise TypeError(f"dtype: {EXPECTED}, got {kind}; cast the data to one of these first.")
        return found  # type: ignore[no-any-return]

    def to_real(self) -> Self:
        """Return the dtype itself: none is complex."""
        return self

    def to_complex(self) -> Self:
        """Refuse: there are no complex numbers.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"to_complex: {EXPECTED}, got complex numbers; there are none.")

    def __eq__(self, other: object) -> builtins.bool:
        if isinstance(other, dtype):
            return self is other
        if self is bfloat16 or not isinstance(other, _COMPARED):
            return NotImplemented
        return builtins.bool(self.dtype == other)

    def __hash__(self) -> builtins.int:
        return hash(self.name if self is bfloat16 else self.dtype)

    def __repr__(self) -> str:
        return f"schuss.{self.name}"

    def __reduce__(self) -> Any:
        return dtype, (self.name,)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name in dtype.__slots__:
            raise AttributeError(f"{self!r} has no attribute {name!r}.")
        return getattr(self.dtype, name)


def _made(name: str, itemsize: builtins.int, kind: str) -> dtype:
    made = object.__new__(dtype)
    made.name, made.itemsize = name, itemsize
    made.is_floating_point, made.is_complex, made.is_signed = kind == "f", False, kind != "b"
    return made


def _of(scalar: type[np.generic]) -> dtype:
    numpys = np.dtype(scalar)
    made = _made(numpys.name, numpys.itemsize, numpys.kind)
    made.dtype = numpys
    return made


float32, float64 = _of(np.float32), _of(np.float64)
int32, int64 = _of(np.int32), _of(np.int64)
bool = _of(np.bool_)
# How products may round, which is no dtype of tensors.
bfloat16 = _made("bfloat16", 2, "f")

# By PyTorch's other names, too.
float, double, int, long = float32, float64, int32, int64

_KEPT: dict[np.dtype[Any], dtype] = {x.dtype: x for x in (float32, float64, int32, int64, bool)}


def data_type(numpys: np.dtype[Any]) -> dtype:
    """Return what users see of a dtype that tensors have."""
    return _KEPT[numpys]
