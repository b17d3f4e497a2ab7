"""NumPy's own inner loops, called one after the other from machine code.

On ten numbers the checks before each of NumPy's calls take ten times what its arithmetic takes.
Here a plan says which inner loops of NumPy's functions run on which operands, and one function in
machine code goes through it. It computes nothing itself, and gives each loop what NumPy would give
it, so that the results are NumPy's to the last bit.
"""

from __future__ import annotations

import ctypes
import sys
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from schuss.compiler.native import Library, load
from schuss.compiler.scalars import I32, I64, Function, Scalar

__all__ = ["CLASSES", "COLUMN", "EACH", "FULL", "MOST", "NUMBER", "ONES", "ROW", "ROWS", "WHOLE"]
__all__ += ["ZERO", "Operand", "Step", "bind", "is_possible"]

# What an array holds: rows of numbers, a number for each row, one number, a class for each row, or
# a number for each place in a row.
FULL, ROW, NUMBER, CLASSES, COLUMN = range(5)
# What one call of a loop goes over: all numbers, the numbers of a row, the rows, or one number of
# each row.
WHOLE, EACH, ROWS, ONES = range(4)

MOST = 1024
_REGISTERS, _ARGUMENTS = 16, 8

# Of the public layout of NumPy's objects, in bytes behind the head of each object.
_HEAD = object.__basicsize__
_TYPE = 8 - _HEAD
_DATA, _NDIM, _SHAPE, _DTYPE, _FLAGS = 0, 8, 16, 40, 48
_NIN, _NOUT, _LOOPS, _LOOP_DATA, _TYPES = 0, 4, 16, 24, 32
_IN_ORDER = 0x1 | 0x100

# The words of a plan, and of each step in it.
_COUNT, _ARRAY, _KIND, _CLASS_KIND, _SCRATCH, _NONE, _KEEP, _LENGTH, _KINDS = range(9)
_STEPS = _KINDS + _ARGUMENTS
_LOOP, _EXTRA, _MODE, _INNER, _REGISTER, _OUTER, _BY_LENGTH, _AT, _WORDS = (
    0, 1, 2, 3, 6, 9, 12, 15, 18,
)  # fmt: skip


@dataclass(frozen=True)
class Operand:
    """An operand of a step.

    Args:
        register: the number of an argument, or of memory in between.
        kind: FULL, ROW, NUMBER or COLUMN.
        at_class: whether of each row only the number is meant that its class names.
    """

    register: int
    kind: int
    at_class: bool = False


# One register holds zeros.
ZERO = Operand(_REGISTERS - 1, NUMBER)


@dataclass(frozen=True)
class Step:
    """One function of NumPy: what it goes over, its inputs, and last its result."""

    function: np.ufunc
    mode: int
    operands: tuple[Operand, ...]


def is_possible() -> bool:
    """Return whether this Python and this NumPy keep their objects as expected here."""
    if sys.implementation.name != "cpython" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return False
    if not getattr(sys, "_is_gil_enabled", lambda: True)():
        return False
    x = np.zeros((2, 3), np.float32)
    at = id(x) + _HEAD
    read: Any = ctypes.c_int64.from_address
    half: Any = ctypes.c_int32.from_address
    function = id(np.exp) + _HEAD
    return bool(
        read(at + _DATA).value == x.ctypes.data
        and half(at + _NDIM).value == 2
        and [read(read(at + _SHAPE).value + 8 * i).value for i in range(2)] == [2, 3]
        and read(at + _DTYPE).value == id(x.dtype)
        and half(at + _FLAGS).value & _IN_ORDER == _IN_ORDER
        and half(function + _NIN).value == np.exp.nin
        and half(function + _NOUT).value == np.exp.nout
        and half(function + _TYPES).value == np.exp.ntypes
    )


def bind(steps: list[Step], kinds: list[int], dtype: np.dtype[Any]) -> Any:
    """Return a function of arrays that runs the steps.

    Args:
        steps: in order; registers from the number of arguments on are memory in between.
        kinds: what each argument holds; the first is FULL.
        dtype: of all numbers, float32 or float64; classes are int64.

    Returns:
        A function that gives its first argument back, or None when it did nothing: when the
        arguments are not contiguous, of other dtypes, or of lengths that do not go together, when
        there are more than `MOST` numbers, or a class names none.
    """
    item = dtype.itemsize
    words = [0] * (_STEPS + _WORDS * len(steps))
    words[:_KINDS] = [
        len(kinds), id(np.ndarray), id(dtype), id(np.dtype(np.int64)), _scratch().ctypes.data,
        id(None), _address(ctypes.pythonapi.Py_IncRef), len(steps),
    ]  # fmt: skip
    words[_KINDS : _KINDS + len(kinds)] = kinds
    for place, step in enumerate(steps):
        at = _STEPS + place * _WORDS
        words[at : at + 3] = [*_inner_loop(step.function, dtype), step.mode]
        for i, operand in enumerate(step.operands):
            # How many bytes lie between the operands of two calls, and of two elements in a call.
            full = operand.kind == FULL
            own = operand.kind == ROW
            along = full or operand.kind == COLUMN
            words[at + _INNER + i] = item * (along if step.mode in (WHOLE, EACH) else own)
            words[at + _REGISTER + i] = operand.register
            words[at + _OUTER + i] = item * own
            words[at + _BY_LENGTH + i] = item * full
            words[at + _AT + i] = item * operand.at_class
    return _callable("schuss_recipe", np.array(words, np.int64))


