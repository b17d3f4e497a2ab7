"""Tensors: making them, dtypes and their promotion, what leaves them, changes in place."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pytest

import schuss as ss
import schuss.functions as F
from schuss.core import (
    Tensor,
    bool_,
    enable_grad,
    float32,
    float64,
    int32,
    int64,
    is_grad_enabled,
    leaf,
    no_grad,
    tensor,
)
from schuss.primitives.base import asarray, from_numpy

DTYPES = ("bool", "int32", "int64", "float32", "float64")


# Making.


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1.5, float32), (1, int64), (True, bool_), ([1.0, 2], float32), ([[1, 2], [3, 4]], int64),
        ([True, False], bool_), ([], float32), (np.ones(2), float64), (np.float32(1), float32),
        (np.float64(1), float64), (np.int8([1]), int64), (np.uint8([1]), int64),
        (np.float16([1]), float32), (np.longdouble([1]), float64), (np.int32([1]), int32),
        (np.array([1.5], ">f8"), float64), (np.array([1], ">i4"), int32), (range(3), int64),
        ((np.float64(1), 2.0), float32), (np.array([True]), bool_), (10**12, int64),
    ],
    ids=str,
)  # fmt: skip
def test_default_dtypes(data: Any, dtype: np.dtype[Any]) -> None:
    made = tensor(data)
    assert made.dtype == dtype
    np.testing.assert_array_equal(made.array, np.asarray(data))
    assert made.array.flags.c_contiguous


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint8", "bool"])
def test_the_constructor_makes_floats_of_arrays(dtype: str) -> None:
    array = np.array([0, 1, 1]).astype(dtype)
    assert (Tensor(array).dtype, Tensor(array).tolist()) == (float32, [0.0, 1.0, 1.0])
    assert Tensor([np.float64(0.1)]).dtype == float32
    assert Tensor(tensor(np.ones(2))).dtype == float64
    assert Tensor(array, dtype="int64").dtype == int64
    assert tensor(np.ones(2)).dtype == float64
    twin = pickle.loads(pickle.dumps(tensor(np.ones(2))))
    assert (twin.dtype, copy.deepcopy(twin).dtype) == (float64, float64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtypes_asked_for(dtype: str) -> None:
    assert tensor([0, 1], dtype).dtype == dtype
    assert tensor([0.0, 1.0], dtype=np.dtype(dtype)).dtype == dtype
    assert tensor([0, 1]).to(dtype).dtype == dtype
    assert asarray(np.array([0, 1]), dtype).dtype == dtype


def test_it_copies_and_shares_where_it_says() -> None:
    source = np.ones((2, 3)).T
    copied, shared = tensor(source), from_numpy(source)
    source[0, 0] = 5
    assert copied[0, 0].item() == 1
    assert shared[0, 0].item() == 5
    assert np.shares_memory(shared.numpy(), source)
    assert asarray(copied) is copied
    assert not np.shares_memory(asarray(copied, copy=True).array, copied.array)
    with pytest.raises(ValueError, match="copy=False"):
        asarray([1.0], copy=False)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: tensor("abc"), TypeError, "expected numbers or booleans, got str"),
        (lambda: tensor([None]), TypeError, "got list of dtype object"),
        (lambda: tensor(1j), TypeError, "complex"),
        (lambda: tensor([[1, 2], [3]]), ValueError, "lists of unequal lengths"),
        (lambda: tensor(np.array(["2020"], "M8[D]")), TypeError, "encode text and dates"),
        (lambda: tensor(1.0, "float16"), TypeError, "dtype: expected float32.*got float16"),
        (lambda: tensor(np.array([2**64 - 1], np.uint64)), TypeError, "use float64"),
        (lambda: tensor([1], requires_grad=True), TypeError, "expected a float tensor, got int64"),
        (lambda: tensor([1.0, 2.0]).item(), ValueError, r"item: .*\(2,\)"),
        (lambda: bool(tensor([1.0, 2.0])), ValueError, "any.. or all"),
        (lambda: len(tensor(1.0)), TypeError, "at least one axis"),
        (lambda: [1, 2][tensor(1.0)], TypeError, "integer tensor"),
        (lambda: tensor([1.0]).assign([1.0, 2.0]), ValueError, r"assign: .*\(1,\), got \(2,\)"),
        (lambda: (tensor([1.0], requires_grad=True) * 2).assign([1.0]), ValueError, "leaf"),
        (lambda: pickle.dumps(tensor([1.0], requires_grad=True) * 2), ValueError, "detach"),
        (lambda: tensor([1.0]).nothing, AttributeError, "nothing"),
    ],
)  # fmt: skip
def test_wrong_data(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


# Promotion.

TABLE = {
    ("bool", "int32"): "int32", ("bool", "int64"): "int64", ("bool", "float32"): "float32",
    ("bool", "float64"): "float64", ("int32", "int64"): "int64", ("int32", "float32"): "float32",
    ("int32", "float64"): "float64", ("int64", "float32"): "float32",
    ("int64", "float64"): "float64", ("float32", "float64"): "float64",
}  # fmt: skip


@pytest.mark.parametrize("a", DTYPES)
@pytest.mark.parametrize("b", DTYPES)
def test_promotion_of_tensors(a: str, b: str) -> None:
    expected = a if a == b else TABLE.get((a, b)) or TABLE[(b, a)]
    x, y = tensor([1], a), tensor([1], b)
    for other in (y, y.array):
        for f in (F.add, F.multiply, F.maximum, lambda x, y: F.where([True], x, y)):
            assert f(x, other).dtype == expected
        assert F.concat([x, other]).dtype == expected
        assert F.matmul(x, other).dtype == ("int64" if expected == "bool" else expected)
    quotient = expected if expected.startswith("float") else "float32"
    assert (x / y).dtype == quotient
    assert F.atan2(x, y).dtype == quotient
    assert (x == y).dtype == bool_
    theirs = pytest.importorskip("torch")
    kind = {d: getattr(theirs, d) for d in DTYPES}
    assert theirs.promote_types(kind[a], kind[b]) == kind[expected]


@pytest.mark.parametrize("dtype", DTYPES)
def test_python_numbers_are_weak(dtype: str) -> None:
    x = tensor([1, 0], dtype)
    with_float = dtype if dtype.startswith("float") else "float32"
    with_int = "int64" if dtype == "bool" else dtype
    for number, expected in (
        (2.5, with_float), (np.float64(2.5), with_float), (np.float32(2.5), with_float),
        (2, with_int), (np.int64(2), with_int), (True, dtype), (np.bool_(True), dtype),
    ):  # fmt: skip
        assert (x + number).dtype == expected
        assert (number + x).dtype == expected
        assert F.maximum(x, number).dtype == expected
        assert F.where([True, False], x, number).dtype == expected
        np.testing.assert_allclose((number + x).array, np.asarray(x.array, expected) + number)
    assert (x * 1e300).dtype == with_float
    assert F.exp(x).dtype == with_float
    assert F.mean(x).dtype == with_float
    assert F.sum(x).dtype == (dtype if dtype.startswith("float") else "int64")


OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "<", "<=", ">", ">=", "==", "!="]


@pytest.mark.parametrize("operator", OPERATORS)
def test_operators_with_everything_on_either_side(operator: str) -> None:
    code = compile(f"a {operator} b", "", "eval")
    x = np.array([[1.5, 2.0], [3.0, 0.5]])
    row = np.array([2.0, 0.5])
    for a, b in ((x, row), (row, x), (x, 2.0), (2.0, x), (np.float64(1.5), x), (x, np.float32(2)),
                 (3, x)):  # fmt: skip
        right = eval(code, {"a": a, "b": b})
        for mine in ("both", "a", "b"):
            left = tensor(a, "float64") if mine != "b" and isinstance(a, np.ndarray) else a
            other = tensor(b, "float64") if mine != "a" and isinstance(b, np.ndarray) else b
            if not isinstance(left, Tensor) and not isinstance(other, Tensor):
                continue
            got = eval(code, {"a": left, "b": other})
            assert isinstance(got, Tensor), (operator, type(a), type(b))
            np.testing.assert_allclose(got.array, right, rtol=1e-6)


def test_logic_and_unary_operators() -> None:
    a, b = np.array([True, True, False]), np.array([True, False, False])
    x, y = tensor(a), tensor(b)
    np.testing.assert_array_equal((x & y).array, a & b)
    np.testing.assert_array_equal((x | b).array, a | b)
    np.testing.assert_array_equal((a ^ y).array, a ^ b)
    np.testing.assert_array_equal((~x).array, ~a)
    np.testing.assert_array_equal((-tensor([1.0, -2.0])).array, [-1, 2])
    np.testing.assert_array_equal(abs(tensor([1, -2])).array, [1, 2])
    assert (+x) is x
    m = np.arange(6.0).reshape(2, 3)
    assert isinstance(m @ tensor(m.T), Tensor)
    np.testing.assert_array_equal((m @ tensor(m.T)).array, m @ m.T)
    np.testing.assert_array_equal((tensor(m) @ m.T).array, m @ m.T)
    x = tensor([1.0, 2.0])
    x += 1
    assert x.tolist() == [2.0, 3.0]


def test_comparison_with_what_is_no_number() -> None:
    x = tensor([1.0])
    assert x in [x]
    assert {x: 1}[x] == 1
    assert (x is None) is False


# Out of Schuss.


def test_conversions() -> None:
    x = tensor([[1.5, 2.0]])
    assert x.tolist() == [[1.5, 2.0]]
    assert float(x[0, 0]) == 1.5
    assert int(tensor(3)) == 3
    assert bool(tensor([True])) is True
    assert type(x[0, 0].item()) is float
    assert np.asarray(x).dtype == np.float32
    assert np.asarray(x, dtype=np.float64).dtype == np.float64
    assert np.from_dlpack(x).tolist() == [[1.5, 2.0]]
    assert f"{tensor(1.23456):.2f}" == "1.23"
    assert (x.shape, x.ndim, x.size, x.device) == ((1, 2), 2, 2, "cpu")
    torch = pytest.importorskip("torch")
    assert torch.from_dlpack(x).tolist() == [[1.5, 2.0]]
    assert tensor(torch.tensor([1.0, 2.0])).tolist() == [1.0, 2.0]


def test_repr() -> None:
    assert repr(tensor([1.0, 2.5])) == "tensor([1. , 2.5])"
    assert repr(tensor([1], "int32")) == "tensor([1], dtype=schuss.int32)"
    assert repr(tensor(1.0, requires_grad=True)) == "tensor(1., requires_grad=True)"


def test_pytorch_method_names() -> None:
    x = tensor(np.arange(24.0).reshape(2, 3, 4))
    assert x.view(6, 4).shape == x.view(6, -1).shape == x.reshape((6, 4)).shape == (6, 4)
    assert x.permute(2, 0, 1).shape == x.permute((2, 0, 1)).shape == (4, 2, 3)
    assert x.transpose(0, 2).shape == x.transpose(-1, 0).shape == (4, 3, 2)
    assert x.unsqueeze(1).squeeze(1).shape == (2, 3, 4)
    assert x[0].t().shape == x[0].T.shape == (4, 3)
    assert x.mT.shape == (2, 4, 3)
    assert x.expand(5, -1, -1, -1).shape == (5, 2, 3, 4)
    assert x.clamp(min=3).min().item() == x.clamp(3, 5).min().item() == 3
    assert x.masked_fill(x > 3, 0).max().item() == 3
    assert x.sum(dim=(0, 1), keepdim=True).shape == x.sum((0, 1), True).shape == (1, 1, 4)
    assert x.float().dtype == float32
    assert x.double().long().int().bool().dtype == bool_
    assert x.numel() == 24
    assert x.flatten(1).shape == (2, 12)
    assert [p.shape for p in x.unbind(1)] == [(2, 4)] * 3
    assert x.index_select(1, tensor([0, 0])).shape == (2, 2, 4)
    assert x.cumsum(dim=1).shape == x.softmax(dim=-1).shape == x.shape
    assert x.argmax(dim=1, keepdim=True).shape == (2, 1, 4)
    assert x.type_as(tensor([1.0])).dtype == float32
    assert x.contiguous().is_leaf
    assert x.dim() == 3
    assert x.eq(1).sum().item() == x.le(0).sum().item() == x.gt(22).sum().item() == 1
    assert x.ne(1).sum().item() == x.ge(1).sum().item() == x.lt(23).sum().item() == 23
    assert x.bmm(x.mT).shape == (2, 3, 3)


# In place, and recording.


def test_assigning() -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    same = x.assign(np.array([3.0, 4.0]))
    assert same is x
    assert x.dtype == float32
    assert x.requires_grad
    assert x.tolist() == [3.0, 4.0]
    assert x.fill_(2).tolist() == [2.0, 2.0]
    assert x.zero_().tolist() == [0.0, 0.0]
    assert x.copy_([5.0]).tolist() == [5.0, 5.0]
    source = np.array([1.0, 1.0], np.float32)
    x.assign(source)
    source[0] = 9
    assert x.tolist() == [1.0, 1.0]


def test_copies() -> None:
    x = tensor([1.0], requires_grad=True)
    x.grad = tensor([2.0])
    twin = copy.deepcopy(x)
    assert twin.requires_grad
    assert twin.grad is not None
    assert twin.grad.tolist() == [2.0]
    assert twin is not x
    assert not np.shares_memory(twin.array, x.array)
    with pytest.raises(ValueError, match="deepcopy: expected a leaf"):
        copy.deepcopy(x * 2)
    assert copy.copy(x).node is not None
    assert not x.detach().requires_grad
    assert np.shares_memory(x.detach().array, x.array)


def test_requires_grad() -> None:
    x = tensor([1.0])
    assert x.requires_grad_() is x
    assert (x * 2).requires_grad
    assert not (x > 0).requires_grad
    assert not x.astype("int64").requires_grad
    assert not F.floor(x).requires_grad
    with pytest.raises(ValueError, match="detach"):
        (x * 2).requires_grad_(False)
    assert not x.requires_grad_(False).requires_grad
    y = tensor([1.0], requires_grad=True) * 2
    assert y.primitive is not None
    assert y.primitive.name == "multiply"
    assert y.inputs[1] == 2
    assert not y.is_leaf


def test_no_grad_and_enable_grad() -> None:
    x = tensor([1.0], requires_grad=True)
    with no_grad():
        assert not is_grad_enabled()
        assert not (x * 2).requires_grad
        with enable_grad():
            assert (x * 2).requires_grad
        assert not (x * 2).requires_grad
    assert (x * 2).requires_grad

    @no_grad()
    def plain(x: Tensor) -> Tensor:
        """Keep my name."""
        return x * 2

    @enable_grad()
    def recorded(x: Tensor) -> Tensor:
        return x * 2

    assert plain.__name__ == "plain"
    assert not plain(x).requires_grad
    with no_grad():
        assert recorded(x).requires_grad

    @no_grad
    def bare(x: Tensor) -> Tensor:
        return x * 2

    assert not bare(x).requires_grad
    mode = no_grad()
    with mode, mode:
        assert not is_grad_enabled()
    assert is_grad_enabled()
    with pytest.raises(KeyError), no_grad():
        raise KeyError
    assert is_grad_enabled()


def test_nothing_warns_of_infinities_even_where_warnings_are_errors() -> None:
    code = """
