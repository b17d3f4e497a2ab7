"""`compile` as a decorator, with the arguments of PyTorch's."""

from __future__ import annotations

import pytest

import schuss as ss
from schuss.compiler import Compiled


def test_pytorchs_arguments_are_taken() -> None:
    @ss.compile(fullgraph=True, mode="max-autotune", dynamic=False)
    def double(x: ss.Tensor) -> ss.Tensor:
        return x + x

    x = ss.tensor([1.0, 2.0])
    assert isinstance(double, Compiled)
    assert double(x).tolist() == [2.0, 4.0]
    plain = ss.compile(len, disable=True)
    assert plain is len
    assert ss.compile(disable=True)(len) is len
    assert ss.compile(lambda x: x - 1, backend="eager", options={})(x).tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="compile: expected mode as one of default, .* got 'fast'"):
        ss.compile(len, mode="fast")
    with pytest.raises(TypeError, match="compile: expected the name of a backend, got builtin"):
        ss.compile(len, backend=len)  # type: ignore[call-overload]
