"""Functions evaluated at once: what they give is what their operations give, to the last bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import at_once as module
from schuss.at_once import at_once
from schuss.native.cpython import is_possible
from schuss.nn.functional import activations, classification, regression
from schuss.primitives import recipe

native = pytest.mark.skipif(not is_possible(), reason="this Python has another layout")

# With arguments of their own.
FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "leaky_relu": (activations._leaky_relu, ("x", 0.1)),
    "elu": (activations._elu, ("x", 1.0)),
    "elu by 2": (activations._elu, ("x", 2.0)),
    "celu": (activations._celu, ("x", 0.5)),
    "silu": (activations._silu, ("x",)),
    "mish": (activations._mish, ("x",)),
    "logsigmoid": (activations._logsigmoid, ("x",)),
    "softplus": (activations._softplus, ("x",)),
    "softsign": (activations._softsign, ("x",)),
    "binary_loss": (classification._binary_loss, ("x", "y")),
    "huber": (regression._huber, ("x", "y", 0.5, 1.0)),
    "smooth_l1": (regression._huber, ("x", "y", 0.5, 2.0)),
}
SHAPES = ((1,), (7,), (10,), (33,), (3, 5), (2, 3, 4), (1000,), (2000,), (0,), ())


@pytest.fixture
def fresh() -> Callable[[Any], Any]:
    """A marked function again, without plans."""
    recipe.load_recipes()
    return lambda function: at_once(function.__wrapped__)


def passes(function: Any, given: tuple[Any, ...], shape: tuple[int, ...], dtype: str) -> list[Any]:
    """The value and the gradients, with odd numbers among the inputs."""
    rng = np.random.default_rng(0)
    tensors = {}
    for name in ("x", "y"):
        array = np.asarray(rng.standard_normal(shape) * 5, dtype)
        array.flat[: min(4, array.size)] = (0.0, -0.0, np.inf, np.nan)[: min(4, array.size)]
        tensors[name] = ss.tensor(array, requires_grad=True)
    y = function(*[tensors.get(x, x) if isinstance(x, str) else x for x in given])
    y.backward(ss.tensor(np.asarray(rng.standard_normal(shape), dtype)))
    return [y.numpy(), *[t.grad.numpy() for t in tensors.values() if t.grad is not None]]


@native
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_the_same_bits(
    name: str, dtype: str, shape: tuple[int, ...], fresh: Callable[[Any], Any]
) -> None:
    function, given = FUNCTIONS[name]
    expected = passes(function.__wrapped__, given, shape, dtype)
    hurried = fresh(function)
    # The first calls are the function's own.
    for _ in range(4):
        for x, y in zip(passes(hurried, given, shape, dtype), expected, strict=True):
            np.testing.assert_array_equal(x, y, strict=True)
            assert np.array_equal(np.signbit(x)[~np.isnan(x)], np.signbit(y)[~np.isnan(y)])


@native
@pytest.mark.parametrize("name", FUNCTIONS)
def test_all_of_them_are_recipes(name: str) -> None:
    function, given = FUNCTIONS[name]
    for dtype in (ss.float32, ss.float64):
        key = (dtype, *[None if isinstance(x, str) else x for x in given])
        assert module._planned(function.__wrapped__, key) is not module._NO_PLAN


@pytest.mark.parametrize("name", FUNCTIONS)
def test_higher_derivatives(name: str, fresh: Callable[[Any], Any]) -> None:
    function, given = FUNCTIONS[name]
    points = {"x": ss.tensor([0.3, -0.7, 1.9, -2.2], dtype="float64"), "y": ss.tensor(
        [0.1, 0.9, 0.4, 0.6], dtype="float64")}  # fmt: skip

    def curvature(f: Any) -> Any:
        def total(x: Any) -> Any:
            return f(*[{**points, "x": x}.get(a, a) if isinstance(a, str) else a for a in given]
                     ).sum()  # fmt: skip

        return ss.grad(lambda x: (ss.grad(total)(x) * points["y"]).sum())(points["x"])

    hurried = fresh(function)
    expected = curvature(function.__wrapped__).numpy()
    for _ in range(3):
        np.testing.assert_allclose(curvature(hurried).numpy(), expected, rtol=1e-12)


def test_it_is_one_node_before_and_after_there_is_machine_code(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hurried = at_once(lambda x: x * ss.sigmoid(x) + x)
    monkeypatch.setattr(recipe, "_loaded", False)
    rng = np.random.default_rng(0)
    data, error = rng.standard_normal((2, 6)).astype(np.float32)

    def gradient() -> bytes:
        x = ss.tensor(data, requires_grad=True)
        h = x * 3.0
        # Used beside, so that the order in which errors are added shows.
        y = hurried(h) + h * 0.1 + ss.tanh(h)
        assert hurried(h).inputs == (h,)
        y.backward(ss.tensor(error))
        assert x.grad is not None
        return x.grad.numpy().tobytes()

    before = {gradient() for _ in range(3)}
    monkeypatch.setattr(recipe, "_loaded", True)
    assert {gradient() for _ in range(5)} == before
    assert len(before) == 1


def test_a_tensor_that_is_given_twice() -> None:
    hurried = at_once(lambda x, y: x * ss.tanh(y) + x)
    for _ in range(4):
        x = ss.tensor([0.5, -1.0], dtype="float64", requires_grad=True)
        hurried(x, x).backward(ss.ones(2, dtype="float64"))
        t = np.tanh(x.numpy())
        assert x.grad is not None
        np.testing.assert_allclose(x.grad.numpy(), t + x.numpy() * (1 - t * t) + 1, rtol=1e-12)


def test_what_is_no_recipe_is_the_function_itself() -> None:
    recipe.load_recipes()
    hurried = at_once(lambda x, y: ss.where(x > y, x * x, y.sum()))
    for _ in range(4):
        x = ss.tensor([0.5, 2.0], requires_grad=True)
        y = ss.tensor([1.0, 1.0], requires_grad=True)
        z = hurried(x, y)
        assert z.tolist() == [2.0, 4.0]
        z.backward(ss.tensor([1.0, 1.0]))
        assert x.grad is not None and x.grad.tolist() == [0.0, 4.0]  # noqa: PT018
        assert y.grad is not None and y.grad.tolist() == [1.0, 1.0]  # noqa: PT018


def test_other_shapes_and_dtypes_are_left_to_the_function() -> None:
    hurried = at_once(lambda x, y: (x * y + 1.0) * x)
    x = ss.tensor([[1.0], [2.0]])
    row = ss.tensor([3.0, 4.0])
    for _ in range(3):
        assert hurried(x, row).tolist() == [[4.0, 5.0], [14.0, 18.0]]
        assert hurried(row, row.astype(ss.float64)).dtype == ss.float64
        assert hurried(ss.tensor([1, 2]), 2).tolist() == [3, 10]
    compiled = ss.compile(lambda x, y: hurried(x, y))
    assert compiled(row, row).tolist() == hurried(row, row).tolist()


@native
def test_numbers_that_change_have_no_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe.load_recipes()
    calls = []
    planned = module._planned
    monkeypatch.setattr(module, "_planned", lambda f, key: calls.append(key) or planned(f, key))
    hurried = at_once(lambda x, a: (x * a + 1.0) * x)
    x = ss.tensor([2.0])
    for step in range(300):
        assert hurried(x, float(step)).item() == (2.0 * step + 1.0) * 2.0
        assert hurried(x, 0.5).item() == 4.0
    assert [key[2] for key in calls] == [0.5]
