"""Dtypes of mixed tensors: PyTorch's in functions and methods, the standard's by operators."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import array_api as xp

DTYPES = ["float32", "float64", "int32", "int64", "bool"]
# Each of a library and two tensors.
NAMES = (
    "add sub mul div pow maximum atan2 fmod remainder copysign logaddexp logaddexp2 xlogy clamp "
    "hypot ldexp fmax bitwise_and float_power floor_divide nextafter rsub result_type isin"
)
CALLS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "where": lambda lib, a, b: lib.where(a > 0, a, b),
    "addcmul": lambda lib, a, b: lib.addcmul(a, b, b, value=2),
    "addcdiv": lambda lib, a, b: lib.addcdiv(a, b, b),
    "lerp": lambda lib, a, b: lib.lerp(a, b, b),
    "stack": lambda lib, a, b: lib.stack([a, b]),
    "masked_fill": lambda lib, a, b: a.masked_fill(a > 0, b),
    "promote_types": lambda lib, a, b: lib.promote_types(a.dtype, b.dtype),
    "method": lambda lib, a, b: a.mul(b),
}


def called(name: str, lib: Any, a: Any, b: Any) -> Any:
    return CALLS[name](lib, a, b) if name in CALLS else getattr(lib, name)(a, b)


def dtype_of(result: Any) -> str:
    return str(getattr(result, "dtype", result)).rpartition(".")[2]


# PyTorch's `ldexp` warns of how it goes about it.
@pytest.mark.filterwarnings("ignore:An output with one or more elements:UserWarning")
@pytest.mark.parametrize("name", [*CALLS, *NAMES.split()])
def test_functions_have_pytorchs_dtypes(name: str) -> None:
    torch = pytest.importorskip("torch")
    call = partial(called, name)
    for one, other in itertools.product(itertools.product(DTYPES, [(), (3,)]), repeat=2):
        a, b = np.ones(one[1], one[0]), np.ones(other[1], other[0])
        try:
            wanted = call(torch, torch.tensor(a), torch.tensor(b))
        except (RuntimeError, TypeError):
            continue
        found = call(ss, ss.tensor(a), ss.tensor(b))
        assert dtype_of(found) == dtype_of(wanted), (one, other)
        if hasattr(wanted, "numpy"):
            np.testing.assert_allclose(found, wanted.numpy(), 1e-6)
    x, y = ss.tensor([0.5, 2.0]), ss.tensor(2.0, dtype=ss.float64)
    if name not in ("result_type", "promote_types", "isin", "bitwise_and"):
        compiled = ss.compile(lambda x, y: call(ss, x, y)) if name != "stack" else None
        assert compiled is None or compiled(x, y).dtype == call(ss, x, y).dtype


@pytest.mark.parametrize("sign", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"])
def test_operators_have_the_standards(sign: str) -> None:
    function = getattr(operator, sign)
    for a, b in itertools.product([(), (2,)], repeat=2):
        x, y = ss.ones(a), ss.ones(b, dtype=ss.float64)
        assert function(x, y).dtype == function(y, x).dtype == ss.float64
        compiled = ss.compile(function)
        assert compiled(x, y).dtype == ss.float64
        assert function(ss.ones(a, dtype=ss.int64), x).dtype == ss.float32


def test_the_standards_functions_have_its_own() -> None:
    x, y = xp.ones((2,)), xp.ones((), dtype=xp.float64)
    for f in (xp.add, xp.hypot, xp.copysign, xp.logaddexp, xp.floor_divide, xp.maximum):
        assert f(x, y).dtype == f(y, x).dtype == xp.float64
    assert xp.where(x > 0, x, y).dtype == xp.float64
    whole = xp.ones((2,), dtype=xp.int32)
    assert (whole << xp.ones((), dtype=xp.int64)).dtype == xp.int64
    # 2**32 + 1 is no int32.
    assert not (whole == xp.asarray(2**32 + 1)).any()


def test_gradients_have_the_dtypes_of_what_they_are_of() -> None:
    torch = pytest.importorskip("torch")
    slopes = []
    for lib in (ss, torch):
        x = lib.ones(3, requires_grad=True)
        y = lib.tensor(2.0, dtype=lib.float64, requires_grad=True)
        lib.mul(x, y).sum().backward()
        slopes.append((x.grad, y.grad))
    for mine, other in zip(*slopes, strict=True):
        assert dtype_of(mine) == dtype_of(other)
        np.testing.assert_array_equal(mine, other.numpy())
