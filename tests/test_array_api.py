"""The Python array API standard, 2024.12: its names, its parameters, and what is only there."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

from schuss import array_api as xp
from schuss.core import Tensor, tensor

ELEMENTWISE = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and",
    "bitwise_left_shift", "bitwise_invert", "bitwise_or", "bitwise_right_shift",
    "bitwise_xor", "ceil", "copysign", "cos", "cosh", "divide", "equal", "exp", "expm1",
    "floor", "floor_divide", "greater", "greater_equal", "hypot", "isfinite", "isinf",
    "isnan", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp",
    "logical_and", "logical_not", "logical_or", "logical_xor", "maximum", "minimum",
    "multiply", "negative", "nextafter", "not_equal", "positive", "pow", "reciprocal",
    "remainder", "round", "sign", "signbit", "sin", "sinh", "square", "sqrt", "subtract",
    "tan", "tanh", "trunc", "where",
]  # fmt: skip
# Each function with its parameters that can be given by name.
STANDARD = {
    # creation
    "arange": "start stop step dtype", "asarray": "dtype copy", "empty": "shape dtype",
    "empty_like": "dtype", "eye": "n_rows n_cols k dtype", "from_dlpack": "device copy",
    "full": "shape fill_value dtype", "full_like": "fill_value dtype",
    "linspace": "start stop num dtype endpoint", "meshgrid": "indexing", "ones": "shape dtype",
    "ones_like": "dtype", "tril": "k", "triu": "k", "zeros": "shape dtype", "zeros_like": "dtype",
    # data types
    "astype": "dtype copy", "can_cast": "to", "finfo": "", "iinfo": "", "isdtype": "dtype kind",
    "result_type": "",
    # elementwise
    **dict.fromkeys(ELEMENTWISE, ""),
    "clip": "min max",
    # linear algebra
    "matmul": "", "matrix_transpose": "", "tensordot": "axes", "vecdot": "axis",
    # manipulation
    "broadcast_arrays": "", "broadcast_to": "shape", "concat": "axis", "expand_dims": "axis",
    "flip": "axis", "moveaxis": "source destination", "permute_dims": "axes",
    "repeat": "repeats axis", "reshape": "shape copy", "roll": "shift axis", "squeeze": "axis",
    "stack": "axis", "tile": "repetitions", "unstack": "axis",
    # searching, indexing, sets, sorting
    "argmax": "axis keepdims", "argmin": "axis keepdims", "count_nonzero": "axis keepdims",
    "nonzero": "", "searchsorted": "side sorter", "take": "indices axis",
    "take_along_axis": "indices axis", "unique_all": "", "unique_counts": "",
    "unique_inverse": "", "unique_values": "", "argsort": "axis descending stable",
    "sort": "axis descending stable",
    # statistics and utilities
    "cumulative_prod": "axis dtype include_initial", "cumulative_sum": "axis dtype include_initial",
    "max": "axis keepdims", "mean": "axis keepdims", "min": "axis keepdims",
    "prod": "axis dtype keepdims", "std": "axis correction keepdims", "sum": "axis dtype keepdims",
    "var": "axis correction keepdims", "all": "axis keepdims", "any": "axis keepdims",
    "diff": "axis n prepend append",
}  # fmt: skip


@pytest.mark.parametrize("name", STANDARD)
def test_names_and_parameters(name: str) -> None:
    assert name in xp.__all__
    parameters = inspect.signature(getattr(xp, name)).parameters
    missing = set(STANDARD[name].split()) - set(parameters)
    assert not missing, f"{name} lacks {missing}"


def test_the_namespace() -> None:
    x = tensor([1.0])
    assert x.__array_namespace__() is xp
    assert x.__array_namespace__(api_version="2024.12") is xp
    with pytest.raises(ValueError, match=r"2024\.12, got 2020"):
        x.__array_namespace__(api_version="2020")
    for name in xp.__all__:
        assert hasattr(xp, name)
    assert (xp.pi, xp.e, xp.inf, xp.newaxis) == (math.pi, math.e, math.inf, None)
    assert math.isnan(xp.nan)
    assert xp.asarray([True]).dtype == xp.bool
    assert x.to("cpu") is x


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_shifts(dtype: Any) -> None:
    bits = np.iinfo(dtype).bits
    x = np.array([1, -1, 5, -8, 2**30, -(2**31), 2**31 - 1], np.int64).astype(dtype)
    for places in (0, 1, 7, bits - 2, bits - 1):
        y = np.array(places, dtype)
        left, right = xp.bitwise_left_shift(x, y), xp.bitwise_right_shift(x, y)
        np.testing.assert_array_equal(left.array, np.left_shift(x, y))
        np.testing.assert_array_equal(right.array, np.right_shift(x, y))
        assert left.dtype == right.dtype == dtype
        np.testing.assert_array_equal(xp.bitwise_right_shift(x, places).array, right.array)
    with pytest.raises(TypeError, match="bitwise_left_shift: expected .* got float32"):
        xp.bitwise_left_shift(1.5, 1)


def test_nextafter_and_signbit() -> None:
    x = np.array([0.0, 1.0, -1.0, 5.0], np.float32)
    got = xp.nextafter(x, np.array([1, 0, -2, 5], np.float32))
    np.testing.assert_array_equal(got.array, np.nextafter(x, np.float32([1, 0, -2, 5])))
    assert got.dtype == np.float32
    assert xp.signbit([0.0, -0.0, -1.0, math.inf, -math.inf]).tolist() == [0, 1, 1, 0, 1]
    assert xp.signbit([0, -3]).tolist() == [False, True]


@pytest.mark.parametrize("x", [np.array([[3, 1], [3, 2]]), np.array([1.5, 1.5]), np.zeros(0)])
def test_sets(x: np.ndarray) -> None:
    found = xp.unique_all(x)
    values, indices, inverse, counts = np.unique(x, True, True, True)
    np.testing.assert_array_equal(found.values.array, values)
    np.testing.assert_array_equal(found.indices.array, indices)
    np.testing.assert_array_equal(found.inverse_indices.array, inverse.reshape(x.shape))
    np.testing.assert_array_equal(found.counts.array, counts)
    assert all(isinstance(part, Tensor) for part in found)
    assert xp.unique_counts(x).counts.tolist() == counts.tolist()
    back = xp.unique_inverse(x)
    np.testing.assert_array_equal(xp.take(back.values, back.inverse_indices).array, x)
    # Each nan is one of its own.
    assert xp.unique_all([math.nan, math.nan]).counts.tolist() == [1, 1]
    assert xp.unique_values([math.nan, math.nan]).shape == (2,)


def test_dtypes() -> None:
    assert xp.result_type(xp.int64, xp.float32) == xp.float32
    assert xp.result_type(tensor([1]), 2.5) == xp.float32
    assert xp.result_type(tensor([1.0], "float64"), np.ones(2, np.float32), 1) == xp.float64
    assert xp.result_type(xp.bool, xp.int32) == xp.int32
    assert xp.result_type(tensor([True]), 1) == xp.int64
    assert xp.result_type(1, 2.0) == xp.float32
    assert xp.can_cast(xp.int32, xp.int64)
    assert not xp.can_cast(xp.float64, xp.float32)
    assert xp.can_cast(tensor([1]), xp.float32)
    assert xp.isdtype(xp.int32, "integral")
    assert xp.isdtype(xp.float64, ("bool", "real floating"))
    assert xp.isdtype(xp.float32, "numeric")
    assert xp.isdtype(xp.float32, xp.float32)
    assert not xp.isdtype(xp.bool, "numeric")
    assert not xp.isdtype(xp.int64, "unsigned integer")
    with pytest.raises(ValueError, match="isdtype: expected a dtype or one of bool"):
        xp.isdtype(xp.bool, "number")
    assert xp.finfo(xp.float32).eps == 2**-23
    assert (xp.finfo(tensor([1.0])).bits, xp.finfo(xp.float64).smallest_normal) == (32, 2.0**-1022)
    assert xp.finfo(xp.float64).max == -xp.finfo(xp.float64).min
    assert (xp.iinfo(xp.int32).max, xp.iinfo(tensor([1])).min) == (2**31 - 1, -(2**63))


def test_dlpack() -> None:
    source = np.arange(3.0)
    shared = xp.from_dlpack(source)
    assert np.shares_memory(shared.array, source)
    assert not np.shares_memory(xp.from_dlpack(source, copy=True).array, source)
    torch = pytest.importorskip("torch")
    assert xp.from_dlpack(torch.ones(2)).tolist() == [1.0, 1.0]


def test_parameters_that_only_the_standard_asks_for() -> None:
    x = np.array([[1.0, 2.0, 4.0], [3.0, 3.0, 0.5]])
    np.testing.assert_array_equal(
        xp.cumulative_sum(x, axis=1, include_initial=True).array,
        np.cumulative_sum(x, axis=1, include_initial=True),
    )
    np.testing.assert_array_equal(
        xp.cumulative_prod(x, axis=0, include_initial=True).array,
        np.cumulative_prod(x, axis=0, include_initial=True),
    )
    assert xp.cumulative_sum([1, 2], dtype="float64").dtype == xp.float64
    assert xp.cumulative_prod([True, True], dtype="int32").dtype == xp.int32
    assert xp.prod([2, 3], dtype="float32").item() == 6.0
    assert xp.sum([True, True], dtype="int32").dtype == xp.int32
    np.testing.assert_array_equal(
        xp.diff(x, axis=0, prepend=x[:1] * 0, append=x[:1]).array,
        np.diff(x, axis=0, prepend=x[:1] * 0, append=x[:1]),
    )
    assert xp.sort([2, 1], stable=False).tolist() == [1, 2]
    order = np.argsort(x[0][::-1])
    assert xp.searchsorted(x[0][::-1].copy(), [1.5, 3.0], sorter=order).tolist() == [1, 2]
    assert xp.reshape(x, (3, 2), copy=True).shape == (3, 2)
    with pytest.raises(ValueError, match="diff: expected n >= 0"):
        xp.diff(x, n=-1)
