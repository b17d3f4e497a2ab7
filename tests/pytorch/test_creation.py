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
