"""The dtype objects: PyTorch's attributes, NumPy's equality, one object for each."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn

NAMES = ["float32", "float64", "int32", "int64", "bool"]
SCALARS = {name: getattr(np, name if name != "bool" else "bool_") for name in NAMES}
every = pytest.mark.parametrize("name", NAMES)


@every
def test_what_pytorchs_have(name: str) -> None:
    torch = pytest.importorskip("torch")
    ours, theirs = getattr(ss, name), getattr(torch, name)
    asked = ("is_floating_point", "is_complex", "is_signed", "itemsize")
    assert [getattr(ours, a) for a in asked] == [getattr(theirs, a) for a in asked]
    assert (repr(ours), str(ours), f"{ours}") == (f"schuss.{name}",) * 3
    assert ours.to_real() is ours
    assert isinstance(ours, ss.dtype)


@every
def test_one_object_for_each(name: str) -> None:
    dtype = getattr(ss, name)
    assert ss.zeros(2, dtype=dtype).dtype is dtype
    assert ss.zeros(2, dtype=name).dtype is dtype
    assert ss.tensor(np.zeros(2, name)).dtype is dtype
    assert getattr(ss.array_api, name) is dtype
    for same in (copy.copy(dtype), copy.deepcopy([dtype])[0], pickle.loads(pickle.dumps(dtype))):
        assert same is dtype
    for kind in (dtype, name, SCALARS[name], np.dtype(name)):
        assert ss.dtype(kind) is dtype


def test_bfloat16_is_one_too() -> None:
    assert isinstance(ss.bfloat16, ss.dtype)
    assert (ss.bfloat16.is_floating_point, ss.bfloat16.itemsize) == (True, 2)
    assert ss.dtype("bfloat16") is copy.deepcopy(ss.bfloat16) is ss.bfloat16
    assert ss.bfloat16 not in (ss.float32, np.float32, np.dtype("float32"), "float32")
    assert len({ss.bfloat16, ss.float32, np.dtype("float32")}) == 2
    assert not hasattr(ss.bfloat16, "kind")
    with pytest.raises(TypeError):
        np.dtype(ss.bfloat16)


def test_other_names() -> None:
    assert (ss.float, ss.double, ss.int, ss.long) == (ss.float32, ss.float64, ss.int32, ss.int64)
    with pytest.raises(TypeError, match="expected float32, .* got float16"):
        ss.dtype("float16")
    with pytest.raises(TypeError, match="not understood"):
        ss.dtype("floaty")
    with pytest.raises(TypeError, match="there are none"):
        ss.float32.to_complex()
    with pytest.raises(AttributeError, match="no_such"):
        ss.float32.no_such  # noqa: B018


@every
def test_equal_to_what_numpys_is_equal_to(name: str) -> None:
    ours, theirs = getattr(ss, name), np.dtype(name)
    others: list[Any] = [*NAMES, *map(np.dtype, NAMES), *SCALARS.values()]
    others += [float, int, bool, str, "nothing", None, 3, theirs.str]
    for other in others[:-4]:
        assert (ours == other, ours != other) == (theirs == other, theirs != other)
        assert (other == ours) == (other == theirs)
    assert ours != 3
    assert ours is not None
    assert [ours == getattr(ss, other) for other in NAMES] == [name == n for n in NAMES]
    assert hash(ours) == hash(theirs)
    assert {theirs: 1}[ours] == {ours: 1}[theirs] == 1


@every
def test_numpy_takes_them(name: str) -> None:
    ours, theirs = getattr(ss, name), np.dtype(name)
    x = np.array([0, 1, 0])
    assert np.dtype(ours) is theirs
    assert np.zeros(3, dtype=ours).dtype == theirs
    assert x.astype(ours).dtype == np.array(x, ours).dtype == np.empty_like(x, ours).dtype == theirs
    assert np.ones(3).sum(dtype=ss.float32).dtype == np.float32
    assert np.issubdtype(ours, np.floating) == ours.is_floating_point
    assert np.result_type(ours, np.float64) == np.float64
    assert np.can_cast(ours, np.float64)
    for attribute in ("name", "kind", "itemsize", "type", "str", "char", "num", "byteorder"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)


def test_limits() -> None:
    x = ss.zeros(2, dtype=ss.float64)
    assert ss.finfo(x.dtype).eps == np.finfo(np.float64).eps == np.finfo(x.dtype).eps
    assert ss.finfo(x.dtype).dtype is ss.float64
    assert ss.iinfo(ss.int32).max == np.iinfo(ss.int32).max == 2**31 - 1
    assert ss.iinfo(ss.int32).dtype is ss.int32


def test_functions_return_them() -> None:
    assert ss.result_type(ss.tensor([1]), ss.tensor([1.0])) is ss.float32
    assert ss.promote_types(ss.int32, ss.int64) is ss.int64
    assert ss.get_default_dtype() is ss.float32
    assert ss.array_api.result_type(ss.int64, ss.float64) is ss.float64
    assert ss.array_api.result_type(1, 2) is ss.int64
    info = ss.array_api.__array_namespace_info__()
    assert all(dtype is getattr(ss, name) for name, dtype in info.dtypes().items())
    assert info.default_dtypes()["indexing"] is ss.int64
    assert ss.isdtype(ss.float32, "real floating")
    assert ss.can_cast(ss.int32, ss.float32)


def test_they_are_taken_everywhere() -> None:
    x = ss.tensor([1.0, 2.0])
    assert x.to(ss.float64).dtype is x.double().dtype is ss.float64
    assert x.type(ss.int64).dtype is x.astype(ss.int64).dtype is ss.int64
    assert x.sum(dtype=ss.float64).dtype is ss.float64
    assert x.numpy().astype(ss.int32).dtype == np.int32
    assert nn.Linear(2, 1).to(ss.float64).weight.dtype is ss.float64
    assert nn.Linear(2, 1, dtype=ss.float64).weight.dtype is ss.float64
    assert ss.arange(3, dtype=ss.float32).dtype is ss.float32
    assert ss.randn(2, dtype=x.dtype).dtype is x.dtype
    assert repr(x.double()) == "tensor([1., 2.], dtype=schuss.float64)"


def test_compiled_functions_branch_on_them() -> None:
    @ss.compile
    def f(x: Any, dtype: Any) -> Any:
        if x.dtype.is_floating_point and x.dtype == ss.float32:
            return x.to(dtype) / 3
        return x.to(dtype) * 2

    x = ss.tensor([3.0, 6.0])
    for given, dtype, wanted in (
        (x, ss.float64, ss.float64),
        (x.long(), ss.int32, ss.int32),
        (x, ss.float32, ss.float32),
        (x, np.float64, ss.float64),
    ):
        found = f(given, dtype)
        assert found.dtype is wanted
        eager = given.to(dtype) / 3 if given is x else given.to(dtype) * 2
        np.testing.assert_allclose(found, eager, 1e-7)
