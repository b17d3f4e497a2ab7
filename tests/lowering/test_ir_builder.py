"""Writing LLVM's text form: what is known while writing is not left to LLVM."""

from __future__ import annotations

import pytest

from schuss.lowering.ir_builder import Function
from schuss.lowering.llvm_types import F32, I32, I64, literal


def test_whole_numbers_that_are_known_take_no_instruction() -> None:
    f = Function("f", [])
    x = f.parameter("x", I64)
    assert [(x * 1).name, (x + 0).name, (x - 0).name, (f.number(1) * x).name] == ["%x"] * 4
    assert (f.number(3) * 4 - 20).name == "-8"
    assert f.lines == []
    assert (x * 2).name != "%x"
    assert len(f.lines) == 1


def test_whole_numbers_wrap_around() -> None:
    f = Function("f", [])
    assert (f.number(2**31 - 1, I32) + 1).name == str(-(2**31))


def test_floats_are_never_left_out() -> None:
    f = Function("f", [])
    x = f.parameter("x", F32)
    assert (x + 0.0).name != "%x"
    assert (x * 1.0).name != "%x"


@pytest.mark.parametrize(("value", "text"), [(1e39, "0x7FF0"), (-1e39, "0xFFF0"), (0.1, "0x3FB9")])
def test_float32_literals_are_rounded_to_float32(value: float, text: str) -> None:
    assert literal(value, F32).startswith(text)
    assert literal(value, F32).endswith("0" * 7)
