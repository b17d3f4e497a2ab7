"""Python's and NumPy's objects, as machine code sees them, and its functions as Python's.

On ten numbers a call through ctypes takes as long as two of NumPy's. What is called for so few is
a builtin function of Python's instead, which finds the numbers in its arguments by itself.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from schuss.lowering.ir_builder import I32, I64, Function, Scalar
from schuss.native.jit import Library, load

__all__ = ["DATA", "HEAD", "LOOPS", "LOOP_DATA", "NIN", "NOUT", "TYPES", "NumPyArray", "address_of"]
__all__ += ["are_arrays", "argument", "builtin", "is_possible", "keep", "library", "pointer"]

# Of the public layout of NumPy's objects, in bytes behind the head of each object.
HEAD = object.__basicsize__
_TYPE = 8 - HEAD
DATA, _NDIM, _SHAPE, _DTYPE, _FLAGS = 0, 8, 16, 40, 48
NIN, NOUT, LOOPS, LOOP_DATA, TYPES = 0, 4, 16, 24, 32
_IN_ORDER = 0x1 | 0x100


@cache
def is_possible() -> bool:
    """Return whether this Python and this NumPy keep their objects as expected here."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    x = np.zeros((2, 3), np.float32)
    at = id(x) + HEAD
    read: Any = ctypes.c_int64.from_address
    half: Any = ctypes.c_int32.from_address
    function = id(np.exp) + HEAD
    return bool(
        read(at + DATA).value == x.ctypes.data
        and half(at + _NDIM).value == 2
        and [read(read(at + _SHAPE).value + 8 * i).value for i in range(2)] == [2, 3]
        and read(at + _DTYPE).value == id(x.dtype)
        and half(at + _FLAGS).value & _IN_ORDER == _IN_ORDER
        and half(function + NIN).value == np.exp.nin
        and half(function + NOUT).value == np.exp.nout
        and half(function + TYPES).value == np.exp.ntypes
    )


def address_of(function: Any) -> int:
    """Return the address of a function of a library."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0


class _Method(ctypes.Structure):
    """Python's PyMethodDef."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_FASTCALL = 0x80
# Python keeps addresses of these alone.
_kept: list[Any] = []


def builtin(code: Library, name: str, words: list[int]) -> Any:
    """Return a function of a library as one of Python's.

    Args:
        code: holds the function, which `library` has made.
        name: its name.
        words: numbers that it is given at each call.
    """
    own = np.array(words, np.int64)
    method = _Method(name.encode(), code.address(name), _FASTCALL, None)
    _kept.append((method, own, code))
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return make(ctypes.addressof(method), own, None)


def library(writers: dict[str, Callable[[Function], None]], *more: str) -> Library:
    """Return functions that are called by Python.

    Args:
        writers: what writes each, by its name. It has the parameters `%own`, an array of words,
            `%arguments`, the arguments' objects, and `%count`, how many they are; and it leaves
            at `%place` the object that is returned, see `keep`.
        more: other functions' texts.
    """
    texts = list(more)
    for name, write in writers.items():
        f = Function(f"run_{name}", ["ptr %own", "ptr %arguments", "i64 %count", "ptr %place"])
        write(f)
        texts += [f.text(), _ENTRY.format(name=name)]
    return load([], plain=["\n".join([*texts, "attributes #0 = { nounwind }"])])


_ENTRY = """define ptr @{name}(ptr %own, ptr %arguments, i64 %count) #0 {{
  %place = alloca ptr
  call void @run_{name}(ptr %own, ptr %arguments, i64 %count, ptr %place)
  %found = load ptr, ptr %place
  ret ptr %found
}}
"""


class NumPyArray:
    """An array of NumPy's, as the machine code sees it."""

    def __init__(self, f: Function, pointer: str) -> None:
        self.f = f
        self.pointer = pointer

    def _field(self, offset: int, kind: str) -> Scalar:
        place = self.f.fresh("p")
        self.f.emit(f"{place} = getelementptr i8, ptr {self.pointer}, i64 {HEAD + offset}")
        return self.f.load(place, 0, kind)

    def type(self) -> Scalar:
        """Return the address of the object's type, which need not be an array's."""
        return self._field(_TYPE, I64)

    def data(self) -> Scalar:
        """Return the address of the numbers."""
        return self._field(DATA, I64)

    def ndim(self) -> Scalar:
        """Return the number of axes."""
        return self._field(_NDIM, I32).to(I64)

    def shape(self) -> str:
        """Return where the lengths of the axes are."""
        return pointer(self._field(_SHAPE, I64))

    def is_plain(self, dtype: Scalar) -> Scalar:
        """Return whether the numbers are of a dtype, and lie in memory in order."""
        flags = self._field(_FLAGS, I32) & _IN_ORDER
        return self._field(_DTYPE, I64).eq(dtype) & flags.eq(_IN_ORDER)

    def size(self) -> Scalar:
        """Return the number of elements."""
        f = self.f
        total = f.reserve(I64)
        f.store(f.number(1), total, 0)
        shape = self.shape()
        with f.loop(0, self.ndim()) as axis:
            f.store(f.load(total, 0, I64) * f.load(shape, axis, I64), total, 0)
        return f.load(total, 0, I64)


def pointer(address: Scalar) -> str:
    """Return an address as a pointer."""
    return address.f.make(f"inttoptr {address.typed} to ptr", "ptr").name


def argument(f: Function, place: Scalar | int) -> NumPyArray:
    """Return one of the arguments, taken for an array."""
    return NumPyArray(f, pointer(f.load("%arguments", place, I64)))


def are_arrays(f: Function, count: Scalar, kind: Scalar) -> Scalar:
    """Return whether there are `count` arguments, all of the type at the address `kind`."""
    right = f.reserve(I64)
    f.store(f.parameter("count", I64).eq(count).to(I64), right, 0)
    with f.when(f.load(right, 0, I64).eq(1)), f.loop(0, count) as place:
        f.store(f.load(right, 0, I64) & argument(f, place).type().eq(kind).to(I64), right, 0)
    return f.load(right, 0, I64).eq(1)


def keep(f: Function, increment: Scalar) -> None:
    """Count the new reference to what is returned, by the function at the address `increment`."""
    found = f.load("%place", 0, I64)
    f.emit(f"call void {pointer(increment)}(ptr {pointer(found)})")
