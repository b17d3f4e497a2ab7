"""LLVM's types for our dtypes, and numbers of these types as text."""

from __future__ import annotations

import ctypes
import struct
from typing import Any

import numpy as np

__all__ = ["BOOL", "F32", "F64", "I16", "I32", "I64", "KINDS", "kind_of", "literal", "memory_type"]


F32, F64, I64, I32, I16, BOOL = "float", "double", "i64", "i32", "i16", "i1"


KINDS = {"float32": F32, "float64": F64, "int64": I64, "int32": I32, "bool": BOOL}


# How many bits an integer has; what LLVM's functions of a type are called by.
BITS = {I64: 64, I32: 32, I16: 16, BOOL: 1}
SUFFIX = {F32: "f32", F64: "f64", I64: "i64", I32: "i32"}
# Tensors have none of 16 bits, but programs keep numbers of bfloat16 so.
_KINDS = {np.dtype(name): kind for name, kind in [*KINDS.items(), ("int16", I16)]}


def kind_of(dtype: Any) -> str:
    """Return LLVM's type for an element of `dtype`."""
    return _KINDS[np.dtype(dtype)]


def memory_type(kind: str) -> str:
    """Return the type that an element has in memory."""
    return "i8" if kind == BOOL else kind


def literal(value: Any, kind: str) -> str:
    """Return a number as LLVM writes it."""
    if kind in (F32, F64):
        exact = ctypes.c_float(value).value if kind == F32 else float(value)
        return f"0x{struct.unpack('<Q', struct.pack('<d', exact))[0]:016X}"
    if kind == BOOL:
        return "true" if value else "false"
    return str(int(value))
