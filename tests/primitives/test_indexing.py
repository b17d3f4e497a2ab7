"""Indexing as NumPy does it, and its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schuss as ss
from schuss.core import Tensor, leaf, tensor
from schuss.gradcheck import check_gradients
from schuss.transforms import vjp

X = np.random.default_rng(0).normal(size=(4, 3, 5))
MASK1 = np.array([True, False, True, True])
MASK2 = X[..., 0] > 0
MASK3 = X > 0.3
A = np.array
EVEN = np.array([0, 2])

INDICES: list[Any] = [
    # Integers and slices.
    0, -1, np.int64(2), (1, 2), (1, -1, 0), (-4, -3, -5), (), ..., (..., 0), (0, ...), (1, ..., 2),
    slice(None), slice(1, 3), slice(-3, None), slice(None, -1), slice(0, 10), slice(3, 1),
    slice(None, None, 2), slice(None, None, -1), slice(3, 0, -2), slice(-1, -10, -1),
    (slice(None), slice(None, None, -2), slice(4, None, -3)), (slice(2, 2), 0),
    (slice(None), 1, slice(1, None)), (..., slice(1, 4, 2)),
    # New axes.
    None, (None, None), (None, 0), (0, None, 1), (..., None), (slice(None), None, 2),
    (None, slice(1, 2), None, -1), (None, ..., None),
    # Integer arrays, lists, tensors.
    [0, 2], [[0, 1], [3, 3]], [-1, -4], [], A([1, 1, 1]), A(2), A([0], dtype=np.int32),
    tensor([3, 0]), tensor(1), tensor([[0], [2]]), np.zeros((2, 0), int),
    (slice(None), [2, 0, 2]), (..., [4, 4, 0]), (slice(None), slice(None), A([[0, 1], [2, 3]])),
    ([0, 1, 2], [0, 1, 2]), ([0, 1], [1, 2], [3, 4]), ([[0], [3]], [0, 2]), (A([0, 3]), 1),
    ([0, 1], slice(None), [0, 4]), ([0, 1], slice(1, 3), 2), (0, slice(None), [1, 1]),
    (slice(None), [0, 1], [2, 3]), ([0, 1], ..., [2, 3]), (0, ..., [2, 2]), (None, [1, 2], None),
    ([1, 2], None, [0, 1]), (slice(None, None, -1), [0, 0], None), (tensor([0, 1]), 0, tensor(2)),
    (A(0), slice(None), A(1)), (slice(1, 3), tensor([[2, 1]]), slice(None, None, 2)),
    # Masks.
    MASK1, MASK2, MASK3, [True, False, True, False], tensor(MASK1), tensor(MASK2),
    (MASK1, 0), (MASK1, slice(0, 2)), (slice(None), A([True, False, True])),
    (..., X[0, 0] > 0), (MASK2, slice(1, 3)), (MASK2, 1), (MASK1, [0, 1, 2]),
    (MASK1, ..., [0, 1, 2]), (None, MASK1), (MASK1, None, 2), np.zeros(4, bool),
    np.zeros((4, 3, 5), bool), (slice(None), np.zeros(3, bool)), (0, A([True, True, False])),
]  # fmt: skip
IDS = [str(i).replace("\n", "") for i in INDICES]


def plain(index: Any) -> Any:
    """The same index for NumPy."""
    if isinstance(index, tuple):
        return tuple(plain(i) for i in index)
    if isinstance(index, list):
        return np.array(index, bool if index and isinstance(index[0], bool) else int)
    return index.array if isinstance(index, Tensor) else index


def right(x: np.ndarray[Any, Any], index: Any) -> np.ndarray[Any, Any]:
    """NumPy's result; but what arrays pick stays in its place beside integers, as in PyTorch."""
    items = plain(index)
    found: np.ndarray[Any, Any] = x[items]
    if not isinstance(items, tuple):
        return found
    arrays = [k for k, i in enumerate(items) if isinstance(i, np.ndarray) and i.ndim]
    picking = [k for k, i in enumerate(items) if not isinstance(i, slice | None | type(...))]
    if not arrays or picking[-1] - picking[0] < len(picking):
        return found
    if arrays[-1] - arrays[0] >= len(arrays) and not all(
        k in picking for k in range(arrays[0], arrays[-1])
    ):
        return found
    masks = [i for i in items if isinstance(i, np.ndarray) and i.dtype == bool]
    others = [np.empty(1) if i.dtype == bool else i for i in (items[k] for k in arrays)]
    count = np.broadcast(*others).ndim
    taken = sum(i is not None and i is not ... for i in items) + sum(m.ndim - 1 for m in masks)
    start = sum(
        x.ndim - taken if i is ... else int(i is None or isinstance(i, slice))
        for i in items[: arrays[0]]
    )
    return np.moveaxis(found, range(count), range(start, start + count))


