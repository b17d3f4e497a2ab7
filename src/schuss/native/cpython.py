"""Where CPython and NumPy keep their objects' fields: the only file that reads them by address.

To read a field takes nanoseconds where to ask Python for it takes a good part of a microsecond, and
machine code can ask for nothing at all. The layout is checked once, when it is first needed. Where
it is not known, no address is given, and everything is decided in plain Python, with equal results.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from types import CellType, MemberDescriptorType
from typing import TYPE_CHECKING, Any

import numpy as np

from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.llvm_types import I32, I64

if TYPE_CHECKING:
    pass

__all__ = ["NumPyArray", "address_of", "are_arrays", "argument", "array_data_address"]
__all__ += ["cell_address", "dict_version_address", "word_at"]
__all__ += ["builtin_function", "increment_address", "layout_is_known", "pointer"]
__all__ += [
    "COUNT_REFERENCES",
    "refcount_address",
    "reference_count",
    "slot_address",
    "unknown_layout",
]

# Offsets in bytes from an object's `id`. Of any object (PyObject, with CPython's global lock):
_REFCOUNT, _TYPE, _HEAD = 0, 8, 16
# Of an array (PyArrayObject_fields, which NumPy's binary interface of this version fixes):
_DATA, _NDIM, _SHAPE, _DTYPE, _FLAGS = 16, 24, 32, 56, 64
_NUMPY_ABI = 0x02000000
# Of a dictionary (PyDictObject), in the versions of CPython that have it:
_DICT_VERSION = 24
_C_CONTIGUOUS, _ALIGNED = 0x1, 0x100


def layout_is_known() -> bool:
    """Return whether fields are read by address; everything natively checked depends on it."""
    return not unknown_layout()


@cache
def unknown_layout() -> str:
    """Return what about this interpreter or NumPy is not known; an empty string if all is.

    Only objects made for it are read, within their size, and at last the shape of such an array.
    SCHUSS_PLAIN_PYTHON=1 makes the layout count as unknown.
    """
    if os.environ.get("SCHUSS_PLAIN_PYTHON", "0") not in ("", "0"):
        return "SCHUSS_PLAIN_PYTHON is set"
    if sys.implementation.name != "cpython":
        return f"the interpreter is {sys.implementation.name}"
    if ctypes.sizeof(ctypes.c_void_p) != 8:
        return "the interpreter is not of 64 bits"
    if object.__basicsize__ != _HEAD:
        return "objects have another head, as in free-threaded builds"
    if not _refcounts_are_as_expected():
        return "references are counted in another way"
    if _numpy_abi() != _NUMPY_ABI:
        return f"NumPy's binary interface is another ({_numpy_abi():#x})"
    if not _arrays_are_as_expected():
        return "NumPy's arrays have other fields"
    return ""


def _word(address: int) -> int:
    return ctypes.c_int64.from_address(address).value


def _half_word(address: int) -> int:
    return ctypes.c_int32.from_address(address).value


def _refcounts_are_as_expected() -> bool:
    held = [object()]
    one = _word(id(held[0]) + _REFCOUNT)
    held *= 5
    return (one, _word(id(held[0]) + _REFCOUNT)) == (1, 5)


def _numpy_abi() -> int:
    """Return the version of NumPy's binary interface, asked for as extension modules ask."""
    numpy_functions = import_module("numpy._core._multiarray_umath")._ARRAY_API
    get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
        ("PyCapsule_GetPointer", ctypes.pythonapi)
    )
    # The first in the table, in every version, is PyArray_GetNDArrayCVersion.
    get_version = ctypes.PYFUNCTYPE(ctypes.c_uint)(_word(get_pointer(numpy_functions, None)))
    return int(get_version())


def _arrays_are_as_expected() -> bool:
    x = np.zeros((2, 3), np.float32)
    at = id(x)
    return (
        np.ndarray.__basicsize__ >= _FLAGS + 4
        and _word(at + _TYPE) == id(np.ndarray)
        and _word(at + _DATA) == x.__array_interface__["data"][0]
        and _half_word(at + _NDIM) == 2
        and _word(at + _DTYPE) == id(x.dtype)
        and _half_word(at + _FLAGS) == x.flags.num
        and [_word(_word(at + _SHAPE) + 8 * axis) for axis in range(2)] == [2, 3]
    )


