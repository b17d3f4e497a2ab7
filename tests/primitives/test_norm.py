"""The Euclidean norm as one node gives the bits of what it is composed of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.native.cpython import is_possible
from schuss.primitives import norm, recipe

native = pytest.mark.skipif(not is_possible(), reason="this Python has another layout")


def passed(function: Any, x: Any, axes: tuple[int, ...], keepdims: bool) -> list[Any]:
    given = ss.asarray(x).requires_grad_()
    y = function(given, axes=axes, keepdims=keepdims)
    y.backward(ss.asarray(np.linspace(-0.5, 1.5, y.size, dtype=x.dtype).reshape(y.shape)))
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
        monkeypatch.setattr(norm._ERROR, "native", {})
    rng = np.random.default_rng(0)
    odd = [[-0.0, 0.0, 0.0], [np.inf, 1, -0.0], [np.nan, 1, 2], [-3, -0.0, 4], [1e-30, 0, 0]]
    cases = [rng.standard_normal(shape) for shape in ((), (10,), (10, 10), (2, 3, 9), (40, 30))]
    cases += [np.array(row) for row in odd] + [np.array(odd)]
    for case in cases:
        x = case.astype(dtype)
        axes = tuple(range(x.ndim)) if axis is None or not x.ndim else (axis % x.ndim,)
        for given in (x, np.asfortranarray(x), x[::2] if x.ndim else x):
            for keepdims in (False, True):
                expected = passed(norm._composition, given, axes, keepdims)
                assert passed(norm.euclidean_norm, given, axes, keepdims) == expected


def test_an_infinite_error_stops_where_there_is_no_direction() -> None:
    x = ss.zeros(3).requires_grad_()
    ss.norm(x).backward(ss.tensor(np.float32("inf")))
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
