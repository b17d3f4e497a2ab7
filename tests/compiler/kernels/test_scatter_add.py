"""Gradients of what is picked along an axis, shared by what comes before it or beside it."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss

PICKED = {
    "columns": lambda x, i: x[:, i],
    "last": lambda x, i: x[..., i % 4],
    "from the end": lambda x, i: x[:, -1 - i],
    "table": lambda x, i: x[:, i.reshape(3, -1)],
    "part": lambda x, i: x[1:, i, ::2],
    "pairs": lambda x, i: x[:, i, i % 4],
    "rows": lambda x, i: x[i % x.shape[0]],
    "turned": lambda x, i: x.permute(1, 0, 2)[i, 1:],
    "apart": lambda x, i: x[i % x.shape[0], :, i % 4],
}


@pytest.mark.parametrize("rows", [1, 7, 8, 33])
@pytest.mark.parametrize("name", PICKED)
def test_gradients_are_those_of_eager_evaluation(name: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    x = ss.tensor(rng.normal(size=(rows, 6, 4)))
    i = ss.tensor(rng.integers(0, 6, 12))
    slope = ss.grad(lambda x, i: (PICKED[name](x, i) ** 2).sin().sum())
    wanted = slope(x, i).numpy()
    np.testing.assert_allclose(ss.compile(slope)(x, i).numpy(), wanted, rtol=1e-12, atol=1e-14)