@pytest.mark.parametrize("index", INDICES, ids=IDS)
def test_values(index: Any) -> None:
    for x in (
        X,
        X.astype(np.float32),
        X.transpose(0, 1, 2)[:, :, ::-1],
        X > 0,
        (X * 9).astype(int),
    ):
        got, wanted = leaf(x)[index], right(x, index)
        assert got.shape == wanted.shape
        assert got.dtype == wanted.dtype
        np.testing.assert_array_equal(got.array, wanted)


@pytest.mark.parametrize("index", INDICES, ids=IDS)
def test_gradients(index: Any) -> None:
    x = X[:, :, ::-1]
    got, pull = vjp(lambda t: t[index], leaf(x))
    error = np.random.default_rng(1).normal(size=got.shape)
    places = right(np.arange(x.size).reshape(x.shape), index)
    wanted = np.bincount(places.reshape(-1), error.reshape(-1), x.size).reshape(x.shape)
    np.testing.assert_allclose(pull(error)[0].array, wanted, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("index", INDICES[::4], ids=IDS[::4])
def test_gradients_of_order_two(index: Any) -> None:
    check_gradients(lambda t: t[index] * t[index], X)


@pytest.mark.parametrize(
    "index",
    [0, (1, -1), slice(1, 3), [0, 0, 2], ([0, 1, 1], [2, 2, 2]), MASK1, MASK2, (MASK2, 1),
     (slice(None), [1, 1]), ([0, 0], slice(None), [4, 4]), (None, 1), (..., [0, 0, 0])],
    ids=str,
)  # fmt: skip
def test_gradients_as_pytorch(index: Any) -> None:
    torch = pytest.importorskip("torch")
    x = torch.tensor(X, requires_grad=True)

    def there(i: Any) -> Any:
        if isinstance(i, tuple):
            return tuple(map(there, i))
        return torch.tensor(i) if isinstance(i, (list, np.ndarray)) else i

    (x[there(index)] ** 2).sum().backward()
    mine = tensor(X, requires_grad=True)
    (mine[index] ** 2).sum().backward()
    np.testing.assert_allclose(mine.grad.array, x.grad.numpy(), rtol=1e-13)


MIXED: list[Any] = [
    (0, slice(None), [0, 1, 3]), (0, ..., [0, 1]), (0, None, [0, 1]), ([0, 1], slice(None), 2),
    (-1, slice(None, None, 2), A([True, False, True, False, True])),
    (0, slice(1, 3), A([[0], [1]])),
    (slice(None), 1, [0, 1]), (slice(None), [0, 2], 1), (None, 1, slice(None), [0, 1]),
]  # fmt: skip


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("index", MIXED, ids=str)
def test_integers_beside_arrays_are_taken_first_as_pytorch_does(index: Any, compiled: bool) -> None:
    torch = pytest.importorskip("torch")

    def run(m: Any, x: Any) -> Any:
        at = tuple(m.tensor(i) if isinstance(i, list | np.ndarray) else i for i in index)
        y = x * 1
        found = x[at]
        y[at] = m.arange(float(found.numel()), dtype=m.float64).reshape(found.shape)
        y[at] += 1
        return found, y

    if compiled and any(isinstance(i, np.ndarray) and i.dtype == bool for i in index):
        pytest.skip("tests/functions/test_selected.py has what masks pick there")
    wanted = run(torch, torch.tensor(X))
    call = ss.compile(lambda x: run(ss, x)) if compiled else lambda x: run(ss, x)
    for mine, other in zip(call(tensor(X)), wanted, strict=True):
        assert mine.shape == tuple(other.shape)
        np.testing.assert_array_equal(mine, other.numpy())


def test_repeated_rows_accumulate() -> None:
    table = tensor(np.zeros((5, 3), np.float32), requires_grad=True)
    places = np.random.default_rng(0).integers(-5, 5, (40, 7))
    error = np.random.default_rng(1).normal(size=(40, 7, 3)).astype(np.float32)
    table[places].backward(error)
    right = np.zeros((5, 3))
    np.add.at(right, places, error)
    np.testing.assert_allclose(table.grad.array, right, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("index", "text"),
    [
        (4, r"out of bounds.*\(4, 3, 5\)"), (-5, "out of bounds"), ((0, 3), "out of bounds"),
        ([0, 4], "out of bounds"), ((slice(None), [3]), "out of bounds"),
        ((0, 0, 0, 0), "too many indices"), ((..., ...), "single ellipsis"),
        (1.0, "expected integers or booleans, got float"), ("a", "expected integers, slices"),
        ([0.5], "expected integers or booleans"), (([0, 1], [0, 1, 2]), "broadcast"),
        ((True, 0), "one boolean; use where"),
        (np.array([True, False]), r"mask of shape \(4,\).*\(2,\)"),
        ((slice(None), MASK1), r"mask of shape \(3,\) from axis 1 on, got \(4,\)"),
        ((..., MASK1), r"mask of shape \(5,\) from axis 2"), (MASK2.T, r"got \(3, 4\)"),
        (np.ones((4, 3, 5, 1), bool), "mask"),
    ],
    ids=str,
)  # fmt: skip
def test_wrong_indices(index: Any, text: str) -> None:
    with pytest.raises(IndexError, match=text):
        leaf(X)[index]


def test_truths_and_masks_without_elements() -> None:
    x = leaf(X)
    for truth in (True, np.array(True), np.True_, tensor(True)):
        assert x[truth].shape == (1, *X.shape)
        np.testing.assert_array_equal(x[truth].array[0], X)
    assert x[False].shape == x[tensor(False)].shape == (0, *X.shape)
    assert tensor(3.0)[tensor(True)].tolist() == [3.0]
    assert x[np.zeros((0,), bool)].shape == (0, *X.shape[1:])
    assert x[np.zeros((4, 0), bool)].shape == (0, X.shape[2])
    y = tensor([1.0, 2.0], requires_grad=True)
    y[True].sum().backward()
    assert y.grad is not None
    assert y.grad.tolist() == [1.0, 1.0]


def test_no_axes() -> None:
    x = tensor(2.0, requires_grad=True)
    for index in ((), ..., None, (None, ...)):
        assert x[index].tolist() == np.array(2.0)[index].tolist()
    with pytest.raises(IndexError, match="too many indices"):
        x[0]


def test_iteration_unpacking_and_length() -> None:
    rows = list(tensor([[1.0, 2.0], [3.0, 4.0]]))
    assert [r.tolist() for r in rows] == [[1.0, 2.0], [3.0, 4.0]]
    a, b = tensor([1, 2])
    assert (int(a), int(b)) == (1, 2)
    assert len(tensor([[1], [2], [3]])) == 3
    assert [10, 20, 30][tensor(1)] == 20
    with pytest.raises(TypeError, match="at least one axis"):
        iter(tensor(1.0))


def test_setting_items() -> None:
    for index in INDICES:
        x, right = tensor(X), X.copy()
        x[index] = 7
        right[plain(index)] = 7
        np.testing.assert_array_equal(x.array, right)
    x = tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(ValueError, match="takes part in differentiation"):
        x[0] = 1.0


steps = st.integers(-3, 3).filter(bool)
ends = st.one_of(st.none(), st.integers(-6, 6))
slices = st.builds(slice, ends, ends, st.one_of(st.none(), steps))
single = st.one_of(slices, st.integers(-6, 6), st.none(), st.just(...),
                   st.lists(st.integers(-6, 6), max_size=3))  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(st.lists(single, max_size=4))
def test_any_index(items: list[Any]) -> None:
    index = tuple(items)
    try:
        wanted = right(X, index)
    except IndexError:
        with pytest.raises(IndexError, match=r"index: .*\(shape \([0-9, ]*\)\)"):
            leaf(X)[index]
        return
    got, pull = vjp(lambda t: t[index], leaf(X))
    np.testing.assert_array_equal(got.array, wanted)
    expected = np.zeros(X.shape)
    np.add.at(expected, plain(index), 1.0)
    np.testing.assert_array_equal(pull(np.ones(got.shape))[0].array, expected)
