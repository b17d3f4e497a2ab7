"""Windows for spectra, beside PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss

torch = pytest.importorskip("torch")

NAMES = ["hann_window", "hamming_window", "blackman_window", "bartlett_window", "kaiser_window"]


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("length", [0, 1, 2, 7, 400])
@pytest.mark.parametrize("name", NAMES)
def test_windows_are_pytorchs(name: str, length: int, periodic: bool) -> None:
    for dtype, tolerance in (("float64", 1e-12), ("float32", 2e-6)):
        wanted = getattr(torch, name)(length, periodic, dtype=getattr(torch, dtype))
        found = getattr(ss, name)(length, periodic=periodic, dtype=getattr(ss, dtype))
        assert found.dtype.name == dtype
        np.testing.assert_allclose(found, wanted.numpy(), tolerance, tolerance)
    assert getattr(ss, name)(length).dtype is ss.float32


def test_their_numbers() -> None:
    for call in (
        lambda m: m.hamming_window(9, True, 0.6, 0.3, dtype=m.float64),
        lambda m: m.kaiser_window(9, False, 4.5, dtype=m.float64),
    ):
        np.testing.assert_allclose(call(ss), call(torch).numpy(), 1e-12)


@pytest.mark.parametrize("length", [-1, 2.5])
def test_what_is_no_length(length: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="hann_window: expected"):
        ss.hann_window(length)
    with pytest.raises(TypeError, match="expected dtype float32 or float64, got int64"):
        ss.hann_window(3, dtype=ss.int64)
