"""Reductions to a few channels are cut by pictures, and stay what they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss

X = np.random.default_rng(0).normal(size=(8, 40, 30, 8))

REDUCTIONS = {
    "sum": lambda x: (x * 2).sum((0, 1, 2)),
    "kept": lambda x: x - x.mean((0, 1, 2), keepdim=True),
    "largest": lambda x: x.amax((0, 2)),
    "smallest": lambda x: x.exp().amin((0, 1)),
    "variance": lambda x: x.var((0, 1, 2)),
    "all": lambda x: x.sum(),
    "one axis": lambda x: x.sum(0),
    "last": lambda x: x.sum((0, 3)),
}


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_stay(name: str, dtype: str) -> None:
    x = ss.tensor(X.astype(dtype))
    got = ss.compile(REDUCTIONS[name])(x).numpy()
    wanted = REDUCTIONS[name](ss.tensor(X)).numpy()
    assert got.dtype == dtype
    tolerance = 1e-5 if dtype == "float32" else 1e-12
    np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance * abs(wanted).max())


def stages(function: Any, shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    compiled = ss.compile(function)
    compiled(ss.ones(shape))
    (build,) = compiled._builds.values()
    nodes = [n for s in build.compilation.plan.stages for n in s.nodes if n.op == "sum"]
    return [n.shape for n in nodes]


def test_large_ones_alone_are_cut() -> None:
    def total(x: ss.Tensor) -> ss.Tensor:
        return x.sum((0, 1, 2))

    assert stages(total, (8, 40, 30, 8)) == [(8, 8), (8,)]
    assert stages(total, (8, 4, 3, 8)) == [(8,)]
    assert stages(lambda x: x.sum((0, 1)), (8, 1200, 8)) == [(8, 8), (8,)]
    assert stages(lambda x: x.sum(0), (9600, 8)) == [(8,)]
    assert stages(lambda x: x.sum((0, 1)), (3000, 4, 8)) == [(8,)]
