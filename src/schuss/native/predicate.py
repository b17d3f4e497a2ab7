"""Predicates: machine code that answers yes or no about its arguments, as builtin functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.llvm_types import I64
from schuss.native.cpython import NumPyArray, builtin_function, increment_address, pointer
from schuss.native.jit import Library, load

__all__ = ["bind_predicate", "compile_predicate"]

# What comes in `self` before a predicate's own words.
_NO, _YES, _INCREMENT, _WORDS = range(4)


def compile_predicate(name: str, write: Callable[[Function, str], Scalar]) -> Library:
    """Return the machine code of a predicate.

    Args:
        name: of the function.
        write: writes it, and returns the answer, an i1. It is given the function, which has the
            parameters `%arguments`, pointers to the arguments' objects, and `%count`, how many
            they are; and a pointer to the words that `bind_predicate` is given.
    """
    f = Function(f"answer_{name}", ["ptr %self", "ptr %arguments", "i64 %count", "ptr %place"])
    words = pointer(NumPyArray(f, "%self").data())
    no, yes, increment = (f.load(words, i, I64) for i in (_NO, _YES, _INCREMENT))
    answer = write(f, f.address(words, _WORDS, I64)).where(yes, no)
    f.emit(f"call void {pointer(increment)}(ptr {pointer(answer)})")
    f.store(answer, "%place", 0)
    return load([], plain=[f.text() + _ENTRY.format(name=name) + _ATTRIBUTES])


_ENTRY = """define ptr @{name}(ptr %self, ptr %arguments, i64 %count) #0 {{
  %place = alloca ptr
  call void @answer_{name}(ptr %self, ptr %arguments, i64 %count, ptr %place)
  %answer = load ptr, ptr %place
  ret ptr %answer
}}
"""
_ATTRIBUTES = "attributes #0 = { nounwind }\n"


def bind_predicate(code: Library, name: str, words: Sequence[int] = ()) -> Callable[..., bool]:
    """Return a predicate as a builtin function.

    Args:
        code: from `compile_predicate`.
        name: of the function.
        words: numbers that it finds at each call.
    """
    before = [id(False), id(True), increment_address()]
    bound: Callable[..., bool]
    bound = builtin_function(name, code.address(name), [*before, *words], code)
    return bound
