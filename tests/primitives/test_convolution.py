"""Convolutions and windows of all geometries: eager, compiled, and PyTorch's."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.func import jacrev, vmap
from schuss.nn import functional as F
from schuss.primitives.convolution import convolution

torch = pytest.importorskip("torch")


def draw(seed: int) -> tuple[int, dict[str, Any], list[np.ndarray]]:
    """Return the number of axes, the options, a picture and a weight."""
    rng, values = random.Random(seed), np.random.default_rng(seed)
    d = rng.choice([1, 2, 2, 2, 3])
    groups = rng.choice([1, 1, 1, 2, 3])
    inputs, outputs = rng.choice([1, 2, 3, 5, 17]), rng.choice([1, 2, 3, 16, 20, 33, 70])
    if rng.random() < 0.2:
        inputs, outputs, groups = 1, 1, rng.choice([4, 16, 17, 40, 70])
    kernel = [rng.choice([1, 2, 3, 4]) for _ in range(d)]
    options = {
        "stride": [rng.choice([1, 1, 2, 3]) for _ in range(d)],
        "padding": [rng.choice([0, 1, 2]) for _ in range(d)],
        "dilation": [rng.choice([1, 1, 2, 3]) for _ in range(d)],
        "groups": groups,
    }
    spans = [s * (k - 1) + 1 for s, k in zip(options["dilation"], kernel, strict=True)]
    least = [max(1, s - 2 * p) for s, p in zip(spans, options["padding"], strict=True)]
    size = [rng.randint(n, s + 9) for n, s in zip(least, spans, strict=True)]
    shapes = [(rng.choice([1, 2, 5]), inputs * groups, *size), (outputs * groups, inputs, *kernel)]
    return d, options, [values.normal(size=s) for s in shapes]


def expected(function: Any, arrays: list[np.ndarray], options: dict[str, Any]) -> list[np.ndarray]:
    """Return PyTorch's result, and the gradients of its sum with cosines for weights."""
    given = [torch.tensor(a, requires_grad=True) for a in arrays]
    y = function(*given, **options)
    y.backward(torch.tensor(np.cos(np.arange(y.numel())).reshape(y.shape), dtype=y.dtype))
    return [y.detach().numpy(), *[x.grad.numpy() for x in given]]


def found(function: Any, arrays: list[np.ndarray], options: dict[str, Any]) -> list[np.ndarray]:
    given = [ss.tensor(a, requires_grad=True) for a in arrays]
    y = function(*given, **options)
    y.backward(ss.tensor(np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype)))
    return [y.numpy(), *[x.grad.numpy() for x in given]]


def compiled(function: Any, arrays: list[np.ndarray], options: dict[str, Any]) -> list[np.ndarray]:
    given = [ss.tensor(a, requires_grad=True) for a in arrays]

    @ss.compile
    def run(*xs: Any) -> Any:
        y = function(*xs, **options)
        errors = ss.tensor(np.cos(np.arange(y.size)).reshape(y.shape).astype(y.dtype))
        return y, ss.autograd.grad(y, xs, errors)

    y, gradients = run(*given)
    return [y.numpy(), *[g.numpy() for g in gradients]]


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("transposed", [False, True])
def test_convolutions_are_pytorchs(seed: int, transposed: bool) -> None:
    d, options, arrays = draw(seed)
    name = f"conv{'_transpose' if transposed else ''}{d}d"
    if transposed:
        # The picture takes the place of what a convolution gives, and all of it is kept.
        arrays[0] = np.resize(arrays[0], (len(arrays[0]), len(arrays[1]), *arrays[0].shape[2:]))
        options["padding"] = 0
    wanted = expected(getattr(torch.nn.functional, name), arrays, options)
    for run in (found, compiled):
        for got, want in zip(run(getattr(F, name), arrays, options), wanted, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9 * max(1, abs(want).max()))


