"""Hurried rules of derivatives: machine code gives what the rule gives, to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.core import leaf
from schuss.lowering.kinds import Elementwise
from schuss.native.cpython import is_possible
from schuss.primitives import rules
from schuss.primitives.base import REGISTRY
from schuss.primitives.recipe import load_recipes
from schuss.primitives.rules import hurry, recipe_of

pytestmark = pytest.mark.skipif(not is_possible(), reason="this Python has another layout")


def unhurried(rule: Any) -> Any:
    return getattr(rule, "__wrapped__", rule)


ELEMENTWISE = {
    f"{name} {place}": (unhurried(rule), len(primitive.derivative))
    for name, primitive in REGISTRY.items()
    if isinstance(primitive.lower, Elementwise) and isinstance(primitive.derivative, tuple)
    for place, rule in enumerate(primitive.derivative)
    if rule is not None
}
RULES = {
    name: (rule, inputs)
    for name, (rule, inputs) in ELEMENTWISE.items()
    if recipe_of(rule, [None] * inputs, ss.float32)
}
SHAPES = ((1,), (7,), (8,), (10,), (33,), (1, 5), (5, 1), (10, 10), (3, 5, 7), (1000,), ())


def given(count: int, shape: tuple[int, ...], dtype: Any, scale: float) -> list[Any]:
    rng = np.random.default_rng(len(shape))
    arrays = [np.asarray(rng.standard_normal(shape) * scale, dtype) for _ in range(count)]
    for array in arrays:
        # Equal ones, and odd ones.
        array.flat[: min(3, array.size)] = (0.0, np.inf, np.nan)[: min(3, array.size)]
    return [leaf(array) for array in arrays]


def same_bits(x: Any, y: Any) -> None:
    assert (x.dtype, x.shape) == (y.dtype, y.shape)
    np.testing.assert_array_equal(x.array, y.array, strict=True)
    clear = ~np.isnan(x.array)
    assert np.array_equal(np.signbit(x.array[clear]), np.signbit(y.array[clear]))


def test_the_rules_of_the_usual_functions_are_recipes() -> None:
    wanted = {"tanh 0", "sigmoid 0", "relu 0", "sqrt 0", "divide 1", "maximum 0", "erf 0"}
    assert wanted <= set(RULES)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [ss.float32, ss.float64])
@pytest.mark.parametrize("name", RULES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_machine_code_gives_the_same_bits(name: str, dtype: Any, shape: tuple[int, ...]) -> None:
    rule, inputs = RULES[name]
    hurried = hurry(rule, inputs)
    assert hurried is not rule
    for scale in (1.0, 50.0):
        tensors = given(inputs + 2, shape, dtype, scale)
        with ss.no_grad():
            same_bits(hurried(*tensors), rule(*tensors))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_what_does_not_fit_is_left_to_the_rule() -> None:
    rule, inputs = RULES["maximum 0"]
    hurried = hurry(rule, inputs)
    g, z, x, y = given(4, (4, 6), ss.float32, 1.0)
    row = leaf(np.linspace(-1, 1, 6, dtype=np.float32))
    many = given(4, (40, 60), ss.float32, 1.0)
    cases = [
        (g, z, x, row),
        (g, z, row, y),
        (leaf(np.broadcast_to(row.array, (4, 6))), z, x, y),
        (g, z, leaf(x.array[:, ::-1]), y),
        (g, z, x, ss.astype(y, ss.float64)),
        many,
    ]
    with ss.no_grad():
        for case in cases:
            same_bits(hurried(*case), rule(*case))


def test_a_number_has_a_plan_of_its_own_once_it_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []
    followed = rules._followed
    monkeypatch.setattr(rules, "_followed", lambda *given: calls.append(given) or followed(*given))
    rule, inputs = RULES["minimum 0"]
    hurried = hurry(rule, inputs)
    before = len(calls)
    g, z, x = given(3, (10,), ss.float64, 1.0)
    with ss.no_grad():
        for step in range(200):
            number = 0.25 if step % 50 == 0 else float(step)
            same_bits(hurried(g, z, x, number), rule(g, z, x, number))
    # Numbers that change are not worth one.
    assert [call[1] for call in calls[before:]] == [(None, 0.25)]


def test_a_rule_of_something_else_stays_what_it_is() -> None:
    power, _ = ELEMENTWISE["pow 0"]
    # Choices are not elementwise functions of NumPy's.
    assert recipe_of(power, [None, None], ss.float32) is None
    assert hurry(power, 2) is power
    # One function costs as much by itself.
    assert recipe_of(ELEMENTWISE["exp 0"][0], [None], ss.float32) is None
    # What is known beforehand is not found by listening.
    fixed = leaf(np.ones(3, np.float32))
    assert recipe_of(lambda g, y, x: g * (x * fixed), [None], ss.float32) is None
    assert recipe_of(lambda g, y, x: (g * x).sum() * x, [None], ss.float32) is None
    # The result has to end up in g's place.
    elsewhere = hurry(lambda g, y, x: (g * g) * x - g, 1)
    assert elsewhere(*given(3, (4,), ss.float32, 1.0)).shape == (4,)


def test_higher_derivatives_see_the_rule() -> None:
    load_recipes()
    slope = ss.grad(ss.grad(ss.grad(lambda x: ss.tanh(x).sum())))
    found = slope(ss.tensor([0.5], dtype=ss.float64)).item()
    y = np.tanh(0.5)
    assert found == pytest.approx((1 - y * y) * (6 * y * y - 2), rel=1e-12)


def test_passes_give_the_same_bits_with_and_without(monkeypatch: pytest.MonkeyPatch) -> None:
    def gradients() -> list[bytes]:
        rng = np.random.default_rng(0)
        found = []
        for dtype in ("float32", "float64"):
            x = ss.tensor(rng.standard_normal((6, 5)), dtype=dtype, requires_grad=True)
            y = ss.tensor(rng.uniform(0.5, 2.0, (6, 5)), dtype=dtype, requires_grad=True)
            h = ss.nn.functional.gelu(ss.tanh(x / y)) + ss.sigmoid(x) * ss.relu(y - 1.0)
            h = ss.clip(ss.maximum(h, x * y), -1.0, 1.5) + ss.sqrt(y) + abs(x) + x / 3.0
            h = ss.nn.functional.layer_norm(h, 5, y[0], y[1])
            h.backward(ss.tensor(rng.standard_normal((6, 5)), dtype=dtype))
            found += [g.grad.numpy().tobytes() for g in (x, y) if g.grad is not None]
        assert len(found) == 4
        return found

    load_recipes()
    hurried = gradients()
    for primitive in REGISTRY.values():
        if isinstance(primitive.derivative, tuple):
            plain = tuple(map(unhurried, primitive.derivative))
            monkeypatch.setattr(primitive, "derivative", plain)
    assert REGISTRY["tanh"].rule(0) is RULES["tanh 0"][0]
    assert gradients() == hurried