# Fields, for Python.


def array_data_address(array: np.ndarray[Any, Any]) -> int:
    """Return where an array's elements begin."""
    if layout_is_known():
        return _word(id(array) + _DATA)
    return int(array.__array_interface__["data"][0])


def slot_address(holder: Any, name: str) -> int | None:
    """Return the address of an object's slot, a word that holds the `id` of the slot's value.

    Args:
        holder: an object whose class, or a class that it derives from, has the slot.
        name: of the slot, as in `__slots__`.

    Returns:
        The address, or None where the layout is not known.
    """
    kind: Any = type(holder)
    offset = _slot_offset(kind, name) if layout_is_known() else None
    return None if offset is None else id(holder) + offset


@cache
def _slot_offset(kind: Any, name: str) -> int | None:
    # A property of a derived class may have the slot's name.
    owner = next(c for c in kind.__mro__ if isinstance(vars(c).get(name), MemberDescriptorType))
    probe: Any = object.__new__(owner)
    value = object()
    vars(owner)[name].__set__(probe, value)
    offsets = range(_HEAD, owner.__basicsize__, 8)
    found = [offset for offset in offsets if _word(id(probe) + offset) == id(value)]
    return found[0] if len(found) == 1 else None


def dict_version_address(held: dict[Any, Any]) -> int | None:
    """Return the address of the word that is another one after each change of a dictionary.

    None where the layout is not known, or dictionaries have no such word.
    """
    known = layout_is_known() and _dictionaries_have_versions()
    return id(held) + _DICT_VERSION if known else None


def cell_address(cell: CellType) -> int | None:
    """Return the address of the word that holds the `id` of what a closure's cell refers to."""
    known = layout_is_known() and _cells_are_as_expected()
    return id(cell) + _HEAD if known else None


def word_at(address: int) -> int:
    """Return the word at an address that one of the functions here gave."""
    return _word(address)


@cache
def _dictionaries_have_versions() -> bool:
    class Probe:
        x = 0

    if dict.__basicsize__ < _DICT_VERSION + 8:
        return False
    probe = Probe()
    probe.x = 0
    probes: list[tuple[dict[str, Any], Callable[[Any], object]]] = [
        ({"x": 0, "y": 0}, lambda held: held.update(x=1)),
        ({"x": 0}, lambda held: held.pop("x")),
        ({"x": 0}, lambda held: held.setdefault("y", 1)),
        (vars(probe), lambda held: setattr(probe, "x", object())),
    ]
    for held, change in probes:
        # Not only the first time, and not where nothing changes.
        seen = [_word(id(held) + _DICT_VERSION) for _ in range(2)]
        change(held)
        seen.append(_word(id(held) + _DICT_VERSION))
        held["x"] = object()
        seen.append(_word(id(held) + _DICT_VERSION))
        if seen[0] != seen[1] or len(set(seen)) != 3:
            return False
    return True


@cache
def _cells_are_as_expected() -> bool:
    value = object()
    cell = CellType(value)
    return CellType.__basicsize__ >= _HEAD + 8 and _word(id(cell) + _HEAD) == id(value)


def refcount_address(identity: int) -> int | None:
    """Return the address of the word that counts the references to the object with this `id`."""
    return identity + _REFCOUNT if layout_is_known() else None


# What counts the references to an object, those of the call among them; None where nothing does.
COUNT_REFERENCES: Callable[[object], int] | None = getattr(sys, "getrefcount", None)


def reference_count(identity: int) -> int | None:
    """Return how many references there are to the object with this `id`, which must be alive.

    None where the layout is not known: there may be any number of them.
    """
    return _word(identity + _REFCOUNT) if layout_is_known() else None


# Fields, for machine code.


