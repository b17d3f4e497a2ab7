"""What a reshape shares memory with, in a trace as without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.compiler import compile

X = np.arange(24.0).reshape(2, 3, 4)


def of_a_transposed_product(x: Any) -> Any:
    y = x.T * 2.0
    y.reshape(-1)[1:] += 1.0
    return y


def of_a_transposed_clone(x: Any) -> Any:
    y = x.permute(1, 0, 2).clone()
    z = y.flatten()
    z += 1.0
    return y * z.sum()


def of_a_sum_along_a_middle_axis(x: Any) -> Any:
    y = x.permute(2, 1, 0).sum(1)
    y.reshape(-1)[::2] = 0.0
    return y


def of_one_order_with_another(x: Any) -> Any:
    y = x.permute(0, 2, 1) + x.reshape(2, 4, 3)
    y.reshape(8, 3)[1] = 5.0
    return y


def of_functions_of_a_transposed_one(x: Any) -> Any:
    y = ss.erf(ss.nn.functional.selu(x.T)) + ss.asin(x.T * 0.01)
    y.reshape(-1)[3] = 5.0
    return y


def of_a_transposed_softmax(x: Any) -> Any:
    y = ss.softmax(x.permute(0, 2, 1), 1)
    return y.reshape(-1)[1:] * 2.0


def of_stacked(x: Any) -> Any:
    y = ss.stack([x.T, x.T * 2.0])
    y.reshape(-1)[3] = 5.0
    return y


def of_a_product_of_matrices(x: Any) -> Any:
    y = x[0].T @ x[1]
    y.reshape(-1)[1:] = 5.0
    return y


def of_part_of_a_result(x: Any) -> Any:
    y = x * 2.0
    y[:, 1:].reshape(-1)[0] = 5.0
    y[1:].reshape(-1)[0] = 7.0
    return y


def of_what_is_in_order(x: Any) -> Any:
    y = ss.tanh(x) + x
    y.reshape(-1)[1:] = 5.0
    return y


FUNCTIONS = [v for name, v in list(globals().items()) if name.startswith("of_")]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_reshape_is_a_view_where_it_is_one_without_a_trace(
    function: Callable[[Any], Any],
) -> None:
    wanted = function(ss.tensor(X)).array
    np.testing.assert_array_equal(compile(function)(ss.tensor(X)).array, wanted)


def test_it_is_one_where_it_is_with_pytorch() -> None:
    torch = pytest.importorskip("torch")
    wanted = of_a_transposed_product(torch.tensor(X[0])).numpy()
    np.testing.assert_array_equal(compile(of_a_transposed_product)(ss.tensor(X[0])).array, wanted)