import schuss as ss
x = ss.tensor([0.0, -1.0, 1e38], requires_grad=True)
for y in (ss.log(x), 1 / x, x * 1e38, ss.exp(x), ss.sqrt(x), x ** -1, x // 0, ss.softmax(x / 0)):
    y = y if y.requires_grad else x * 0
    y.sum().backward()
ss.logsumexp(ss.tensor([float("-inf")] * 2)), ss.tensor([1e300], "float64").float()
ss.norm(ss.tensor([0.0]), ord=-1), ss.tensor([1e30, float("nan")]).long(), ss.tensor([1]) // 0
ss.mean(ss.zeros((0,))), ss.var(ss.ones(1), correction=1), ss.erf(x * 1e38)
"""
    for options in ([], ["-W", "error"]):
        done = subprocess.run(
            [sys.executable, *options, "-c", code], capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


def test_threads_do_not_share_no_grad() -> None:
    seen: dict[str, bool] = {}
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with no_grad():
            seen["inside"] = is_grad_enabled()
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    thread.start()
    entered.wait(10)
    here = is_grad_enabled()
    leave.set()
    thread.join()
    assert here
    assert seen == {"inside": False}
    with no_grad():
        thread = threading.Thread(target=lambda: seen.update(new=is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen["new"]


def test_nothing_is_recorded_without_need() -> None:
    assert (leaf(np.ones(2)) * 2).node is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_met_again_count_as_before(dtype: str) -> None:
    x = Tensor([-0.0, 2.0], dtype)
    for _ in range(3):
        assert np.signbit((x + -0.0).numpy()).tolist() == [True, False]
        assert np.signbit((x + 0.0).numpy()).tolist() == [False, False]
        assert (x * 0.7).dtype == (x * 7).dtype == np.dtype(dtype)
        np.testing.assert_array_equal((x * 0.7).numpy(), x.numpy() * np.dtype(dtype).type(0.7))
        assert np.isnan((x * float("nan")).numpy()).all()
    for n in range(2000):
        assert float((x + n / 7.0)[1]) == np.dtype(dtype).type(n / 7.0) + np.dtype(dtype).type(2)


def test_shapes_know_how_many_elements_they_make() -> None:
    torch = pytest.importorskip("torch")
    for m in (ss, torch):
        shape = m.zeros(2, 3, 4).shape
        assert isinstance(shape, m.Size)
        assert (shape.numel(), shape[1:].numel(), shape[2]) == (24, 12, 4)
        assert m.zeros(2, 3).size().numel() == m.Size([2, 3]).numel() == 6
        assert m.zeros(()).shape.numel() == 1
        assert shape == (2, 3, 4)
        assert isinstance(m.zeros(1).dtype, m.dtype)
    assert f"{ss.zeros(2, 3).shape}" == "(2, 3)"


def test_shapes_go_through_compiled_functions_and_files(tmp_path: Any) -> None:
    x = ss.tensor([[1.0, 2.0, 3.0]])

    @ss.compile
    def scaled(x: ss.Tensor, shape: Any) -> Any:
        return x.reshape(shape) / x.shape.numel(), x.shape

    result, shape = scaled(x, ss.Size([3, 1]))
    assert result.shape == (3, 1)
    assert result[2].item() == 1.0
    assert (shape, shape.numel()) == ((1, 3), 3)
    ss.save({"shape": x.shape}, tmp_path / "shape.pt")
    assert tuple(ss.load(tmp_path / "shape.pt")["shape"]) == (1, 3)
    assert copy.deepcopy(x.shape) == (1, 3)