@cache
def _scratch() -> Any:
    """Return the memory in between, the same for all: no two run at the same time."""
    return np.zeros((_REGISTERS, MOST), np.float64)


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _inner_loop(function: np.ufunc, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return the addresses of a function's inner loop for a dtype, and of what it asks for."""
    signature = dtype.char * function.nin + "->" + dtype.char * function.nout
    place = 8 * function.types.index(signature)
    at = id(function) + _HEAD
    read: Any = ctypes.c_int64.from_address
    extra = read(at + _LOOP_DATA).value
    return read(read(at + _LOOPS).value + place).value, extra and read(extra + place).value


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


def _callable(name: str, own: Any) -> Any:
    """Return a function of the library as one of Python's, which passes `own` to it."""
    method = _Method(name.encode(), _library().address(name), _FASTCALL, None)
    _kept.append((method, own))
    make = ctypes.pythonapi.PyCFunction_NewEx
    make.restype = ctypes.py_object
    make.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return make(ctypes.addressof(method), own, None)


@cache
def _library() -> Library:
    text = [_written("run", _write_run), _ENTRY.format(name="schuss_recipe", inner="run")]
    return load([], [], plain=["\n".join([*text, "attributes #0 = { nounwind }"])])


_ENTRY = """define ptr @{name}(ptr %own, ptr %arguments, i64 %count) #0 {{
  %place = alloca ptr
  call void @{inner}(ptr %own, ptr %arguments, i64 %count, ptr %place)
  %found = load ptr, ptr %place
  ret ptr %found
}}
"""


def _written(name: str, write: Any) -> str:
    f = Function(name, ["ptr %own", "ptr %arguments", "i64 %count", "ptr %place"])
    write(f)
    return f.text()


class _Object:
    """An array of NumPy's, as the machine code sees it."""

    def __init__(self, f: Function, pointer: str) -> None:
        self.f = f
        self.pointer = pointer

    def field(self, offset: int, kind: str) -> Scalar:
        """Return a field."""
        place = self.f.fresh("p")
        self.f.emit(f"{place} = getelementptr i8, ptr {self.pointer}, i64 {_HEAD + offset}")
        return self.f.load(place, 0, kind)

    def memory(self, offset: int) -> str:
        """Return the address that a field holds."""
        return _pointer(self.field(offset, I64))

    def size(self) -> Scalar:
        """Return the number of elements."""
        f = self.f
        total = f.reserve(I64)
        f.store(f.number(1), total, 0)
        shape = self.memory(_SHAPE)
        with f.loop(0, self.field(_NDIM, I32).to(I64)) as axis:
            f.store(f.load(total, 0, I64) * f.load(shape, axis, I64), total, 0)
        return f.load(total, 0, I64)


def _pointer(address: Scalar) -> str:
    return address.f.make(f"inttoptr {address.typed} to ptr", "ptr").name


def _argument(f: Function, place: Scalar | int) -> _Object:
    return _Object(f, _pointer(f.load("%arguments", place, I64)))


def _write_run(f: Function) -> None:
    plan = _Object(f, "%own").memory(_DATA)
    f.store(f.load(plan, _NONE, I64), "%place", 0)
    with f.when(_are_arrays(f, plan)):
        first = _argument(f, 0)
        ndim = first.field(_NDIM, I32).to(I64)
        with f.when(ndim.gt(0)):
            length = f.load(first.memory(_SHAPE), ndim - 1, I64)
            size = first.size()
            with f.when(size.gt(0) & size.le(MOST)):
                rows = f.make(f"sdiv {size.typed}, {length.name}", I64)
                run = _Run(f, plan, size, length, rows)
                with f.when(run.write_checks()):
                    run.write_steps()
                    f.store(f.load("%arguments", 0, I64), "%place", 0)
    found = f.load("%place", 0, I64)
    f.emit(f"call void {_pointer(f.load(plan, _KEEP, I64))}(ptr {_pointer(found)})")


def _are_arrays(f: Function, plan: str) -> Scalar:
    """Return whether there are as many arguments as planned, all of them arrays."""
    right = f.reserve(I64)
    count = f.load(plan, _COUNT, I64)
    f.store(f.parameter("count", I64).eq(count).to(I64), right, 0)
    with f.when(f.load(right, 0, I64).eq(1)), f.loop(0, count) as place:
        is_array = _argument(f, place).field(_TYPE, I64).eq(f.load(plan, _ARRAY, I64))
        f.store(f.load(right, 0, I64) & is_array.to(I64), right, 0)
    return f.load(right, 0, I64).eq(1)


class _Run:
    """Writes what goes through a plan."""

    def __init__(self, f: Function, plan: str, size: Scalar, length: Scalar, rows: Scalar) -> None:
        self.f = f
        self.plan = plan
        self.length = length
        self.rows = rows
        one = f.number(1)
        self.sizes = self._table(size, rows, one, rows, length)
        self.counts = self._table(size, length, rows, one)
        self.calls = self._table(one, rows, one, rows)
        self.registers = f.reserve(I64, _REGISTERS)
        # The address of the classes, of one 0 where there are none.
        self.classes = self._table(f.number(0))
        self.nothing = self._table(f.number(0))

    def _table(self, *values: Scalar) -> str:
        table = self.f.reserve(I64, len(values))
        for i, value in enumerate(values):
            self.f.store(value, table, i)
        return table

    def _word(self, place: Scalar | int) -> Scalar:
        return self.f.load(self.plan, place, I64)

    def write_checks(self) -> Scalar:
        """Write the arguments' addresses into registers; return whether all is as planned."""
        f = self.f
        right = f.reserve(I64)
        f.store(f.number(1), right, 0)
        picking = f.reserve(I64)
        f.store(f.number(0), picking, 0)
        f.store(f.make(f"ptrtoint ptr {self.nothing} to i64", I64), self.classes, 0)
        with f.loop(0, self._word(_COUNT)) as place:
            kind = self._word(place + _KINDS)
            array = _argument(f, place)
            is_class = kind.eq(CLASSES)
            wanted = is_class.where(self._word(_CLASS_KIND), self._word(_KIND))
            good = array.field(_DTYPE, I64).eq(wanted)
            good &= (array.field(_FLAGS, I32) & _IN_ORDER).eq(_IN_ORDER)
            good &= array.size().eq(f.load(self.sizes, kind, I64))
            f.store(f.load(right, 0, I64) & good.to(I64), right, 0)
            data = array.field(_DATA, I64)
            f.store(data, self.registers, place)
            with f.when(is_class):
                f.store(data, self.classes, 0)
                f.store(good.where(self.rows, 0), picking, 0)
        classes = _pointer(f.load(self.classes, 0, I64))
        with f.loop(0, f.load(picking, 0, I64)) as row:
            named = f.load(classes, row, I64)
            good = named.ge(0) & named.lt(self.length)
            f.store(f.load(right, 0, I64) & good.to(I64), right, 0)
        with f.loop(self._word(_COUNT), _REGISTERS) as place:
            f.store(self._word(_SCRATCH) + place * (MOST * 8), self.registers, place)
        return f.load(right, 0, I64).eq(1)

    def write_steps(self) -> None:
        """Write the calls of NumPy's loops."""
        f = self.f
        pointers, count = f.reserve(I64, 3), f.reserve(I64)
        classes = _pointer(f.load(self.classes, 0, I64))
        with f.loop(0, self._word(_LENGTH)) as step:
            at = step * _WORDS + _STEPS
            mode = self._word(at + _MODE)
            f.store(f.load(self.counts, mode, I64), count, 0)
            loop, extra = (_pointer(self._word(at + word)) for word in (_LOOP, _EXTRA))
            inner = f.address(self.plan, at + _INNER, I64)
            begins = [f.load(self.registers, self._word(at + _REGISTER + i), I64) for i in range(3)]
            strides = [
                self._word(at + _OUTER + i) + self._word(at + _BY_LENGTH + i) * self.length
                for i in range(3)
            ]
            offsets = [self._word(at + _AT + i) for i in range(3)]
            with f.loop(0, f.load(self.calls, mode, I64)) as call:
                for i in range(3):
                    # Elsewhere than at a class it is the first that is read, and not used.
                    place = offsets[i].ne(0).where(call, 0)
                    shift = f.load(classes, place, I64) * offsets[i]
                    f.store(begins[i] + call * strides[i] + shift, pointers, i)
                f.emit(f"call void {loop}(ptr {pointers}, ptr {count}, ptr {inner}, ptr {extra})")
