from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.errors import TraceError

X = np.array([[1.5, -2.0], [0.25, 4.0]])


def test_numbers_of_python() -> None:
    x = ss.tensor(-1.26, "float64")
    assert complex(x) == -1.26 + 0j
    assert (round(x), round(x, 1)) == (-1, -1.3)
    assert isinstance(round(x), int)
    with pytest.raises(ValueError, match="item: expected one element"):
        round(ss.ones(2))
    for pair in (divmod(ss.tensor(X), 0.75), divmod(7.0, ss.tensor(X))):
        assert all(isinstance(part, ss.Tensor) for part in pair)
    quotient, rest = divmod(ss.tensor(X), 0.75)
    np.testing.assert_array_equal(quotient.array, X // 0.75)
    np.testing.assert_array_equal(rest.array, X % 0.75)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_operators_of_bits(dtype: str) -> None:
    raw = np.array([1, -1, 5, -(2**31)], dtype)
    x, places = ss.tensor(raw), ss.tensor([0, 3, 31, 70], dtype)
    cases = [
        (x << places, raw << places.array), (x >> places, raw >> places.array),
        (x << 3, raw << 3), (x >> 3, raw >> 3), (3 << places, 3 << places.array),
        (-70 >> places, -70 >> places.array),
    ]  # fmt: skip
    for got, right in cases:
        assert got.dtype == dtype
        np.testing.assert_array_equal(got.array, right)
    compiled = ss.compile(lambda x, n: (x << n, x >> n))(x, places)
    for got, (_, right) in zip(compiled, cases, strict=False):
        assert got.dtype == dtype
        np.testing.assert_array_equal(got.array, right)


def test_operators_in_place() -> None:
    x = same = ss.tensor([12, 7, 5])
    x <<= 2
    x >>= 1
    x //= 3
    x %= 6
    x |= 8
    x &= 11
    x ^= 1
    expected = np.array([12, 7, 5]) * 2 // 3 % 6
    assert x is same
    assert x.tolist() == ((expected | 8) & 11 ^ 1).tolist()
    with pytest.raises(TypeError, match="expected .* got bool and bool"):
        ss.tensor([True]) << ss.tensor([True])


def test_device() -> None:
    x = ss.tensor(X)
    assert x.device == "cpu"
    assert x.to_device("cpu") is x
    with pytest.raises(ValueError, match="to_device: expected device 'cpu', the only one"):
        x.to_device("cuda")
    with pytest.raises(ValueError, match="to_device: expected no stream"):
        x.to_device("cpu", stream=1)


# DLPack.


def test_dlpack() -> None:
    x = ss.tensor(X)
    assert x.__dlpack_device__() == (1, 0)
    shared = np.from_dlpack(x)
    assert np.shares_memory(shared, x.array)
    assert not np.shares_memory(np.from_dlpack(x, copy=True), x.array)
    x.__dlpack__(max_version=(1, 0), dl_device=(1, 0), copy=False, stream=None)
    # Memory that must not be written to is copied for those that would not know it.
    wide = ss.broadcast_to(ss.tensor([1.0, 2.0]), (3, 2))
    wide.__dlpack__()
    with pytest.raises(BufferError, match=r"use x\.detach"):
        np.from_dlpack(ss.tensor(X, requires_grad=True))
    with pytest.raises(TraceError, match="as DLPack"):
        ss.compile(lambda x: np.from_dlpack(x))(x)
    torch = pytest.importorskip("torch")
    assert torch.from_dlpack(x).tolist() == X.tolist()


# NumPy's functions.


@pytest.mark.parametrize(
    "call",
    [
        np.sum, np.mean, np.median, np.sort, np.allclose, np.unique, np.shape, np.ndim, np.size,
        np.argmax, np.isfinite, np.linalg.norm, np.transpose,
        lambda x, *y: np.concatenate([x, *y], axis=-1), lambda x, *y: np.stack([x, x]),
        lambda x, *y: np.where(x > 0, x, 0.0), lambda x, *y: np.std(x, axis=0, ddof=1),
        lambda x, *y: np.einsum("ij,kj->ik", x, x), lambda x, *y: np.dot(x, x),
    ],
)  # fmt: skip
def test_numpys_functions_get_arrays(call: Any) -> None:
    given = (X, X) if call is np.allclose else (X,)
    got, right = call(*[ss.tensor(x) for x in given]), call(*given)
    assert not isinstance(got, ss.Tensor)
    assert type(got) is type(right)
    np.testing.assert_array_equal(got, right)


def test_numpys_functions_lose_no_gradient() -> None:
    x = ss.tensor(X, requires_grad=True)
    for call in (np.mean, np.sum, lambda x: np.concatenate([x, x]), np.linalg.norm):
        with pytest.raises(ValueError, match=r"gradient would be lost; .*x\.detach"):
            call(x)
        with ss.no_grad():
            call(x)
    # What is no float has none.
    assert np.shape(x) == (2, 2)
    assert np.argmax(x) == 3
    assert np.allclose(x, X)
    with pytest.raises(TraceError, match="np.mean"):
        ss.compile(lambda x: np.mean(x))(ss.tensor(X))
    assert (
        ss.compile(lambda x: x * math.prod(np.shape(x)))(ss.tensor(X)).tolist() == (4 * X).tolist()
    )
