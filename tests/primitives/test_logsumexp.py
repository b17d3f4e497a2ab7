"""The logarithm of a sum of exponentials as one node gives the bits of what it is composed of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.native.cpython import is_possible
from schuss.primitives import logsumexp, recipe
from schuss.primitives.recipe import Recipe

native = pytest.mark.skipif(not is_possible(), reason="this Python has another layout")
INF, NAN = np.inf, np.nan


def passed(function: Any, x: Any, axis: Any, keepdims: bool) -> list[Any]:
    given = ss.asarray(x).requires_grad_()
    axes = tuple(range(x.ndim)) if axis is None else (axis,)
    y = function(given, axes, keepdims)
    y.backward(ss.asarray(np.linspace(0.5, 1.5, y.size, dtype=x.dtype).reshape(y.shape)))
    return [np.nan_to_num(found, nan=-7).tobytes() for found in (y.array, given.grad.array)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("is_loaded", [False, pytest.param(True, marks=native)])
def test_the_same_bits(
    is_loaded: bool, axis: int | None, dtype: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_loaded:
        recipe.load_recipes()
    else:
        for found in vars(logsumexp).values():
            if isinstance(found, Recipe):
                monkeypatch.setattr(found, "native", {})
    rng = np.random.default_rng(0)
    odd = [
        [INF, 1, 2],
        [-INF] * 3,
        [NAN, 1, 2],
        [1, INF, -INF],
        [-0.0, -0.0, 0.0],
        [3e38, 0, -3e38],
    ]
    cases = [rng.standard_normal(shape) * 9 for shape in ((10,), (10, 10), (2, 3, 9), (40, 30))]
    cases += [np.array(row) for row in odd] + [np.array(odd)]
    for case in cases:
        x = case.astype(dtype)
        for given in (x, np.asfortranarray(x), x[::2]):
            for keepdims in (False, True):
                place = axis if axis is None else axis % x.ndim
                expected = passed(
                    lambda x, axes, k: logsumexp._composition(x, axes=axes, keepdims=k),
                    given, place, keepdims,
                )  # fmt: skip
                assert passed(logsumexp.logsumexp, given, place, keepdims) == expected


def test_nothing_has_no_logarithm_of_a_sum() -> None:
    with pytest.raises(ValueError, match="logsumexp: expected at least one element"):
        ss.logsumexp(ss.zeros((2, 0)), 1)
    assert ss.logsumexp(ss.zeros((2, 0)), 0).shape == (0,)
