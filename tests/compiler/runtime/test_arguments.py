"""Arguments of a call: what is checked before a program is used again."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss.compiler import compile
from schuss.compiler.graph.graph import Node
from schuss.compiler.runtime.arguments import argument_binder, bind_arguments

F4, I8 = np.dtype(np.float32), np.dtype(np.int64)
NODES = [Node("input", (), {}, (3, 4), F4), Node("input", (), {}, (3,), I8)]
GOOD = np.zeros((3, 4), F4), np.zeros(3, I8)


pytestmark = pytest.mark.usefixtures("natively_and_in_plain_python")


@pytest.fixture
def table() -> np.ndarray:
    return np.zeros(2, np.int64)


def test_notes_where_arrays_begin(table: np.ndarray) -> None:
    bind = argument_binder(NODES, table.ctypes.data)
    assert bind(*GOOD)
    assert list(table) == [a.ctypes.data for a in GOOD]


@pytest.mark.parametrize(
    "other",
    [
        np.zeros((4, 3), F4),
        np.zeros((3, 4, 1), F4),
        np.zeros(12, F4),
        np.zeros((3, 4)),
        np.zeros((3, 4), ">f4"),
        np.zeros((3, 8), F4)[:, ::2],
        np.zeros((4, 3), F4).T,
        np.frombuffer(bytes(49), F4, 12, 1).reshape(3, 4),
    ],
    ids=lambda a: f"{a.shape} {a.dtype} {a.strides}",
)
def test_takes_no_others(table: np.ndarray, other: np.ndarray) -> None:
    bind = argument_binder(NODES, table.ctypes.data)
    assert not bind(other, GOOD[1])
    assert list(table) == [0, 0]


def test_copies_of_what_does_not_lie_in_order_are_kept(table: np.ndarray) -> None:
    across = np.arange(12, dtype=F4).reshape(4, 3).T
    kept = bind_arguments([across, GOOD[1]], table.ctypes.data)
    assert kept[0].flags.c_contiguous
    assert kept[1] is GOOD[1]
    np.testing.assert_array_equal(kept[0], across)
    assert list(table) == [a.ctypes.data for a in kept]


def test_calls_with_other_arrays_shapes_and_dtypes() -> None:
    f = compile(lambda x: ss.sum(x * 2.0, axis=1))
    rng = np.random.default_rng(0)
    shapes = [(3, 4), (3, 4), (4, 3), (3, 4)]
    for shape in shapes:
        for dtype in ("f4", "f8"):
            x = rng.normal(size=shape).astype(dtype)
            for array in (x, np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2]):
                got = f(ss.tensor(array))
                np.testing.assert_allclose(got.array, 2.0 * x.sum(1), rtol=1e-5)
