"""Batch norm as one node gives the bits of what it is composed of, and so do its gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.native.cpython import is_possible
from schuss.primitives import batch_norm, recipe
from schuss.primitives.recipe import Recipe

native = pytest.mark.skipif(not is_possible(), reason="this Python has another layout")


def passed(function: Any, arrays: list[Any], error: Any, axes: tuple[int, ...]) -> list[bytes]:
    given = [ss.asarray(x).requires_grad_() for x in arrays]
    y = function(*given, axes=axes, eps=1e-5)
    y.backward(ss.asarray(error))
    return [x.tobytes() for x in (y.numpy(), *[x.grad.numpy() for x in given])]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "shape", [(10, 10), (2, 5), (33, 3), (9, 1), (1, 3, 9), (4, 3, 5), (2, 3, 4, 5), (1, 4)]
)
@pytest.mark.parametrize("is_loaded", [False, pytest.param(True, marks=native)])
def test_the_same_bits(
    is_loaded: bool, shape: tuple[int, ...], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_loaded:
        recipe.load_recipes()
    else:
        for found in vars(batch_norm).values():
            if isinstance(found, Recipe):
                monkeypatch.setattr(found, "native", {})
    rng = np.random.default_rng(0)
    per_channel = (shape[1],) + (1,) * (len(shape) - 2)
    x, error, weight, bias = (
        rng.standard_normal(s).astype(dtype) for s in (shape, shape, per_channel, per_channel)
    )
    axes = (0, *range(2, len(shape)))
    for g in (error, np.broadcast_to(error[:1], shape)):
        arrays = [x, weight, bias]
        expected = passed(batch_norm.composed, arrays, g, axes)
        assert passed(batch_norm.batch_norm, arrays, g, axes) == expected


def test_running_figures_and_the_result_are_those_of_many_numbers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 4)).astype("float32")
    found = []
    for few in (0, 1024):
        monkeypatch.setattr(batch_norm, "_FEW", few)
        layer = ss.nn.BatchNorm1d(4)
        y = layer(ss.tensor(x))
        found.append([y.numpy().tobytes(), *[v.tolist() for v in layer.state_dict().values()]])
        assert y.node[0].name == ("batch_norm" if few else "add")
    assert found[0] == found[1]


def test_only_few_numbers_in_order_are_one_node() -> None:
    x = ss.tensor(np.ones((4, 5)))
    assert batch_norm.is_small(x)
    assert not batch_norm.is_small(x.T)
    assert not batch_norm.is_small(ss.tensor(np.ones((32, 32))))
