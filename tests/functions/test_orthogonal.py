"""The exponential of matrices and products of reflections, beside PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss

RNG = np.random.default_rng(0)


def hold(call: Any, *arrays: Any, compiled: bool) -> None:
    """Compare values and gradients of a function of a library and tensors."""
    torch = pytest.importorskip("torch")
    found = []
    for lib in (torch, ss):
        tensors = [lib.tensor(a, requires_grad=True) for a in arrays]

        def run(*tensors: Any, lib: Any = lib) -> Any:
            y = call(lib, *tensors)
            (y * y * lib.arange(float(y.shape[-1])) + y.sum()).sum().backward()
            return y

        y = (ss.compile(run) if compiled and lib is ss else run)(*tensors)
        found.append([x.detach().numpy() for x in (y, *[t.grad for t in tensors])])
    for theirs, mine in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-9 * np.abs(theirs).max())


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("size", [0.0, 0.1, 1.0, 20.0])
def test_exponentials(size: float, compiled: bool) -> None:
    x = RNG.normal(size=(2, 4, 4)) * size
    x = x - x.swapaxes(1, 2) if size > 1 else x
    hold(lambda lib, x: lib.matrix_exp(x), x, compiled=compiled)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize(("m", "n", "k"), [(5, 3, 3), (5, 5, 4), (4, 3, 2)])
def test_reflections(m: int, n: int, k: int, compiled: bool) -> None:
    tau = RNG.normal(size=(2, k))
    tau[0, 0] = 0.0
    x = RNG.normal(size=(2, m, n))
    hold(lambda lib, x, t: lib.linalg.householder_product(x, t), x, tau, compiled=compiled)


def test_edges_and_mistakes() -> None:
    assert ss.matrix_exp(ss.zeros(0, 3, 3)).shape == (0, 3, 3)
    assert np.isnan(ss.linalg.matrix_exp(ss.full((2, 2), np.nan)).numpy()).all()
    with pytest.raises(ValueError, match=r"matrix_exp: expected x of shape \(..., n, n\)"):
        ss.matrix_exp(ss.zeros(2, 3))
    with pytest.raises(ValueError, match="expected a 1-norm of at most 2048 in a compiled"):
        ss.compile(ss.matrix_exp)(ss.full((2, 2), 3000.0))
    with pytest.raises(ValueError, match="householder_product: expected input of shape"):
        ss.linalg.householder_product(ss.zeros(2, 3), ss.zeros(2))
