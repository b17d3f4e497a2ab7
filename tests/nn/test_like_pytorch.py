"""Corners of functions of pictures and losses, as PyTorch has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss

torch = pytest.importorskip("torch")
RNG = np.random.default_rng(0)
X = RNG.integers(-9, 9, (2, 4, 7, 6))
W = RNG.integers(-4, 4, (3, 2, 3, 2))
B = np.array([1, -2, 3])

CALLS: dict[str, Callable[[Any, Any, Any, Any], Any]] = {
    "conv1d": lambda f, x, w, b: f.conv1d(x[:, :2, :, 0], w[..., 0], b),
    "conv2d": lambda f, x, w, b: f.conv2d(x, w.repeat(1, 2, 1, 1), b, stride=2, padding=1),
    "conv2d of one": lambda f, x, w, b: f.conv2d(x[0], w.repeat(1, 2, 1, 1)),
    "conv_transpose2d": lambda f, x, w, b: f.conv_transpose2d(x[:, :3], w, stride=2),
    "max_pool2d": lambda f, x, w, b: f.max_pool2d(x, 3, 2, 1, ceil_mode=True),
    "max_pool2d with positions": lambda f, x, w, b: f.max_pool2d(x, 2, return_indices=True),
    "poisson_nll_loss": lambda f, x, w, b: f.poisson_nll_loss(x, x.abs(), full=True),
}


@pytest.mark.parametrize("dtype", ["int64", "int32"])
@pytest.mark.parametrize("name", CALLS)
def test_integers_stay_integers(name: str, dtype: str) -> None:
    call = CALLS[name]
    arrays = [a.astype(dtype) for a in (X, W, B)]
    try:
        wanted = call(torch.nn.functional, *map(torch.tensor, arrays))
    except (RuntimeError, NotImplementedError):
        pytest.skip("PyTorch has none for this dtype")
    found = call(ss.nn.functional, *map(ss.tensor, arrays))
    compiled = ss.compile(lambda *a: call(ss.nn.functional, *a))(*map(ss.tensor, arrays))
    several = isinstance(wanted, tuple)
    for mine, fast, other in zip(
        *[list(y) if several else [y] for y in (found, compiled, wanted)], strict=True
    ):
        assert str(mine.dtype) == str(fast.dtype) == str(other.dtype).removeprefix("torch.")
        np.testing.assert_allclose(mine, other.numpy(), 1e-5)
        np.testing.assert_allclose(fast, other.numpy(), 1e-5)


def test_integers_beside_floats_are_refused() -> None:
    with pytest.raises(TypeError, match="conv2d: expected x of dtype float32 or float64"):
        ss.nn.functional.conv2d(ss.tensor(X), ss.ones(3, 4, 3, 2))


def test_columns_of_no_pictures_and_the_former_order_of_bags() -> None:
    assert ss.nn.functional.unfold(ss.zeros(0, 1, 5, 5), 2).shape == (0, 4, 16)
    table, index, starts = ss.rand(10, 3), ss.tensor([5, 1, 6]), ss.tensor([0, 2])
    for mode in ("sum", "mean"):
        one = ss.nn.functional.embedding_bag(index, table, starts, mode=mode)
        other = ss.nn.functional.embedding_bag(table, index, starts, mode=mode)
        np.testing.assert_array_equal(one, other)


def test_what_pytorch_refuses_is_refused() -> None:
    f = ss.nn.functional
    with pytest.raises(ValueError, match="avg_pool2d: expected divisor_override other than 0"):
        f.avg_pool2d(ss.ones(1, 1, 4, 4), 2, divisor_override=0)
    with pytest.raises(ValueError, match="max_pool1d: expected elements where there is no batch"):
        f.max_pool1d(ss.zeros(0, 10), 1)
    assert f.max_pool1d(ss.zeros(0, 1, 10), 1).shape == (0, 1, 10)
    for name in ("linspace", "logspace"):
        with pytest.raises(TypeError, match=f"{name}: expected an integer as steps, got 1.0"):
            getattr(ss, name)(0, 3, 1.0)


def test_errors_in_one_place_go_to_all_that_was_put_there() -> None:
    slopes = []
    for lib in (ss, torch):
        f = lib.nn.functional
        x = lib.tensor(X.astype(np.float64), requires_grad=True)
        y, places = f.max_pool2d(x, 3, 1, return_indices=True)
        weights = lib.tensor(np.cos(np.arange(X.size)).reshape(X.shape))
        (f.max_unpool2d(y, places, 3, 1) * weights).sum().backward()
        slopes.append(np.asarray(x.grad))
    np.testing.assert_allclose(*slopes, 1e-12, 1e-12)
