"""Values placed by tensors of positions: eager and compiled, values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.errors import TraceError

X = np.arange(20, dtype=np.float32).reshape(4, 5)
ROWS, COLUMNS = np.array([0, 3, 1, 0]), np.array([1, -1, 2, 1])
V = np.array([1.0, 2.0, 3.0, 4.0], np.float32)

WRITES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "both axes": lambda i, j, v: ((i, j), v),
    "rows of a column": lambda i, j, v: ((i, 2), v),
    "columns": lambda i, j, v: ((slice(None), j), v),
    "parts of rows": lambda i, j, v: ((i, slice(1, 3)), 7.0),
    "one number": lambda i, j, v: ((i, j), 0.5),
    "an axis before": lambda i, j, v: ((..., j), v * 2),
}


@pytest.mark.parametrize("name", WRITES)
def test_indices_of_several_axes(name: str) -> None:
    def written(lib: Any, x: Any, i: Any, j: Any, v: Any) -> Any:
        y = x * 2
        index, value = WRITES[name](i, j, v)
        y[index] = value
        return y

    wanted = X * 2
    index, value = WRITES[name](ROWS, COLUMNS, V)
    wanted[index] = value
    given = [ss.tensor(a) for a in (X, ROWS, COLUMNS, V)]
    call = lambda *a: written(ss, *a)  # noqa: E731
    np.testing.assert_array_equal(call(*given), wanted)
    np.testing.assert_array_equal(ss.compile(call)(*given), wanted)

    def total(x: Any, v: Any) -> Any:
        y = call(x, given[1], given[2], v)
        return (y * y).sum()

    slopes = ss.grad(total, argnums=(0, 1))
    for eager, compiled in zip(
        slopes(given[0], given[3]), ss.compile(slopes)(given[0], given[3]), strict=True
    ):
        np.testing.assert_array_equal(eager, compiled)


def test_positions_out_of_range_are_refused() -> None:
    def write(x: Any, i: Any) -> Any:
        y = x.clone()
        y[i, i] = 0.0
        return y

    with pytest.raises(IndexError, match="out of bounds"):
        ss.compile(write)(ss.tensor(X), ss.tensor([0, 4]))


def test_lengths_that_a_trace_has_to_know() -> None:
    counts = ss.tensor([1, 0, 3, 2])
    repeated = ss.compile(lambda x, n: x.repeat_interleave(n, 0, output_size=6))
    np.testing.assert_array_equal(repeated(ss.tensor(X), counts), np.repeat(X, counts.numpy(), 0))
    with pytest.raises(ValueError, match="repeat_interleave: expected repeats .* output_size=6"):
        repeated(ss.tensor(X), counts + 1)
    counted = ss.compile(lambda n: ss.bincount(n, minlength=4))
    assert counted(counts).tolist() == [1, 1, 1, 1]
    with pytest.raises(ValueError, match="from 0 to 3, below minlength in a compiled"):
        counted(counts + 2)
    with pytest.raises(TraceError, match="bincount: expected minlength in a compiled function"):
        ss.compile(lambda n: ss.bincount(n))(counts)
    assert ss.bincount(counts + 2).tolist() == [0, 0, 1, 1, 1, 1]
    with pytest.raises(ValueError, match="histc: expected a finite range"):
        ss.compile(lambda x: x.histc(3))(ss.tensor([1.0, np.inf]))
