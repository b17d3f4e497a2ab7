"""What a program sets for the whole process."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn


@pytest.fixture(params=["float64"])
def default(request: pytest.FixtureRequest) -> Iterator[str]:
    ss.set_default_dtype(getattr(ss, request.param))
    yield request.param
    ss.set_default_dtype(ss.float32)


CALLS: dict[str, Any] = {
    "numbers": lambda lib: lib.tensor([1.0, 2.5]),
    "a number": lambda lib: lib.tensor(0.1),
    "integers": lambda lib: lib.tensor([1, 2]),
    "arrays": lambda lib: lib.tensor(np.ones(2, np.float32)),
    "Tensor": lambda lib: lib.Tensor([1, 2]),
    "zeros": lambda lib: lib.zeros(2),
    "full": lambda lib: lib.full((2,), 1.5),
    "eye": lambda lib: lib.eye(2),
    "arange": lambda lib: lib.arange(0.0, 1.0, 0.25),
    "linspace": lambda lib: lib.linspace(0, 1, 3),
    "rand": lambda lib: lib.rand(3) * 0,
    "randn": lambda lib: lib.randn(3) * 0,
    "quotients": lambda lib: lib.tensor([1, 2]) / 3,
    "products": lambda lib: lib.tensor([1, 2]) * 0.5,
    "exp": lambda lib: lib.exp(lib.tensor([1, 2])),
    "lgamma": lambda lib: lib.lgamma(lib.tensor([1, 2])),
    "float": lambda lib: lib.zeros(2).float(),
    "FloatTensor": lambda lib: lib.FloatTensor([1.0]),
    "a layer": lambda lib: lib.nn.Linear(2, 1).weight.detach() * 0,
    "where": lambda lib: lib.where(lib.tensor([True]), 0.5, 1.5),
}


@pytest.mark.parametrize("name", CALLS)
def test_the_default_dtype_is_pytorchs(name: str, default: str) -> None:
    torch = pytest.importorskip("torch")
    torch.set_default_dtype(getattr(torch, default))
    try:
        wanted = CALLS[name](torch)
    finally:
        torch.set_default_dtype(torch.float32)
    found = CALLS[name](ss)
    assert found.dtype.name == str(wanted.dtype).removeprefix("torch.")
    np.testing.assert_allclose(found, wanted.numpy(), 1e-6, 1e-14)
    assert ss.get_default_dtype() == getattr(ss, default)


def test_compiled_functions_follow_it() -> None:
    half = ss.compile(lambda n: (n / 2, ss.zeros(2), nn.functional.softplus(n * 0.1)))
    n = ss.tensor([1, 2])
    assert {y.dtype for y in half(n)} == {ss.float32}
    ss.set_default_dtype(ss.float64)
    try:
        assert {y.dtype for y in half(n)} == {ss.float64}
    finally:
        ss.set_default_dtype(ss.float32)
    assert {y.dtype for y in half(n)} == {ss.float32}


def test_what_is_no_float_is_refused() -> None:
    with pytest.raises(TypeError, match="expected float32 or float64, got int64"):
        ss.set_default_dtype(ss.int64)
    with pytest.raises(TypeError, match="set_default_dtype: expected a dtype, got a tensor"):
        ss.set_default_dtype(ss.zeros(2, dtype=ss.float64))
    assert ss.get_default_dtype() == ss.float32


def test_the_state_of_random_numbers() -> None:
    ss.manual_seed(5)
    assert ss.initial_seed() == 5
    state = ss.get_rng_state()
    first = ss.rand(3)
    ss.set_rng_state(state)
    assert ss.rand(3).tolist() == first.tolist()
    before = ss.get_rng_state()
    with ss.random.fork_rng():
        ss.manual_seed(1)
        ss.rand(2)
    assert ss.get_rng_state().tolist() == before.tolist()
    assert ss.seed() == ss.initial_seed() >= 0
    with pytest.raises(ValueError, match="set_state: expected int64 of shape"):
        ss.set_rng_state(ss.tensor([1.0]))


def test_switches_that_change_nothing_are_read_again() -> None:
    ss.use_deterministic_algorithms(True, warn_only=True)
    assert ss.are_deterministic_algorithms_enabled()
    ss.use_deterministic_algorithms(False)
    assert not ss.are_deterministic_algorithms_enabled()
    assert ss.get_float32_matmul_precision() == "highest"
    ss.set_float32_matmul_precision("high")
    assert ss.get_float32_matmul_precision() == "high"
    ss.set_float32_matmul_precision("highest")
    with pytest.raises(ValueError, match="'highest', 'high' or 'medium', got 'low'"):
        ss.set_float32_matmul_precision("low")
    ss.set_num_interop_threads(2)
    assert ss.get_num_interop_threads() == 2
    ss.set_num_interop_threads(1)
    ss.set_default_device("cpu")
    assert ss.get_default_device() == ss.device("cpu")
    with pytest.raises(ValueError, match="set_default_device: expected device 'cpu'"):
        ss.set_default_device("cuda")


@pytest.mark.parametrize("kind", ["torch.DoubleTensor", "DoubleTensor"])
def test_the_default_type_of_tensors(kind: str) -> None:
    try:
        ss.set_default_tensor_type(kind)
        assert ss.ones(2).dtype is ss.float64
        ss.set_default_tensor_type(ss.FloatTensor)
        assert ss.ones(2).dtype is ss.float32
        ss.set_default_tensor_type(ss.DoubleTensor)
        assert ss.ones(2).dtype is ss.float64
    finally:
        ss.set_default_dtype(ss.float32)
    with pytest.raises(TypeError, match="expected FloatTensor or DoubleTensor, got torch.Half"):
        ss.set_default_tensor_type("torch.HalfTensor")
