"""Numbers that are made: PyTorch's, bit for bit, in float32, too."""

from __future__ import annotations

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
