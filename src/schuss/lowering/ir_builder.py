"""LLVM IR as text: functions, loops, and typed scalars with operators."""

from __future__ import annotations

import math
import operator
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from schuss.lowering.llvm_types import BITS, BOOL, F32, F64, I32, I64, SUFFIX, literal, memory_type

__all__ = ["Function", "Scalar"]


class Scalar:
    """A value in a register: operators write instructions into its function."""

    __slots__ = ("f", "kind", "name")

    def __init__(self, f: Function, name: str, kind: str) -> None:
        self.f = f
        self.name = name
        self.kind = kind

    @property
    def typed(self) -> str:
        """The value with its type, as an argument."""
        return f"{self.kind} {self.name}"

    @property
    def is_float(self) -> bool:
        """Whether it is a floating-point number."""
        return self.kind in (F32, F64)

    @property
    def is_literal(self) -> bool:
        """Whether it is a number in the text."""
        return self.name[0] != "%"

    def like(self, value: Any) -> Scalar:
        """Return a number (or a scalar) in this scalar's type."""
        if isinstance(value, Scalar):
            return value.to(self.kind)
        return Scalar(self.f, literal(value, self.kind), self.kind)

    def op(self, instruction: str, other: Any, flags: str = "") -> Scalar:
        """Write a two-operand instruction."""
        y = self.like(other)
        return self.f.make(f"{instruction}{flags} {self.kind} {self.name}, {y.name}", self.kind)

    def __add__(self, other: Any) -> Scalar:
        if self.kind == BOOL:
            return self.op("or", other)
        if self.is_float:
            return self.op("fadd", other, self.f.arithmetic)
        return self._whole("add", operator.add, other)

    def __sub__(self, other: Any) -> Scalar:
        if self.kind == BOOL:
            return self.op("xor", other)
        if self.is_float:
            return self.op("fsub", other, self.f.arithmetic)
        return self._whole("sub", operator.sub, other)

    def __mul__(self, other: Any) -> Scalar:
        if self.kind == BOOL:
            return self.op("and", other)
        if self.is_float:
            return self.op("fmul", other, self.f.arithmetic)
        return self._whole("mul", operator.mul, other)

    def _whole(self, instruction: str, function: Callable[[int, int], int], other: Any) -> Scalar:
        """Write integer arithmetic, but for what is known now: most of it finds addresses."""
        y = self.like(other)
        neutral = "1" if instruction == "mul" else "0"
        if y.name == neutral:
            return self
        if self.name == neutral and instruction != "sub":
            return y
        if self.is_literal and y.is_literal:
            half = 1 << BITS[self.kind] - 1
            exact = function(int(self.name), int(y.name))
            return self.like((exact + half) % (2 * half) - half)
        return self.op(instruction, y)

    def __truediv__(self, other: Any) -> Scalar:
        return self.op("fdiv", other)

    def __neg__(self) -> Scalar:
        if self.is_float:
            return self.f.make(f"fneg {self.typed}", self.kind)
        return self.like(0).op("sub", self)

    def __and__(self, other: Any) -> Scalar:
        return self.op("and", other)

    def __or__(self, other: Any) -> Scalar:
        return self.op("or", other)

    def __xor__(self, other: Any) -> Scalar:
        return self.op("xor", other)

    def __invert__(self) -> Scalar:
        return self.op("xor", 1 if self.kind == BOOL else -1)

    def __lshift__(self, other: Any) -> Scalar:
        return self.op("shl", other)

    def __rshift__(self, other: Any) -> Scalar:
        """Shift right without sign."""
        return self.op("lshr", other)

    def _compare(self, real: str, whole: str, other: Any) -> Scalar:
        y = self.like(other)
        code = f"fcmp {real}" if self.is_float else f"icmp {whole}"
        if self.kind == BOOL:
            code = code.replace("icmp s", "icmp u")
        return self.f.make(f"{code} {self.kind} {self.name}, {y.name}", BOOL)

    def lt(self, other: Any) -> Scalar:
        """Return self < other; false for nan."""
        return self._compare("olt", "slt", other)

    def le(self, other: Any) -> Scalar:
        """Return self <= other; false for nan."""
        return self._compare("ole", "sle", other)

    def gt(self, other: Any) -> Scalar:
        """Return self > other; false for nan."""
        return self._compare("ogt", "sgt", other)

    def ge(self, other: Any) -> Scalar:
        """Return self >= other; false for nan."""
        return self._compare("oge", "sge", other)

    def eq(self, other: Any) -> Scalar:
        """Return self == other; false for nan."""
        return self._compare("oeq", "eq", other)

    def ne(self, other: Any) -> Scalar:
        """Return self != other; true for nan."""
        return self._compare("une", "ne", other)

    def isnan(self) -> Scalar:
        """Return whether it is not a number."""
        if not self.is_float:
            return Scalar(self.f, "false", BOOL)
        return self._compare("uno", "ne", self)

    def where(self, yes: Scalar, no: Any) -> Scalar:
        """Return `yes` where this condition holds, and `no` elsewhere."""
        n = yes.like(no)
        return self.f.make(f"select i1 {self.name}, {yes.typed}, {n.typed}", yes.kind)

    def call(self, intrinsic: str, *others: Any) -> Scalar:
        """Call LLVM's intrinsic of this type."""
        args = [self, *[self.like(o) for o in others]]
        name = f"@llvm.{intrinsic}.{SUFFIX[self.kind]}"
        self.f.declare(name, self.kind, [a.kind for a in args])
        return self.f.make(
            f"call {self.kind} {name}({', '.join(a.typed for a in args)})", self.kind
        )

    def library(self, name: str, *others: Any) -> Scalar:
        """Call the C library's function for float64; float32 goes through float64."""
        args = [self.to(F64), *[self.like(o).to(F64) for o in others]]
        self.f.declare(f"@{name}", F64, [F64] * len(args))
        out = self.f.make(f"call double @{name}({', '.join(a.typed for a in args)})", F64)
        return out.to(self.kind)

    def fma(self, y: Any, z: Any) -> Scalar:
        """Return self * y + z, rounded once."""
        return self.call("fma", y, z)

    def polynomial(self, coefficients: Any) -> Scalar:
        """Return the polynomial with these coefficients, the highest power first."""
        total = self.like(coefficients[0])
        for c in coefficients[1:]:
            total = total.fma(self, c)
        return total

    def abs(self) -> Scalar:
        """Return the absolute value."""
        if self.kind == BOOL:
            return self
        return self.call("fabs") if self.is_float else self.lt(0).where(-self, self)

    def minimum(self, other: Any) -> Scalar:
        """Return the smaller one; nan where one is."""
        return self._extreme("minimum", "smin", other)

    def maximum(self, other: Any) -> Scalar:
        """Return the larger one; nan where one is."""
        return self._extreme("maximum", "smax", other)

    def _extreme(self, real: str, whole: str, other: Any) -> Scalar:
        if self.kind == BOOL:
            return self.op("and" if real == "minimum" else "or", other)
        return self.call(real if self.is_float else whole, other)

    def bits(self) -> Scalar:
        """Return a float's bits as an integer, or an integer's as a float."""
        kind = {F32: I32, F64: I64, I32: F32, I64: F64}[self.kind]
        return self.f.make(f"bitcast {self.typed} to {kind}", kind)

    def to(self, kind: str) -> Scalar:
        """Return the value converted to another type, as NumPy's astype."""
        if kind == self.kind:
            return self
        if self.is_literal:
            known = self._known()
            if known is not None:
                return Scalar(self.f, literal(known, kind), kind)
        if kind == BOOL:
            return self.ne(0)
        if self.is_float and kind in (F32, F64):
            code = "fpext" if kind == F64 else "fptrunc"
        elif self.is_float:
            return self._to_integer(kind)
        elif kind in (F32, F64):
            code = "uitofp" if self.kind == BOOL else "sitofp"
        elif BITS[kind] > BITS[self.kind]:
            code = "zext" if self.kind == BOOL else "sext"
        else:
            code = "trunc"
        return self.f.make(f"{code} {self.typed} to {kind}", kind)

    def _to_integer(self, kind: str) -> Scalar:
        # What does not fit gives the smallest integer, as the processor's own conversion does.
        bits = BITS[kind]
        low, high = -(2.0 ** (bits - 1)), 2.0 ** (bits - 1)
        wide = self.to(F64)
        fits = wide.ge(low) & wide.lt(high)
        safe = fits.where(wide, 0.0)
        out = self.f.make(f"fptosi {safe.typed} to {kind}", kind)
        return fits.where(out, -(2 ** (bits - 1)))

    def _known(self) -> Any:
        if self.kind == BOOL:
            return self.name == "true"
        if self.is_float:
            raw = struct.unpack("<d", struct.pack("<Q", int(self.name, 16)))[0]
            return None if math.isnan(raw) else raw
        return int(self.name)


