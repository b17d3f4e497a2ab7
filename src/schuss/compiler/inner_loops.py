"""NumPy's own inner loops, called one after the other from machine code.

On ten numbers the checks before each of NumPy's calls take ten times what its arithmetic takes.
Here a plan says which inner loops of NumPy's functions run on which operands, and one function in
machine code goes through it. It computes nothing itself, and gives each loop what NumPy would give
it, so that the results are NumPy's to the last bit.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from schuss.lowering.ir_builder import BOOL, F32, F64, I64, Function, Scalar, kind_of
from schuss.native.cpython import (
    HEAD,
    LOOP_DATA,
    LOOPS,
    NumPyArray,
    address_of,
    are_arrays,
    argument,
    builtin,
    keep,
    library,
    pointer,
)
from schuss.native.jit import Library

__all__ = ["CLASSES", "COLUMN", "EACH", "FULL", "MOST", "NUMBER", "ONES", "ROW", "ROWS", "WHOLE"]
__all__ += ["MOST_ARGUMENTS", "MOST_REGISTERS", "PLACES", "TRUTH", "ZERO", "Operand"]
__all__ += ["Step", "bind"]

# What an array holds: rows of numbers, a number for each row, one number, a class for each row, or
# a number for each place in a row.
FULL, ROW, NUMBER, CLASSES, COLUMN = range(5)
# What one call of a loop goes over: all numbers, the numbers of a row, the rows, one number of each
# row, or the places in a row.
WHOLE, EACH, ROWS, ONES, PLACES = range(5)

MOST = 1024
_REGISTERS, MOST_ARGUMENTS = 16, 8

# The words of a plan, and of each step in it.
_COUNT, _ARRAY, _KIND, _CLASS_KIND, _SCRATCH, _NONE, _KEEP, _LENGTH, _KINDS = range(9)
_STEPS = _KINDS + MOST_ARGUMENTS
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
        is_truth: whether it holds booleans.
    """

    register: int
    kind: int
    at_class: bool = False
    is_truth: bool = False


# One register holds zeros.
MOST_REGISTERS = _REGISTERS - 1
ZERO = Operand(_REGISTERS - 1, NUMBER)
# Stands for what makes numbers, 1 and 0, of booleans, which may lie in the same place.
TRUTH = "truth"


@dataclass(frozen=True)
class Step:
    """One function of NumPy: what it goes over, its inputs, and last its result."""

    function: np.ufunc | str
    mode: int
    operands: tuple[Operand, ...]


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
    words = [0] * (_STEPS + _WORDS * len(steps))
    words[:_KINDS] = [
        len(kinds), id(np.ndarray), id(dtype), id(np.dtype(np.int64)), _scratch().ctypes.data,
        id(None), address_of(ctypes.pythonapi.Py_IncRef), len(steps),
    ]  # fmt: skip
    words[_KINDS : _KINDS + len(kinds)] = kinds
    for place, step in enumerate(steps):
        at = _STEPS + place * _WORDS
        words[at : at + 3] = [*_inner_loop(step.function, dtype), step.mode]
        for i, operand in enumerate(step.operands):
            item = 1 if operand.is_truth else dtype.itemsize
            # How many bytes lie between the operands of two calls, and of two elements in a call.
            full = operand.kind == FULL
            own = operand.kind == ROW
            along = full or operand.kind == COLUMN
            words[at + _INNER + i] = item * (along if step.mode in (WHOLE, EACH, PLACES) else own)
            words[at + _REGISTER + i] = operand.register
            words[at + _OUTER + i] = item * own
            words[at + _BY_LENGTH + i] = item * full
            words[at + _AT + i] = item * operand.at_class
    return builtin(_library(), "schuss_recipe", words)


@cache
def _scratch() -> Any:
    """Return the memory in between, the same for all: no two run at the same time."""
    return np.zeros((_REGISTERS, MOST), np.float64)


def _inner_loop(function: np.ufunc | str, dtype: np.dtype[Any]) -> tuple[int, int]:
    """Return the addresses of a function's inner loop for a dtype, and of what it asks for."""
    if isinstance(function, str):
        return _library().address(f"schuss_{function}_{kind_of(dtype)}"), 0
    taken = dtype.char * function.nin + "->"
    found = [kind for kind in function.types if kind in (taken + dtype.char, taken + "?")]
    place = 8 * function.types.index(found[0])
    at = id(function) + HEAD
    read: Any = ctypes.c_int64.from_address
    extra = read(at + LOOP_DATA).value
    return read(read(at + LOOPS).value + place).value, extra and read(extra + place).value


@cache
def _library() -> Library:
    return library({"schuss_recipe": _write_run}, *[_truth(kind) for kind in (F32, F64)])


def _truth(kind: str) -> str:
    """Return an inner loop as NumPy has them, which turns booleans into numbers."""
    f = Function(
        f"schuss_{TRUTH}_{kind}", ["ptr %pointers", "ptr %count", "ptr %steps", "ptr %extra"]
    )
    count = f.load("%count", 0, I64)
    begin, out = (pointer(f.load("%pointers", place, I64)) for place in range(2))
    with f.loop(0, count) as done:
        # From the end on, since numbers are longer and may lie where the booleans are.
        place = count - 1 - done
        f.store(f.load(begin, place, BOOL).to(kind), out, place)
    return f.text("")


def _write_run(f: Function) -> None:
    plan = pointer(NumPyArray(f, "%own").data())
    f.store(f.load(plan, _NONE, I64), "%place", 0)
    with f.when(are_arrays(f, f.load(plan, _COUNT, I64), f.load(plan, _ARRAY, I64))):
        first = argument(f, 0)
        ndim = first.ndim()
        with f.when(ndim.gt(0)):
            length = f.load(first.shape(), ndim - 1, I64)
            size = first.size()
            with f.when(size.gt(0) & size.le(MOST)):
                rows = f.make(f"sdiv {size.typed}, {length.name}", I64)
                run = _Run(f, plan, size, length, rows)
                with f.when(run.write_checks()):
                    run.write_steps()
                    f.store(f.load("%arguments", 0, I64), "%place", 0)
    keep(f, f.load(plan, _KEEP, I64))


class _Run:
    """Writes what goes through a plan."""

    def __init__(self, f: Function, plan: str, size: Scalar, length: Scalar, rows: Scalar) -> None:
        self.f = f
        self.plan = plan
        self.length = length
        self.rows = rows
        one = f.number(1)
        self.sizes = self._table(size, rows, one, rows, length)
        self.counts = self._table(size, length, rows, one, length)
        self.calls = self._table(one, rows, one, rows, one)
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
            array = argument(f, place)
            is_class = kind.eq(CLASSES)
            wanted = is_class.where(self._word(_CLASS_KIND), self._word(_KIND))
            good = array.is_plain(wanted)
            good &= array.size().eq(f.load(self.sizes, kind, I64))
            f.store(f.load(right, 0, I64) & good.to(I64), right, 0)
            data = array.data()
            f.store(data, self.registers, place)
            with f.when(is_class):
                f.store(data, self.classes, 0)
                f.store(good.where(self.rows, 0), picking, 0)
        classes = pointer(f.load(self.classes, 0, I64))
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
        classes = pointer(f.load(self.classes, 0, I64))
        with f.loop(0, self._word(_LENGTH)) as step:
            at = step * _WORDS + _STEPS
            mode = self._word(at + _MODE)
            f.store(f.load(self.counts, mode, I64), count, 0)
            loop, extra = (pointer(self._word(at + word)) for word in (_LOOP, _EXTRA))
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
