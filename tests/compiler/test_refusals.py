"""What cannot be traced says where and what to do instead."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.compiler import compile
from schuss.core import TRACER
from schuss.errors import TraceError

STATE = ss.tensor([1.0, 2.0])

REFUSED: dict[str, Callable[[Any], Any]] = {
    "branch": lambda x: x if x.sum() > 0 else -x,
    "item": lambda x: x.sum().item(),
    "numpy": lambda x: x.numpy(),
    "list": lambda x: x.tolist(),
    "array": lambda x: np.asarray(x),
    "float": lambda x: float(x[0]),
    "int": lambda x: int(x[0]),
    "of a state": lambda x: x * STATE.sum().item(),
    "of a state itself": lambda x: x * STATE.tolist()[0],
    "mask": lambda x: x[x > 0],
    "nonzero": lambda x: ss.nonzero(x),
}


@pytest.mark.parametrize("name", REFUSED)
def test_values_are_refused_with_the_users_line(name: str) -> None:
    with pytest.raises(TraceError, match=r"test_refusals\.py:\d+ .*(where|leave)"):
        compile(REFUSED[name])(ss.tensor([1.0, 2.0]))
    assert TRACER.get() is None
    assert (STATE + 1).tolist() == [2.0, 3.0]


def test_an_error_of_the_function_is_its_own_and_changes_nothing() -> None:
    weight = ss.tensor([1.0], requires_grad=True)

    def broken(x: Any) -> Any:
        (weight * x).sum().backward()
        weight.assign(weight * 2)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        compile(broken)(ss.tensor([1.0]))
    assert weight.grad is None
    assert weight.tolist() == [1.0]


def test_wrong_shapes_say_what_eager_says() -> None:
    with pytest.raises(ValueError, match=r"add: expected shapes that broadcast.*\(2,\) and \(3,\)"):
        compile(lambda x, y: x + y)(ss.ones(2), ss.ones(3))


def test_an_index_out_of_range_is_an_error_and_no_crash() -> None:
    pick = compile(lambda x, i: x[i])
    x = ss.tensor([1.0, 2.0, 3.0])
    assert pick(x, ss.tensor([0, -1])).tolist() == [1.0, 3.0]
    with pytest.raises(IndexError, match="index: index 3 is out of bounds for axis 0 with size 3"):
        pick(x, ss.tensor([0, 3]))
    with pytest.raises(IndexError, match="index -4 is out of bounds"):
        pick(x, ss.tensor([-4, 0]))
    assert pick(x, ss.tensor([1, 1])).tolist() == [2.0, 2.0]


def test_a_traced_tensor_that_is_kept_outside_says_so_when_it_is_used() -> None:
    held = types.SimpleNamespace()

    @compile
    def double(x: Any) -> Any:
        # By a name that is computed, which no guard knows of.
        vars(held)["ke" + "pt"[: len(x.shape) + 1]] = x * 3.0
        return x * 2.0

    assert double(ss.ones(2)).tolist() == [2.0, 2.0]
    said = r"shape \(2,\) \(a result of multiply\).*kept outside"
    for use in (lambda: held.kept.tolist(), lambda: held.kept + 1.0, lambda: repr(held.kept)):
        with pytest.raises(TraceError, match=said):
            use()
