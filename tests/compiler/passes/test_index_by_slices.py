"""Indices that name a row for each element become one for each row."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss

ROWS, WIDTH, MANY = 30, 12, 50


def spread(i: ss.Tensor) -> ss.Tensor:
    return i.unsqueeze(1).expand(-1, WIDTH)


FUNCTIONS = {
    "added": lambda x, y, i: ss.zeros_like(x).scatter_add(0, spread(i), y) * x,
    "repeated": lambda x, y, i: x.scatter_add(0, i.view(-1, 1).repeat(1, WIDTH), y),
    "picked": lambda x, y, i: x.gather(0, spread(i)) * y,
    "across": lambda x, y, i: x.T.gather(1, i.expand(WIDTH, MANY)).T * y,
    "part": lambda x, y, i: x.gather(0, spread(i)[:, :5]) * y[:, :5],
    "part added": lambda x, y, i: x.scatter_add(0, spread(i)[:, 3:], y[:, 3:]),
    "slices": lambda x, y, i: x.index_add(0, i, y, alpha=2) * x,
    "columns": lambda x, y, i: x.T.index_add(1, i, y.T) * 2,
}
# Each element goes where it says.
OTHERS = {
    "each": lambda x, y, i: x.scatter_add(0, (spread(i) + ss.arange(WIDTH)) % ROWS, y),
    "one row": lambda x, y, i: x.scatter_add(1, (i % WIDTH).expand(ROWS, -1), y.T[[0] * ROWS]),
}  # fmt: skip


def full_indices(function: ss.Compiled) -> int:
    (build,) = function._builds.values()
    nodes = [n for stage in build.compilation.plan.stages for n in stage.nodes]
    return sum(n.op in ("gather", "scatter_add") and len(n.inputs) > 2 for n in nodes)


@pytest.mark.parametrize("name", [*FUNCTIONS, *OTHERS])
def test_values_and_gradients_stay(name: str) -> None:
    rng = np.random.default_rng(0)
    x, y = ss.tensor(rng.normal(size=(ROWS, WIDTH))), ss.tensor(rng.normal(size=(MANY, WIDTH)))
    i = ss.tensor(rng.integers(0, ROWS, MANY))
    function = (FUNCTIONS | OTHERS)[name]
    slopes = ss.grad(lambda x, y, i: function(x, y, i).sin().sum(), argnums=(0, 1))
    compiled = ss.compile(slopes)
    for got, wanted in zip(compiled(x, y, i), slopes(x, y, i), strict=True):
        np.testing.assert_allclose(got.numpy(), wanted.numpy(), rtol=1e-12, atol=1e-14)
    assert (full_indices(compiled) > 0) == (name == "each")
