"""Rows that are added by an index: from machine code the sums that NumPy finds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schuss.compiler.scatter import bind_scatter
from schuss.native.cpython import is_possible

pytestmark = pytest.mark.skipif(not is_possible(), reason="this Python has another layout")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("shape", "indices"),
    [((5,), (7,)), ((4, 3), (9,)), ((4, 3), (2, 5)), ((3, 2, 2), ()), ((4, 3), (0,))],
)
def test_rows_are_added_in_order(dtype: str, shape: Any, indices: Any) -> None:
    rng = np.random.default_rng(0)
    places = np.asarray(rng.integers(0, shape[0], indices))
    rows = np.asarray(rng.standard_normal((*indices, *shape[1:])) * 10.0 ** rng.integers(-6, 6),
                      dtype)  # fmt: skip
    rows.flat[:1] = -0.0
    table = np.zeros(shape, dtype)
    expected = table.copy()
    np.add.at(expected, places, rows)
    assert bind_scatter(dtype)(table, rows, places) is table
    assert table.tobytes() == expected.tobytes()


def test_what_does_not_fit_is_left_alone() -> None:
    scatter = bind_scatter("float32")
    rows, places = np.ones((2, 3), "f"), np.array([0, 3])
    for given in (
        (np.zeros((4, 3), "d"), rows, places),
        (np.zeros((3, 4), "f").T, rows, places),
        (np.zeros((4, 3), "f"), rows.astype("d"), places),
        (np.zeros((4, 3), "f"), rows[:1], places),
        (np.zeros((4, 3), "f"), np.ones((3, 2), "f").T, places),
        (np.zeros((4, 3), "f"), rows, places - 1),
        (np.zeros((4, 3), "f"), rows, places + 1),
        (np.zeros((4, 3), "f"), rows, places.astype("i4")),
        (np.zeros((0, 3), "f"), rows, places),
        (np.zeros((), "f"), rows, places),
        (np.zeros((4, 3), "f"), rows, 1),
    ):
        assert scatter(*given) is None
        assert not np.any(given[0])
