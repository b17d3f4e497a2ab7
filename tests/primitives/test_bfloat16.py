"""Rounding to bfloat16: PyTorch's, bit for bit, eager and compiled, with errors rounded, too."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss.primitives.bfloat16 import BITS, PRODUCT, VALUE, rounded

# Every float32 whose upper bits are one of these is rounded one way, the other, or lies between.
LOWER = np.array([0x0000, 0x0001, 0x7FFF, 0x8000, 0x8001, 0xFFFF], np.uint32)


def every_number() -> np.ndarray:
    upper = np.arange(1 << 16, dtype=np.uint32)
    return ((upper[:, None] << 16) | LOWER).view(np.float32).reshape(-1)


def same_numbers(got: np.ndarray, right: np.ndarray) -> None:
    np.testing.assert_array_equal(got, right)
    numbers = ~np.isnan(right)
    np.testing.assert_array_equal(np.signbit(got)[numbers], np.signbit(right)[numbers])


def test_rounding_equals_torch_for_all_numbers() -> None:
    torch = pytest.importorskip("torch")
    x = every_number()
    same_numbers(rounded(ss.tensor(x)).numpy(), torch.tensor(x).bfloat16().float().numpy())


def test_rounding_takes_ties_to_even_and_keeps_what_is_not_finite() -> None:
    x = ss.tensor([1.00390625, 1.01171875, -0.0, 3.4e38, -np.inf, np.nan])
    same_numbers(rounded(x).numpy(), np.array([1.0, 1.015625, -0.0, np.inf, -np.inf, np.nan], "f"))


def test_compiled_rounding_is_eager_rounding() -> None:
    # What is nearly no number is none in programs of many operations, as everywhere.
    x = every_number()
    x = x[(np.abs(x) > 1e-37) | (x == 0) | np.isnan(x)]
    got = ss.compile(lambda x: rounded(x) + 0.0)(ss.tensor(x)).numpy()
    np.testing.assert_array_equal(got, rounded(ss.tensor(x)).numpy())


def test_bits_and_values_go_there_and_back() -> None:
    bits = np.arange(-(1 << 15), 1 << 15).astype(np.int16)
    values = VALUE.value(bits)
    numbers = ~np.isnan(values)
    np.testing.assert_array_equal(BITS.value(values)[numbers], bits[numbers])
    assert np.isnan(VALUE.value(BITS.value(values))[~numbers]).all()


def test_products_of_bits_are_products_of_values() -> None:
    x, y = (BITS.value(np.random.default_rng(i).normal(size=(4, 4)).astype("f")) for i in (0, 1))
    np.testing.assert_array_equal(PRODUCT.value(x, y), VALUE.value(x) @ VALUE.value(y))


def test_errors_are_rounded_on_the_way_back_and_errors_of_errors() -> None:
    x = ss.tensor([1.0, 2.0], requires_grad=True)
    rounded(x).backward(ss.tensor([1.0039, 1.001]))
    assert x.grad is not None
    assert x.grad.tolist() == [1.0, 1.0]
    inner = ss.grad(lambda t: (rounded(t) * t).sum())
    outer = ss.grad(lambda t: (inner(t) * ss.tensor([1.001, 3.003])).sum())
    assert outer(ss.tensor([1.0, 2.0])).numpy() == pytest.approx([2.001, 6.003], rel=1e-2)


def test_float64_is_refused() -> None:
    with pytest.raises(TypeError, match="got float64"):
        rounded(ss.tensor([1.0], dtype=ss.float64))
