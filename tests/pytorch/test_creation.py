"""Numbers that are made: PyTorch's, bit for bit, in float32, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7, 11, 64, 100])
def test_evenly_spaced_numbers_are_pytorchs_to_the_last_bit(count: int) -> None:
    rng = np.random.default_rng(count)
    ends = [(-2.0, 2.0), (0.0, 1.0), (5.0, -3.0), (1e-3, 1e3), *rng.normal(size=(8, 2)) * 10]
    for first, last in ends:
        found, expected = (m.linspace(first, last, count).numpy() for m in (ss, torch))
        assert found.dtype == expected.dtype
        np.testing.assert_array_equal(found, expected)
        found, expected = (
            m.linspace(first, last, count, dtype=m.float64).numpy() for m in (ss, torch)
        )
        np.testing.assert_allclose(found, expected, rtol=1e-14, atol=1e-15)


MADE = {
    "one length": lambda m: m.Tensor(3),
    "lengths": lambda m: m.Tensor(2, 3),
    "a shape": lambda m: m.Tensor(m.zeros(2, 3).shape),
    "what size() returns": lambda m: m.LongTensor(m.zeros(4).size()),
    "typed lengths": lambda m: m.DoubleTensor(2, 3),
    "nothing": lambda m: m.FloatTensor(),
    "data": lambda m: m.Tensor([2, 3]),
    "a tuple of data": lambda m: m.Tensor((2, 3)),
    "a filled shape": lambda m: m.FloatTensor(m.zeros(2, 2).size()).fill_(1.5),
}


@pytest.mark.parametrize("name", MADE)
def test_constructors_take_lengths_as_in_pytorch(name: str) -> None:
    found, expected = MADE[name](ss), MADE[name](torch)
    assert found.shape == tuple(expected.shape)
    assert found.dtype == expected.numpy().dtype
    if "length" not in name and "size" not in name and name != "a shape":
        np.testing.assert_array_equal(found.numpy(), expected.numpy())
    assert ss.nn.Parameter(3).item() == 3.0


MIXED: dict[str, Any] = {
    "a number beside float64": lambda m: [m.tensor(1.5).double(), 2.5],
    "a number beside an integer": lambda m: [m.tensor(2), 2.5],
    "nested": lambda m: [[m.tensor(1.5).double(), 2.5], [3, 4]],
    "nested integers": lambda m: [[m.tensor(2), 3]],
    "integer and float": lambda m: ([m.tensor(2)], [m.tensor(1.5)]),
    "two floats": lambda m: [m.tensor(1.5), m.tensor(1.5).double()],
    "an integer beside a truth": lambda m: [m.tensor(True), 2],
}


@pytest.mark.parametrize("name", MIXED)
@pytest.mark.parametrize("made", ["tensor", "as_tensor"])
def test_lists_of_tensors_and_numbers(name: str, made: str) -> None:
    ours, theirs = (getattr(m, made)(MIXED[name](m)) for m in (ss, torch))
    assert ours.numpy().dtype == theirs.numpy().dtype
    assert ours.tolist() == theirs.tolist()
    assert not getattr(ss, made)(MIXED[name](ss)).requires_grad


def test_copies_of_traced_tensors() -> None:
    x = ss.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=ss.float64, requires_grad=True)
    for copy in (
        lambda x: ss.tensor(x),
        lambda x: ss.tensor([x.sum(), x.mean()]),
        lambda x: ss.tensor([[x.sum(), 1.0], [2, 3]]),
        lambda x: x.new_tensor(x),
        lambda x: ss.DoubleTensor(x),
        lambda x: ss.from_numpy(x).detach() * 2,
        lambda x: ss.tensor(x.sum(), dtype=ss.float32),
    ):
        eager, compiled = copy(x), ss.compile(copy)(x)
        assert eager.tolist() == compiled.tolist()
        assert eager.dtype == compiled.dtype
        assert not compiled.requires_grad