class Function:
    """A function of LLVM's text form that is being written."""

    def __init__(self, name: str, parameters: list[str], *, attributes: str = "#0") -> None:
        self.name = name
        self.parameters = parameters
        self.attributes = attributes
        self.lines: list[str] = []
        self.reserved: list[str] = []
        self.declared: dict[str, str] = {}
        self.block = "entry"
        # Parameters that are always the same.
        self.known: dict[str, Scalar] = {}
        # Nothing is relaxed: LLVM would make one operation of a product and a sum in whole vectors,
        # but not in what is left over, and so other bits by how threads share a loop.
        self.arithmetic = ""
        self._count = 0

    def fresh(self, stem: str = "v") -> str:
        """Return a name that is not taken."""
        self._count += 1
        return f"%{stem}{self._count}"

    def emit(self, line: str) -> None:
        """Write an instruction without a result."""
        self.lines.append("  " + line)

    def make(self, instruction: str, kind: str) -> Scalar:
        """Write an instruction, and return its result."""
        name = self.fresh()
        self.lines.append(f"  {name} = {instruction}")
        return Scalar(self, name, kind)

    def declare(self, name: str, result: str, parameters: list[str]) -> None:
        """Say that a function exists elsewhere."""
        self.declared[name] = f"declare {result} {name}({', '.join(parameters)})"

    def number(self, value: Any, kind: str = I64) -> Scalar:
        """Return a literal."""
        return Scalar(self, literal(value, kind), kind)

    def parameter(self, name: str, kind: str) -> Scalar:
        """Return a parameter as a scalar, or what is known of it."""
        if name in self.known:
            return self.known[name]
        return Scalar(self, f"%{name}", kind)

    # Memory. Pointers are names; offsets count elements.

    def address(self, pointer: str, offset: Scalar | int, kind: str) -> str:
        """Return the address of an element."""
        if isinstance(offset, int):
            offset = self.number(offset)
        if offset.name == "0":
            return pointer
        name = self.fresh("p")
        self.emit(
            f"{name} = getelementptr inbounds {memory_type(kind)}, ptr {pointer}, {offset.typed}"
        )
        return name

    def load(self, pointer: str, offset: Scalar | int, kind: str) -> Scalar:
        """Read an element."""
        place = self.address(pointer, offset, kind)
        if kind == BOOL:
            byte = self.make(f"load i8, ptr {place}, align 1", "i8")
            return self.make(f"icmp ne i8 {byte.name}, 0", BOOL)
        return self.make(f"load {kind}, ptr {place}", kind)

    def store(self, value: Scalar, pointer: str, offset: Scalar | int) -> None:
        """Write an element."""
        place = self.address(pointer, offset, value.kind)
        if value.kind == BOOL:
            value = self.make(f"zext {value.typed} to i8", "i8")
        self.emit(f"store {value.typed}, ptr {place}")

    def reserve(self, kind: str, count: int = 1) -> str:
        """Return the address of elements on the stack, aligned to 64 bytes."""
        name = self.fresh("a")
        self.reserved.append(f"  {name} = alloca [{count} x {memory_type(kind)}], align 64")
        return name

    # Control.

    def label(self, name: str) -> None:
        """Begin a block."""
        self.lines.append(f"{name[1:]}:")
        self.block = name[1:]

    @contextmanager
    def loop(self, start: Scalar | int, stop: Scalar | int, step: int = 1) -> Iterator[Scalar]:
        """Run the body for start, start + step, ... below stop."""
        first = self.number(start) if isinstance(start, int) else start
        last = self.number(stop) if isinstance(stop, int) else stop
        body, latch, done = self.fresh("body"), self.fresh("latch"), self.fresh("done")
        before = self.block
        if first.is_literal and last.is_literal and int(first.name) < int(last.name):
            self.emit(f"br label {body}")
        else:
            some = self.make(f"icmp slt i64 {first.name}, {last.name}", BOOL)
            self.emit(f"br i1 {some.name}, label {body}, label {done}")
        self.label(body)
        index, following = self.fresh("i"), self.fresh("n")
        self.emit(f"{index} = phi i64 [ {first.name}, %{before} ], [ {following}, {latch} ]")
        yield Scalar(self, index, I64)
        self.emit(f"br label {latch}")
        self.label(latch)
        self.emit(f"{following} = add nsw i64 {index}, {step}")
        more = self.make(f"icmp slt i64 {following}, {last.name}", BOOL)
        self.emit(f"br i1 {more.name}, label {body}, label {done}")
        self.label(done)

    @contextmanager
    def when(self, condition: Scalar) -> Iterator[None]:
        """Run the body if `condition` holds."""
        yes, done = self.fresh("then"), self.fresh("done")
        self.emit(f"br i1 {condition.name}, label {yes}, label {done}")
        self.label(yes)
        yield
        self.emit(f"br label {done}")
        self.label(done)

    @contextmanager
    def repeat(self) -> Iterator[Repeat]:
        """Run the body again and again, until `Repeat.leave`."""
        body, done = self.fresh("body"), self.fresh("done")
        self.emit(f"br label {body}")
        self.label(body)
        yield Repeat(self, done)
        self.emit(f"br label {body}")
        self.label(done)

    def leave(self, condition: Scalar, *last: str) -> None:
        """Return from the function if `condition` holds, after some more instructions."""
        out, on = self.fresh("out"), self.fresh("on")
        self.emit(f"br i1 {condition.name}, label {out}, label {on}")
        self.label(out)
        for line in (*last, "ret void"):
            self.emit(line)
        self.label(on)

    def text(self, linkage: str = "internal ") -> str:
        """Return the whole function."""
        body = "\n".join(["entry:", *self.reserved, *self.lines, "  ret void"])
        head = f"define {linkage}void @{self.name}({', '.join(self.parameters)}) {self.attributes}"
        return f"{head} {{\n{body}\n}}\n"


class Repeat:
    """A way out of `Function.repeat`."""

    def __init__(self, f: Function, done: str) -> None:
        self._f = f
        self._done = done

    def leave(self, condition: Scalar) -> None:
        """Leave the loop if `condition` holds."""
        on = self._f.fresh("go")
        self._f.emit(f"br i1 {condition.name}, label {self._done}, label {on}")
        self._f.label(on)