def pointer(address: Scalar) -> str:
    """Return an address as a pointer."""
    return address.f.make(f"inttoptr {address.typed} to ptr", "ptr").name


class NumPyArray:
    """The fields of an object, taken for an array, in a function that is being written.

    Args:
        f: the function.
        pointer: the object.
    """

    def __init__(self, f: Function, pointer: str) -> None:
        self.f = f
        self.pointer = pointer

    def _field(self, offset: int, kind: str) -> Scalar:
        place = self.f.fresh("p")
        self.f.emit(f"{place} = getelementptr i8, ptr {self.pointer}, i64 {offset}")
        return self.f.load(place, 0, kind)

    def type(self) -> Scalar:
        """Return the address of the object's type, the only field that any object has."""
        return self._field(_TYPE, I64)

    def data(self) -> Scalar:
        """Return the address of the elements."""
        return self._field(_DATA, I64)

    def ndim(self) -> Scalar:
        """Return the number of axes."""
        return self._field(_NDIM, I32).to(I64)

    def shape(self) -> str:
        """Return where the lengths of the axes are."""
        return pointer(self._field(_SHAPE, I64))

    def dtype(self) -> Scalar:
        """Return the address of the dtype."""
        return self._field(_DTYPE, I64)

    def is_c_contiguous(self) -> Scalar:
        """Return whether the elements lie in memory in order, aligned."""
        wanted = _C_CONTIGUOUS | _ALIGNED
        return (self._field(_FLAGS, I32) & wanted).eq(wanted)

    # For eager kernels alone, see the end of this file.

    def is_plain(self, dtype: Scalar) -> Scalar:
        """Return whether the elements are of a dtype, and lie in memory in order, aligned."""
        return self.dtype().eq(dtype) & self.is_c_contiguous()

    def size(self) -> Scalar:
        """Return the number of elements."""
        f = self.f
        total = f.reserve(I64)
        f.store(f.number(1), total, 0)
        shape = self.shape()
        with f.loop(0, self.ndim()) as axis:
            f.store(f.load(total, 0, I64) * f.load(shape, axis, I64), total, 0)
        return f.load(total, 0, I64)


def argument(f: Function, place: Scalar | int) -> NumPyArray:
    """Return an argument of a builtin function, taken for an array."""
    return NumPyArray(f, pointer(f.load("%arguments", place, I64)))


def are_arrays(f: Function, count: Scalar, array_type: Scalar) -> Scalar:
    """Return whether there are `count` arguments, all of the type at the address `array_type`."""
    right = f.reserve(I64)
    f.store(f.parameter("count", I64).eq(count).to(I64), right, 0)
    with f.when(f.load(right, 0, I64).eq(1)), f.loop(0, count) as place:
        is_array = argument(f, place).type().eq(array_type)
        f.store(f.load(right, 0, I64) & is_array.to(I64), right, 0)
    return f.load(right, 0, I64).eq(1)


# Machine code as functions of Python's.


class _PyMethodDef(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_char_p),
        ("function", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    )


_METH_FASTCALL = 0x80
# A builtin function only knows the addresses of these.
_kept: list[Any] = []


def builtin_function(name: str, address: int, words: Sequence[int], code: object) -> Any:
    """Return machine code as a builtin function: calling it takes a tenth of a call by ctypes.

    Args:
        name: of the function.
        address: of a C function of `self`, the arguments' objects and their number, which returns
            a new reference.
        words: what it finds in `self`, an int64 array.
        code: what keeps the machine code in memory.
    """
    self = np.array(words, np.int64)
    method = _PyMethodDef(name.encode(), address, _METH_FASTCALL, None)
    _kept.append((method, self, code))
    make = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p)(
        ("PyCFunction_NewEx", ctypes.pythonapi)
    )
    return make(ctypes.addressof(method), self, None)


def increment_address() -> int:
    """Return the address of the C function that counts a new reference to an object."""
    return address_of(ctypes.pythonapi.Py_IncRef)


def address_of(function: Any) -> int:
    """Return the address of a function of a library."""
    return ctypes.cast(function, ctypes.c_void_p).value or 0
