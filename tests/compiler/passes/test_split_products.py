"""Products with a long inner axis are sums of products of its parts."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss

SHAPES = {
    "matrices": ((3, 5000), (5000, 7)),
    "turned": ((40_000, 6), (40_000, 5)),
    "batch": ((2, 3, 4111), (2, 4111, 2)),
    "broadcast": ((2, 3, 4111), (4111, 2)),
    "many parts": ((2, 70_001), (70_001, 2)),
}


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_and_gradients_stay(name: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, y = (ss.tensor(rng.normal(size=s).astype(dtype)) for s in SHAPES[name])

    def product(x: ss.Tensor, y: ss.Tensor) -> ss.Tensor:
        return (x.T if name == "turned" else x) @ y

    wanted = product(x, y)
    compiled = ss.compile(product)
    tolerance = 3e-4 if dtype == "float32" else 1e-11
    np.testing.assert_allclose(compiled(x, y).numpy(), wanted.numpy(), 1e-5, tolerance)
    slopes = ss.grad(lambda x, y: (product(x, y) * wanted).sum(), argnums=(0, 1))
    for got, right in zip(ss.compile(slopes)(x, y), slopes(x, y), strict=True):
        np.testing.assert_allclose(got.numpy(), right.numpy(), 1e-4, 100 * tolerance)


def lengths(rows: int, inner: int) -> list[int]:
    function = ss.compile(lambda x, y: x @ y)
    function(ss.ones((rows, inner)), ss.ones((inner, 4)))
    (build,) = function._builds.values()
    nodes = [n for stage in build.compilation.plan.stages for n in stage.nodes]
    return [n.inputs[0].shape[-1] for n in nodes if n.op == "matmul"]


def test_parts_are_short_and_few() -> None:
    assert lengths(4, 4096) == [4096]
    assert lengths(4, 20 * 1024) == [1024]
    assert lengths(4, 96_000) == [1000]
    assert lengths(4, 70_001) == [1024, 70_001 - 68 * 1024]
    assert lengths(40_000, 10_000) == [4096, 4096, 10_000 - 2 * 4096]
