"""Recipes give what NumPy's functions give, the same from machine code to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.compiler.inner_loops import MOST
from schuss.compiler.recipes import bind_recipe
from schuss.native.cpython import is_possible
from schuss.primitives import (
    batch_norm,
    class_loss,
    elementwise,
    likelihood,
    logsumexp,
    norm,
    normalization,
    random,
    recipe,
    softmax,
)
from schuss.primitives.recipe import Recipe, number

RECIPES = {
    name: value
    for module in (
        batch_norm,
        class_loss,
        elementwise,
        likelihood,
        logsumexp,
        norm,
        normalization,
        softmax,
    )
    for name, value in vars(module).items()
    if isinstance(value, Recipe)
}
SHAPES = ((1,), (7,), (8,), (10,), (300,), (1, 5), (5, 1), (10, 10), (16, 3), (2, 3, 4), (4, 200))

native = pytest.mark.skipif(not is_possible(), reason="this Python has another layout")


def inputs(found: Recipe, shape: tuple[int, ...], dtype: str, scale: float) -> list[Any]:
    rng = np.random.default_rng(len(shape))
    sizes = {"full": shape, "row": shape[:-1], "number": (), "column": shape[-1:]}
    made = []
    for name in found.inputs:
        kind = found.kinds[name]
        if kind == "classes":
            made.append(np.asarray(rng.integers(0, shape[-1], shape[:-1])))
        elif kind == "number":
            made.append(number(rng.uniform(), np.dtype(dtype)))
        else:
            made.append(np.asarray(rng.standard_normal(sizes[kind]) * scale, dtype))
    return made


def run(found: Recipe, dtype: str, arrays: list[Any]) -> Any:
    """What machine code returns, or None where it leaves the work to NumPy."""
    function = bind_recipe(found, np.dtype(dtype))
    if found.beside is not None:
        return function(arrays[0].copy(), *arrays[1:], np.empty_like(arrays[0]))
    if not found.is_row:
        return function(arrays[0].copy(), *arrays[1:])
    row = np.empty(arrays[0].shape[:-1], dtype)
    return None if function(arrays[0].copy(), *arrays[1:], row) is None else row


@native
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_machine_code_gives_the_same_bits(name: str, dtype: str, shape: tuple[int, ...]) -> None:
    found = RECIPES[name]
    if "down" in found.functions and (len(shape) != 2 or shape[1] == 1):
        pytest.skip("columns are those of two axes, and of one alone NumPy adds otherwise")
    axes = () if found.is_elementwise else (0,) if "down" in found.functions else (len(shape) - 1,)
    for scale, odd in ((1.0, False), (50.0, False), (1e4, True)):
        arrays = inputs(found, shape, dtype, scale)
        if odd:
            arrays[0].flat[0], arrays[0].flat[-1] = np.inf, np.nan
        expected = np.asarray(found.follow(*arrays, axes=axes))
        got = run(found, dtype, arrays)
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected, strict=True)
        clear = ~np.isnan(expected)
        assert np.array_equal(np.signbit(got[clear]), np.signbit(expected[clear]))


@native
@pytest.mark.parametrize("name", RECIPES)
def test_what_does_not_fit_is_left_to_numpy(name: str) -> None:
    found = RECIPES[name]
    good = inputs(found, (4, 6), "float32", 1.0)
    assert run(found, "float32", good) is not None
    for place, array in enumerate(good):
        kind = found.kinds[found.inputs[place]]
        wrong: list[Any] = [array.astype(np.int32), array.astype(array.dtype.newbyteorder())]
        if place:
            wrong += [array[..., None, None] * np.ones((2, 1)), 0.5, None, np.float32(1)]
        if array.ndim == 2:
            wrong += [array[:, :0], np.asarray(1, "f"), np.ones((MOST + 1, 1), "f")]
        if place and array.ndim:
            wrong += [np.repeat(array, 2, -1)[..., ::2], array[:-1]]
        if kind == "classes":
            wrong += [array - 6, array + 6]
        for one in wrong:
            assert run(found, "float32", [*good[:place], one, *good[place + 1 :]]) is None


@native
def test_the_switch_to_machine_code_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    for found in RECIPES.values():
        monkeypatch.setattr(found, "native", {})
    monkeypatch.setattr(recipe, "_calls", 0)
    monkeypatch.setattr(recipe, "_PATIENCE", 60)
    rng = np.random.default_rng(0)
    x = ss.tensor(rng.standard_normal((8, 5)), requires_grad=True)
    classes = ss.tensor(rng.integers(0, 5, 8))
    seen = []
    for _ in range(30):
        hidden = ss.nn.functional.layer_norm(x, 5)
        loss = ss.nn.functional.cross_entropy(ss.softmax(hidden) * 3.0, classes)
        loss.backward()
        assert x.grad is not None
        seen.append((loss.item(), x.grad.numpy().tobytes()))
        x.grad = None
    assert softmax._SOFTMAX.native
    assert len(set(seen)) == 1


def test_a_recipe_refuses_what_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "_awaited", [])
    with pytest.raises(ValueError, match="operands that are there, got {'z'}"):
        Recipe("x", "y = add x z")


@native
def test_a_result_that_cannot_take_the_first_input_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recipe, "_awaited", [])
    with pytest.raises(ValueError, match="take the first input's place"):
        bind_recipe(Recipe("x", "y = exp x; z = add y y"), np.dtype(np.float32))


@pytest.mark.parametrize("dtype", [ss.float32, ss.float64])
@pytest.mark.parametrize("size", [0, 1, 7, 8, 100, 1023, 1024])
def test_machine_code_draws_the_same_numbers(
    monkeypatch: pytest.MonkeyPatch, size: int, dtype: Any
) -> None:
    for seed, draw in ((0, 0), (-5, 3), (2**63 - 1, 2**40)):
        key = np.array([seed, draw])
        monkeypatch.setattr(random, "_native", {})
        expected = random.uniform_value(key, shape=(size, 1), dtype=dtype)
        random._bind()
        found = random.uniform_value(key, shape=(size, 1), dtype=dtype)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, expected, strict=True)


@native
def test_a_recipe_that_comes_late_has_machine_code_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recipe, "_awaited", [])
    monkeypatch.setattr(recipe, "_loaded", False)
    early = Recipe("x", "y = exp x; y = negative y")
    assert not early.native
    recipe.load_recipes()
    late = Recipe("x", "y = exp x; y = negative y")
    x = np.linspace(-1, 1, 7)
    for found in (early, late):
        assert set(found.native) == {ss.float32, ss.float64}
        np.testing.assert_array_equal(found.evaluate(x), -np.exp(x))


def test_what_one_rule_hands_on_is_for_the_next_alone() -> None:
    handed = recipe.Handed()
    g, x, found = object(), np.ones(2), np.zeros(2)
    for given in ((object(), x, 0.5), (g, np.ones(2), 0.5), (g, x, 1e-5)):
        handed.put(found, g, x, 0.5)
        assert handed.take(*given) is None
        assert handed.take(g, x, 0.5) is None
    handed.put(found, g, x, 0.5)
    assert handed.take(g, x, 0.5) is found
    assert handed.take(g, x, 0.5) is None


@native
@pytest.mark.parametrize("frozen", ["", "x", "weight"])
def test_layer_norm_has_the_same_gradients_in_one_go(
    frozen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe.load_recipes()
    rng = np.random.default_rng(0)
    x, weight, bias = (rng.standard_normal(s).astype("float32") for s in ((8, 5), 5, 5))
    seen = []
    for is_native in (True, False):
        if not is_native:
            for found in RECIPES.values():
                monkeypatch.setattr(found, "native", {})
        given = {"x": ss.tensor(x), "weight": ss.tensor(weight), "bias": ss.tensor(bias)}
        for name, tensor in given.items():
            tensor.requires_grad_(name != frozen)
        y = given["x"]
        # The same error arrives at two nodes with the same input.
        y = sum(ss.nn.functional.layer_norm(y, 5, given["weight"], b, eps)
                for b, eps in ((given["bias"], 1e-5), (given["bias"], 0.5)))  # fmt: skip
        y.backward(ss.tensor(x[::-1].copy()))
        seen.append({n: t.grad.numpy().tobytes() for n, t in given.items() if n != frozen})
    assert seen[0] == seen[1]


def test_the_row_of_a_linear_map_is_added_by_machine_code(monkeypatch: pytest.MonkeyPatch) -> None:
    from schuss.primitives import contraction

    given = []

    def noted(out: np.ndarray, bias: np.ndarray) -> np.ndarray:
        given.append(bias)
        return out + bias

    monkeypatch.setitem(contraction._ADD_ROW.native, np.dtype(np.float32), noted)
    x, weight, bias = ss.ones((2, 3)), ss.ones((4, 3)), ss.arange(4.0)
    got = ss.nn.functional.linear(x, weight, bias)
    np.testing.assert_array_equal(got.array, [[3.0, 4.0, 5.0, 6.0]] * 2)
    assert len(given) == 1
