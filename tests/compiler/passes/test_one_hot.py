"""The classes' gradient as comparisons."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss.compiler import compile
from schuss.nn import functional as F

DATA = np.random.default_rng(0)
X = ss.tensor(DATA.normal(size=(6, 4)).astype("f4"))


def with_loss(x: ss.Tensor, y: ss.Tensor) -> tuple[ss.Tensor, ss.Tensor]:
    return ss.value_and_grad(lambda x: F.cross_entropy(x, y))(x)


def picked(x: ss.Tensor, y: ss.Tensor) -> ss.Tensor:
    rows = np.arange(6)
    return ss.grad(lambda x: (x[rows, y] * ss.tensor(np.arange(6.0, dtype="f4"))).sum())(x)


def ops_of(function, *arguments) -> list[str]:
    step = compile(function)
    step(*arguments)
    (program,) = step._builds.values()
    return [n.op for s in program.compilation.plan.stages for n in s.nodes]


@pytest.mark.parametrize("dtype", [np.int64, np.int32])
def test_the_gradient_of_the_loss_needs_no_scatter(dtype: type) -> None:
    y = ss.tensor(DATA.integers(0, 4, 6).astype(dtype))
    assert "scatter_add" not in ops_of(with_loss, X, y)
    for got, expected in zip(compile(with_loss)(X, y), with_loss(X, y), strict=True):
        np.testing.assert_allclose(got.array, expected.array, rtol=1e-5, atol=1e-7)


def test_indices_from_the_end() -> None:
    rows = np.arange(6)

    def both(x: ss.Tensor, y: ss.Tensor) -> tuple[ss.Tensor, ss.Tensor]:
        return ss.value_and_grad(lambda x: (x[rows, y] ** 2).sum())(x)

    y = ss.tensor(np.array([-1, 0, -4, 3, -2, 1]))
    assert "scatter_add" not in ops_of(both, X, y)
    for got, expected in zip(compile(both)(X, y), both(X, y), strict=True):
        np.testing.assert_allclose(got.array, expected.array, rtol=1e-6)


def test_an_index_out_of_range_is_noticed_all_the_same() -> None:
    wrong = ss.tensor(np.array([0, 1, 2, 3, 4, 0]))
    with pytest.raises(IndexError, match=r"cross_entropy: expected target from 0 to 3, got 4"):
        compile(with_loss)(X, wrong)
    # The gradient alone does not read what was picked, but the index is looked at.
    assert "scatter_add" not in ops_of(picked, X, ss.tensor(np.array([0, 1, 2, 3, 3, 0])))
    with pytest.raises(IndexError, match="index 4 is out of bounds for axis 1 with size 4"):
        compile(picked)(X, wrong)


def test_rows_that_are_picked_otherwise_are_scattered() -> None:
    rows = np.array([0, 0, 2, 3, 4, 5])
    y = ss.tensor(np.array([1, 1, 2, 3, 0, 0]))

    def both(x: ss.Tensor, y: ss.Tensor) -> tuple[ss.Tensor, ss.Tensor]:
        return ss.value_and_grad(lambda x: (x[rows, y] ** 2).sum())(x)

    assert "scatter_add" in ops_of(both, X, y)
    for got, expected in zip(compile(both)(X, y), both(X, y), strict=True):
        np.testing.assert_allclose(got.array, expected.array, rtol=1e-6)