@pytest.mark.parametrize(
    ("shape", "weight", "options"),
    [
        # Shared by pictures; by panels of channels; with tables made in parts; depthwise.
        ((8, 16, 20, 20), (40, 16, 3, 3), {"padding": 1}),
        ((3, 96, 6, 6), (200, 96, 3, 3), {"padding": 1, "stride": 2}),
        ((1, 4, 130, 120), (70, 4, 5, 5), {"padding": 2}),
        ((8, 48, 24, 24), (48, 1, 3, 3), {"padding": 1, "groups": 48}),
        ((40, 3, 3, 3), (64, 3, 3, 3), {"padding": 1}),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_ones_that_threads_share(shape: Any, weight: Any, options: Any, dtype: str) -> None:
    values = np.random.default_rng(0)
    arrays = [values.normal(size=s).astype(dtype) for s in (shape, weight)]
    wanted = expected(torch.nn.functional.conv2d, [a.astype("float64") for a in arrays], options)
    tolerance = 2e-6 if dtype == "float32" else 1e-13
    for got, want in zip(compiled(F.conv2d, arrays, options), wanted, strict=True):
        assert got.dtype == dtype
        assert abs(got - want).max() <= tolerance * abs(want).max() * 4


@pytest.mark.parametrize("batched", [(True, False), (False, True), (True, True)])
def test_vmap_of_convolutions(batched: tuple[bool, bool]) -> None:
    values = np.random.default_rng(1)
    x, w = values.normal(size=(3, 2, 4, 7)), values.normal(size=(3, 6, 2, 3))
    x, w = (x if batched[0] else x[0]), (w if batched[1] else w[0])
    axes = tuple(0 if b else None for b in batched)

    def function(x: Any, w: Any) -> Any:
        return F.conv1d(x, w, groups=2, padding=1).square().sum()

    derivative = ss.grad(function, argnums=(0, 1))
    got = vmap(derivative, in_dims=axes)(ss.tensor(x), ss.tensor(w))
    for i in range(3):
        one = derivative(ss.tensor(x[i] if batched[0] else x), ss.tensor(w[i] if batched[1] else w))
        for mine, want in zip(got, one, strict=True):
            np.testing.assert_allclose(mine.numpy()[i], want.numpy(), rtol=1e-12)


def test_jacobian_of_pooling() -> None:
    x = np.random.default_rng(2).normal(size=(1, 2, 5))
    got = jacrev(lambda x: F.max_pool1d(x, 2, 1))(ss.tensor(x)).numpy()
    want = torch.func.jacrev(lambda x: torch.nn.functional.max_pool1d(x, 2, 1))(torch.tensor(x))
    assert (got == want.numpy()).all()


@pytest.mark.parametrize("d", [1, 2, 3])
@pytest.mark.parametrize("adaptive", [False, True])
def test_positions_of_the_largest(d: int, adaptive: bool) -> None:
    x = np.random.default_rng(3).normal(size=(2, 3, *(7, 6, 5)[:d]))
    x[0, 0] = np.nan
    name = f"adaptive_max_pool{d}d" if adaptive else f"max_pool{d}d"
    options = {"output_size": 3} if adaptive else {"kernel_size": 3, "stride": 2, "padding": 1}
    wanted = getattr(torch.nn.functional, name)(torch.tensor(x), **options, return_indices=True)
    for function in (getattr(F, name), ss.compile(getattr(F, name))):
        y, at = function(ss.tensor(x), **options, return_indices=True)
        np.testing.assert_array_equal(y.numpy()[1:], wanted[0].numpy()[1:])
        np.testing.assert_array_equal(at.numpy()[1:], wanted[1].numpy()[1:])
        assert np.isnan(y.numpy()[0, 0]).all()
        assert at.dtype == np.int64


def test_no_pictures() -> None:
    x, w = ss.zeros((0, 2, 5)), ss.ones((3, 2, 2))
    for function in (F.conv1d, ss.compile(F.conv1d)):
        assert function(x, w).shape == (0, 3, 4)
    options = {"stride": (1,), "padding": (0,), "dilation": (1,), "groups": 1, "size": (4,)}
    slope = ss.grad(lambda w: convolution(ss.zeros((0, 5, 2)), w, **options).sum())
    assert (ss.compile(slope)(w).numpy() == 0).all()
