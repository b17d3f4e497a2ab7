"""Gradients of small batches, accumulated, are those of the large one."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.nn import functional as F


def trained(parts: int, *, in_one_call: bool, compiled: bool) -> list[np.ndarray]:
    ss.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.GELU(), nn.Linear(8, 3)).double()
    optimizer = optim.AdamW(model.parameters(), lr=1e-2)
    draw = np.random.default_rng(0)
    x, y = ss.tensor(draw.normal(size=(3, 24, 6))), ss.tensor(draw.integers(0, 3, (3, 24)))

    def accumulate(x: ss.Tensor, y: ss.Tensor) -> None:
        (F.cross_entropy(model(x), y) / parts).backward()

    def update() -> None:
        optimizer.step()
        optimizer.zero_grad()

    def whole(x: ss.Tensor, y: ss.Tensor) -> None:
        for part in zip(x.chunk(parts), y.chunk(parts), strict=True):
            accumulate(*part)
        update()

    if compiled:
        accumulate_each, update, whole = map(ss.compile, (accumulate, update, whole))
    else:
        accumulate_each = accumulate
    for batch, labels in zip(x, y, strict=True):
        if in_one_call:
            whole(batch, labels)
            continue
        for part in zip(batch.chunk(parts), labels.chunk(parts), strict=True):
            accumulate_each(*part)
        update()
    return [p.numpy() for p in model.parameters()]


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("in_one_call", [False, True])
@pytest.mark.parametrize("parts", [2, 4])
def test_small_batches_train_as_the_large_one(
    parts: int, *, in_one_call: bool, compiled: bool
) -> None:
    large = trained(1, in_one_call=False, compiled=False)
    found = trained(parts, in_one_call=in_one_call, compiled=compiled)
    for a, b in zip(found, large, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
