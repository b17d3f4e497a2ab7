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
    "avg_pool1d": lambda f, x, w, b: f.avg_pool1d(x[0], 3, 1, 1, count_include_pad=False),
    "avg_pool2d": lambda f, x, w, b: f.avg_pool2d(x, (3, 2), 2, (1, 0), True, False),
    "avg_pool2d by another number": lambda f, x, w, b: f.avg_pool2d(x, 3, divisor_override=4),
    "avg_pool3d": lambda f, x, w, b: f.avg_pool3d(x, (2, 3, 7), 1, (1, 1, 3)),
    "local_response_norm": lambda f, x, w, b: f.local_response_norm(x, 3, alpha=0.1),
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
        assert mine.dtype.name == fast.dtype.name == str(other.dtype).removeprefix("torch.")
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


@pytest.mark.parametrize("name", ["BatchNorm1d", "BatchNorm2d", "InstanceNorm1d", "InstanceNorm3d"])
def test_normalisations_without_bias(name: str) -> None:
    layers = [getattr(lib.nn, name)(4, affine=True, bias=False) for lib in (torch, ss)]
    assert list(layers[1].state_dict()) == list(layers[0].state_dict())
    x = RNG.normal(size=(3, 4, *(5,) * int(name[-2]))).astype(np.float32)
    theirs, mine = (layer(lib.tensor(x)) for lib, layer in zip((torch, ss), layers, strict=True))
    np.testing.assert_allclose(mine.detach(), theirs.detach(), atol=1e-5)


def test_an_empty_batch_moves_no_running_figures() -> None:
    for compiled in (False, True):
        layer = ss.nn.BatchNorm1d(3)
        call = ss.compile(layer) if compiled else layer
        assert call(ss.zeros(0, 3, 4)).shape == (0, 3, 4)
        assert layer.running_mean.tolist() == [0.0] * 3
        assert layer.num_batches_tracked.item() == 1


def test_variances_and_margins_of_fewer_numbers() -> None:
    def call(lib: Any) -> list[Any]:
        f = lib.nn.functional
        x, y = (lib.arange(12.0).reshape(4, 3) / k for k in (9, 7))
        found = [f.gaussian_nll_loss(x, y, lib.ones(*n) / 2) for n in ((1, 3), (4, 1), (4,))]
        one, zero = lib.tensor(1.5), lib.tensor(0)
        found += [f.multi_margin_loss(one, zero), f.multilabel_margin_loss(one, zero)]
        return [*found, f.multi_margin_loss(x[0], zero.reshape(1), reduction="none")]

    for mine, theirs in zip(call(ss), call(torch), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
        assert mine.shape == tuple(theirs.shape)
    with pytest.raises(ValueError, match="or with a length of 1 along one axis"):
        ss.nn.functional.gaussian_nll_loss(ss.ones(4, 3), ss.ones(4, 3), ss.ones(1, 1))


IN_PLACE: dict[str, Any] = {
    "ReLU": lambda nn: nn.ReLU(True),
    "LeakyReLU": lambda nn: nn.LeakyReLU(0.2, True),
    "ELU": lambda nn: nn.ELU(inplace=True),
    "SiLU": lambda nn: nn.SiLU(inplace=True),
    "Hardtanh": lambda nn: nn.Hardtanh(-0.5, 0.5, True),
    "relu": lambda nn: lambda x: nn.functional.relu(x, inplace=True),
    "celu": lambda nn: lambda x: nn.functional.celu(x, 0.5, True),
    "not": lambda nn: lambda x: nn.functional.leaky_relu(x, 0.2, False),
}


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("run", [lambda f: f, ss.compile])
def test_what_a_layer_in_place_was_given_becomes_its_result(name: str, run: Any) -> None:
    found = []
    for m in (ss, torch):
        layer = IN_PLACE[name](m.nn)
        x = m.tensor(np.linspace(-2, 2, 12).reshape(3, 4), requires_grad=True)

        def both(x: Any, m: Any = m, layer: Any = layer) -> Any:
            inner = x * 1.5
            loss = (layer(inner) * inner).sum()
            return inner, m.autograd.grad(loss, x)[0]

        call = run(both) if m is ss else both
        found.append([np.asarray(t.detach().numpy()) for t in call(x)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)
