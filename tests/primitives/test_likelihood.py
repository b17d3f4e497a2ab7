"""The likelihood of classes as one node gives the bits of what it is composed of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.native.cpython import is_possible
from schuss.nn.functional import nll_loss
from schuss.primitives import likelihood, recipe
from schuss.primitives.class_loss import picked

native = pytest.mark.skipif(not is_possible(), reason="this Python has another layout")


def composed(x: ss.Tensor, classes: ss.Tensor, axis: int) -> ss.Tensor:
    return ss.mean(-picked(x, classes, axis))


def with_gradient(function: Any, x: Any, classes: Any) -> tuple[bytes, bytes]:
    x = ss.tensor(x, requires_grad=True)
    loss = function(x, ss.tensor(classes))
    loss.backward()
    return loss.numpy().tobytes(), x.grad.numpy().tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 1), (10, 10), (7, 3), (300, 4), (5,), (4, 3, 2)])
@pytest.mark.parametrize("is_loaded", [False, pytest.param(True, marks=native)])
def test_the_same_bits(
    is_loaded: bool, shape: tuple[int, ...], dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_loaded:
        recipe.load_recipes()
    else:
        monkeypatch.setattr(likelihood._LIKELIHOOD, "native", {})
    rng = np.random.default_rng(0)
    axis = min(1, len(shape) - 1)
    x = rng.standard_normal(shape).astype(dtype)
    x.flat[0] = 0.0
    classes = rng.integers(0, shape[axis], shape[:axis] + shape[axis + 1 :])
    expected = with_gradient(lambda x, c: composed(x, c, axis), x, classes)
    assert with_gradient(nll_loss, x, classes) == expected
    assert with_gradient(nll_loss, np.asfortranarray(x), classes.astype("int32")) == expected


@native
def test_machine_code_leaves_the_rest_alone() -> None:
    recipe.load_recipes()
    x = ss.tensor(np.arange(6.0).reshape(2, 3))
    assert likelihood.few_likelihoods(x, ss.tensor([0, 1]), -100) is not None
    # A class that is to be ignored may count nothing, and others are refused with a reason.
    assert likelihood.few_likelihoods(x, ss.tensor([0, 1]), 1) is None
    assert nll_loss(x, ss.tensor([0, 1]), ignore_index=1).item() == 0.0
    for classes in ([0, 3], [-1, 0], [0], [[0, 1]], [0.0, 1.0]):
        assert likelihood.few_likelihoods(x, ss.tensor(classes), -100) is None
    assert nll_loss(x, ss.tensor([2, -100])).item() == -2.0
    with pytest.raises(IndexError, match="expected target from 0 to 2, got 3 at"):
        nll_loss(x, ss.tensor([0, 3]))
    with pytest.raises(TypeError, match="expected input of dtype float32 or float64"):
        nll_loss(ss.tensor([[1, 2]]), ss.tensor([0]))
    many = ss.tensor(np.ones((600, 2)))
    assert nll_loss(many, ss.tensor(np.zeros(600, "int64"))).item() == -1.0
