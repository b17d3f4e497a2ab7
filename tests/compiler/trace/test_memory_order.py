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


def of_what_is_turned(x: Any) -> Any:
    y = x.flip(0) * 1.0
    z = y.flip(1)
    rows = z.reshape(4, 6)
    rows[1] = 5.0
    z[0] += 1.0
    return rows * z.sum()


def of_what_is_turned_and_transposed(x: Any) -> Any:
    y = x.T.flip(1)
    y.reshape(-1)[1:] = 5.0
    z = y.T
    z.reshape(-1)[0] = 7.0
    return z + y.T


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


def of_a_clone(x: Any) -> Any:
    y = x.clone()
    y.reshape(-1)[0] = 5.0
    y.reshape(-1)[1] += 5.0
    return y


def of_what_was_written_over(x: Any) -> Any:
    y = x.clone()
    y[:] = ss.ones(y.shape, dtype=y.dtype)
    z = y + 1.0
    z.reshape(-1)[1] = 5.0
    return z


ARGUMENTS = {
    "in order": lambda: ss.tensor(X[0]),
    "transposed": lambda: ss.tensor(X[0].T.copy()).T,
    "computed": lambda: ss.tensor(X[0].T.copy()).T * 1.0,
    "by columns": lambda: ss.from_numpy(np.asfortranarray(X[0])),
    "some columns": lambda: ss.tensor(np.repeat(X[0], 2, 1))[:, ::2],
    "backward": lambda: ss.from_numpy(X[0][:, ::-1]),
    "repeated": lambda: ss.ones(1, 4).double().expand(3, 4),
}


@pytest.mark.parametrize("function", [of_a_clone, of_what_was_written_over])
def test_arguments_lie_as_they_do(function: Callable[[Any], Any]) -> None:
    compiled = compile(function)
    for make in [*ARGUMENTS.values()] * 2:
        wanted = function(make()).array
        np.testing.assert_array_equal(compiled(make()).array, wanted)


@pytest.mark.parametrize("name", ARGUMENTS)
@pytest.mark.parametrize("function", [of_a_clone, of_what_was_written_over])
def test_states_lie_as_they_do(function: Callable[[Any], Any], name: str) -> None:
    state = ARGUMENTS[name]()
    wanted, strides = function(state).array, state.array.strides
    compiled = compile(lambda x: function(state) + x)
    for _ in range(3):
        np.testing.assert_array_equal(compiled(ss.tensor(0.0)).array, wanted)
    assert state.array.strides == strides


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if name != "repeated"])
def test_states_that_are_changed_stay_where_they_lie(name: str) -> None:
    def step(state: Any, x: Any) -> Any:
        state.reshape(-1)[0] = 5.0
        state.mul_(2.0)
        state.reshape(-1)[1] += x
        return state.reshape(-1)[:3].clone()

    one, other = ARGUMENTS[name]().clone(), ARGUMENTS[name]().clone()
    compiled = compile(lambda x: step(other, x))
    for _ in range(3):
        wanted = step(one, ss.tensor(1.0)).array
        np.testing.assert_array_equal(compiled(ss.tensor(1.0)).array, wanted)
        np.testing.assert_array_equal(other.array, one.array)
        assert other.array.strides == one.array.strides


def test_a_state_may_lie_in_another_way_later() -> None:
    state = ss.zeros(3, 4).double()
    compiled = compile(lambda x: of_a_clone(state) + x)
    for make in [*ARGUMENTS.values()] * 2:
        state.array = make().array
        np.testing.assert_array_equal(compiled(ss.tensor(0.0)).array, of_a_clone(state).array)


def test_lengths_that_vary_lie_as_they_do() -> None:
    compiled = compile(of_a_clone)
    for n in (4, 5, 6, 7, 9, 8):
        for x in (ss.ones(n, 3).double(), ss.ones(3, n).double().T):
            np.testing.assert_array_equal(compiled(x).array, of_a_clone(x).array)


def test_what_is_changed_in_place_lies_as_before() -> None:
    x, y = ss.ones(3, 4), ss.ones(4, 3).T
    strides = x.array.strides
    x.add_(y.clone())
    x.mul_(y)
    assert x.array.strides == strides
