"""The Python array API standard, 2024.12: its names, its parameters, and what is only there."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import array_api as xp
from schuss.core import Tensor, tensor

# Each function with its parameters, as inspect shows them; an elementwise one has only tensors.
ONE = """abs acos acosh asin asinh atan atanh bitwise_invert ceil conj cos cosh exp expm1 floor
    imag isfinite isinf isnan log log1p log2 log10 logical_not negative positive real reciprocal
    round sign signbit sin sinh square sqrt tan tanh trunc"""
TWO = """add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor
    copysign divide equal floor_divide greater greater_equal hypot less less_equal logaddexp
    logical_and logical_or logical_xor maximum minimum multiply nextafter not_equal pow
    remainder subtract"""
REDUCTION = "(x, /, *, axis=None, keepdims=False)"
SUM = "(x, /, *, axis=None, dtype=None, keepdims=False)"
CUMULATIVE = "(x, /, *, axis=None, dtype=None, include_initial=False)"
VARIANCE = "(x, /, *, axis=None, correction=0.0, keepdims=False)"
FILLED = "(shape, *, dtype=None, device=None)"
LIKE = "(x, /, *, dtype=None, device=None)"
ORDER = "(x, /, *, axis=-1, descending=False, stable=True)"
STANDARD = {
    # creation
    "arange": "(start, /, stop=None, step=1, *, dtype=None, device=None)",
    "asarray": "(obj, /, *, dtype=None, device=None, copy=None)",
    **dict.fromkeys(("empty", "ones", "zeros"), FILLED),
    **dict.fromkeys(("empty_like", "ones_like", "zeros_like"), LIKE),
    "eye": "(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None)",
    "from_dlpack": "(x, /, *, device=None, copy=None)",
    "full": "(shape, fill_value, *, dtype=None, device=None)",
    "full_like": "(x, /, fill_value, *, dtype=None, device=None)",
    "linspace": "(start, stop, /, num, *, dtype=None, device=None, endpoint=True)",
    "meshgrid": "(*arrays, indexing='xy')",
    "tril": "(x, /, *, k=0)",
    "triu": "(x, /, *, k=0)",
    # data types
    "astype": "(x, dtype, /, *, copy=True, device=None)",
    "can_cast": "(from_, to, /)",
    "finfo": "(type, /)",
    "iinfo": "(type, /)",
    "isdtype": "(dtype, kind)",
    "result_type": "(*arrays_and_dtypes)",
    # linear algebra
    "matmul": "(x1, x2, /)",
    "matrix_transpose": "(x, /)",
    "tensordot": "(x1, x2, /, *, axes=2)",
    "vecdot": "(x1, x2, /, *, axis=-1)",
    # manipulation
    "broadcast_arrays": "(*arrays)",
    "broadcast_to": "(x, /, shape)",
    "concat": "(arrays, /, *, axis=0)",
    "expand_dims": "(x, /, axis)",
    "flip": "(x, /, *, axis=None)",
    "moveaxis": "(x, source, destination, /)",
    "permute_dims": "(x, /, axes)",
    "repeat": "(x, repeats, /, *, axis=None)",
    "reshape": "(x, /, shape, *, copy=None)",
    "roll": "(x, /, shift, *, axis=None)",
    "squeeze": "(x, /, axis)",
    "stack": "(arrays, /, *, axis=0)",
    "tile": "(x, repetitions, /)",
    "unstack": "(x, /, *, axis=0)",
    # searching, indexing, sets, sorting
    **dict.fromkeys(("argmax", "argmin", "count_nonzero"), REDUCTION),
    "nonzero": "(x, /)",
    "searchsorted": "(x1, x2, /, *, side='left', sorter=None)",
    "where": "(condition, x1, x2, /)",
    "take": "(x, indices, /, *, axis=None)",
    "take_along_axis": "(x, indices, /, *, axis=-1)",
    **dict.fromkeys(("unique_all", "unique_counts", "unique_inverse", "unique_values"), "(x, /)"),
    **dict.fromkeys(("argsort", "sort"), ORDER),
    # statistics and utilities
    **dict.fromkeys(("cumulative_prod", "cumulative_sum"), CUMULATIVE),
    **dict.fromkeys(("all", "any", "max", "mean", "min"), REDUCTION),
    **dict.fromkeys(("prod", "sum"), SUM),
    **dict.fromkeys(("std", "var"), VARIANCE),
    "diff": "(x, /, *, axis=-1, n=1, prepend=None, append=None)",
    "clip": "(x, min=None, max=None)",
    "__array_namespace_info__": "()",
}
LINALG = {
    "cholesky": "(x, /, *, upper=False)",
    "cross": "(x1, x2, /, *, axis=-1)",
    "diagonal": "(x, /, *, offset=0)",
    "matrix_norm": "(x, /, *, keepdims=False, ord='fro')",
    "matrix_power": "(x, n, /)",
    **dict.fromkeys(("matrix_rank", "pinv"), "(x, /, *, rtol=None)"),
    "qr": "(x, /, *, mode='reduced')",
    **dict.fromkeys(("outer", "solve", "matmul"), "(x1, x2, /)"),
    "svd": "(x, /, *, full_matrices=True)",
    "trace": "(x, /, *, offset=0, dtype=None)",
    "vector_norm": "(x, /, *, axis=None, keepdims=False, ord=2)",
    "tensordot": STANDARD["tensordot"],
    "vecdot": STANDARD["vecdot"],
    **dict.fromkeys(["det", "eigh", "eigvalsh", "inv"], "(x, /)"),
    **dict.fromkeys(["matrix_transpose", "slogdet", "svdvals"], "(x, /)"),
}


def parameters(function: Any) -> str:
    signature = inspect.signature(function)
    plain = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    return str(inspect.Signature(plain))


@pytest.mark.parametrize("name", STANDARD)
def test_parameters(name: str) -> None:
    assert name in xp.__all__
    assert parameters(getattr(xp, name)) == STANDARD[name]


@pytest.mark.parametrize("name", LINALG)
def test_parameters_of_the_extension(name: str) -> None:
    assert name in xp.linalg.__all__
    assert parameters(getattr(xp.linalg, name)) == LINALG[name]


def test_the_standard_and_nothing_else() -> None:
    others = {"bool", "float32", "float64", "int32", "int64", "linalg"}
    others |= {"e", "inf", "nan", "newaxis", "pi"}
    assert set(xp.__all__) == {*STANDARD, *ONE.split(), *TWO.split(), *others}
    assert set(xp.linalg.__all__) == set(LINALG)
    assert not hasattr(xp, "fft")
    assert not hasattr(xp, "complex64")
    for name, count in [(n, 1) for n in ONE.split()] + [(n, 2) for n in TWO.split()]:
        required = list(inspect.signature(getattr(xp, name)).parameters.values())
        assert len(required) == count


def test_the_namespace() -> None:
    x = tensor([1.0])
    assert x.__array_namespace__() is xp
    for version in ("2024.12", "2023.12", "2022.12", "2021.12"):
        assert x.__array_namespace__(api_version=version) is xp
    assert xp.__array_api_version__ == "2024.12"
    with pytest.raises(ValueError, match=r"2024\.12, got 2020"):
        x.__array_namespace__(api_version="2020")
    for name in xp.__all__:
        assert hasattr(xp, name)
    assert (xp.pi, xp.e, xp.inf, xp.newaxis) == (math.pi, math.e, math.inf, None)
    assert math.isnan(xp.nan)
    assert xp.asarray([True]).dtype == xp.bool
    assert x.to("cpu") is x


def test_what_it_says_of_itself() -> None:
    info = xp.__array_namespace_info__()
    assert info.capabilities() == {
        "boolean indexing": True, "data-dependent shapes": True, "max dimensions": 64,
    }  # fmt: skip
    assert xp.zeros((1,) * 64).ndim == 64
    assert info.devices() == [info.default_device()] == ["cpu"]
    assert info.default_dtypes(device="cpu") == {
        "real floating": xp.float32, "integral": xp.int64, "indexing": xp.int64,
    }  # fmt: skip
    assert list(info.dtypes()) == ["bool", "int32", "int64", "float32", "float64"]
    assert info.dtypes(kind=("bool", "real floating")) == {
        "bool": xp.bool, "float32": xp.float32, "float64": xp.float64,
    }  # fmt: skip
    assert info.dtypes(kind="complex floating") == info.dtypes(kind="unsigned integer") == {}
    with pytest.raises(ValueError, match="dtypes: expected kinds of bool, .* got 'float'"):
        info.dtypes(kind="float")
    assert "complex" in type(info).__doc__  # type: ignore[operator]  # it has one


def test_device() -> None:
    x = tensor([1.0])
    for made in (
        xp.zeros(2, device="cpu"), xp.asarray([1.0], device="cpu"), xp.ones_like(x, device="cpu"),
        xp.arange(3, device=x.device), xp.astype(x, xp.float64, device="cpu"),
        xp.from_dlpack(x, device="cpu"),
    ):  # fmt: skip
        assert made.device == "cpu"
    for call in (
        lambda: xp.zeros(2, device="cuda"), lambda: xp.asarray(1.0, device="cuda:0"),
        lambda: xp.from_dlpack(x, device="cuda"), lambda: xp.astype(x, xp.int64, device="gpu"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match="expected device 'cpu', the only one there is, got"):
            call()


def test_what_is_the_standards_own() -> None:
    x = xp.asarray(np.array([3, 4], np.int32))
    # Lists, in this version.
    assert [type(f(x, x)) for f in (xp.meshgrid, xp.broadcast_arrays)] == [list, list]
    assert xp.real(x) is x
    assert xp.conj(x) is x
    assert xp.imag(x).tolist() == [0, 0]
    assert xp.vecdot(x, x).dtype == xp.int32
    assert xp.concat([x, xp.reshape(x, (1, 2))], axis=None).tolist() == [3, 4, 3, 4]
    assert xp.astype(x, xp.int32) is not x
    assert xp.astype(x, xp.int32, copy=False) is x
    assert xp.copysign(xp.asarray(np.float32([1.0])), xp.asarray(np.float64([-0.0]))).dtype == (
        xp.float64
    )
    assert xp.copysign(0, xp.asarray([-1.0])).tolist() == [-0.0]
    assert str(xp.copysign(2, xp.asarray([-math.nan]))[0].item()) == "-2.0"
    for call in (
        lambda: xp.expand_dims(x, axis=9), lambda: xp.sum(x, axis=1), lambda: xp.sort(x, axis=-2),
    ):  # fmt: skip
        with pytest.raises(IndexError, match="expected an axis from"):
            call()
    with pytest.raises(ValueError, match="broadcast_to: expected a shape that fits"):
        xp.broadcast_to(xp.asarray(1.0), (-1,))
    with pytest.raises(TypeError, match="pow: expected"):
        xp.pow(xp.asarray([True]), xp.asarray([True]))
    with pytest.raises(ValueError, match="nonzero: expected at least one axis"):
        xp.nonzero(xp.asarray(1.0))


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
    assert xp.from_dlpack(xp.zeros((0,)), copy=False).shape == (0,)
    small = np.arange(3, dtype=np.uint8)
    assert xp.from_dlpack(small).dtype == xp.int64
    with pytest.raises(BufferError, match="copy=False, but uint8 becomes int64"):
        xp.from_dlpack(small, copy=False)
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


def test_floor_divide_of_infinities() -> None:
    inf = math.inf
    x, y = (
        xp.asarray([inf, inf, -inf, 5.0, -5.0, 5.0, inf]),
        xp.asarray([2.0, -2.0, 2.0, -inf, inf, inf, inf]),
    )
    wanted = [inf, -inf, -inf, -0.0, -0.0, 0.0, math.nan]
    for divide in (xp.floor_divide, lambda a, b: a // b):
        for found in (divide(x, y), ss.compile(divide)(x, y)):
            np.testing.assert_array_equal(found, wanted)
            assert np.signbit(found)[:6].tolist() == [False, True, True, True, True, False]
    into = xp.asarray(x, copy=True)
    into //= y
    np.testing.assert_array_equal(into, wanted)
    # PyTorch's function pairs it with the remainder.
    assert math.isnan(ss.floor_divide(x, y)[0].item())
    assert ss.floor_divide(x, y)[3].item() == -1.0
