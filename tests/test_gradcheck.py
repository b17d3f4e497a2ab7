"""The checker of gradients must pass what is right and fail what is wrong, saying where."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss.functions as F
from schuss.core import Tensor, tensor
from schuss.errors import GradientError, SchussError
from schuss.gradcheck import GradientReport, check_gradients
from schuss.lowering.kinds import Elementwise
from schuss.primitives.base import REGISTRY, Primitive, apply
from schuss.transforms import vjp

X = np.random.default_rng(0).normal(size=(2, 3))


@pytest.fixture
def cube() -> Any:
    """A cube whose derivative can be spoilt: cube(factor, bend)(x)."""

    def make(factor: float, bend: float = 0.0) -> Any:
        def rule(g: Tensor, y: Tensor, x: Tensor) -> Tensor:
            slope = x * x * (3.0 * factor)
            return g * (slope + (x - x.detach()) * bend)

        REGISTRY.pop("tests_cube", None)
        primitive = Primitive(
            "tests_cube",
            value=lambda x: x * x * x,
            shape=lambda x: x,
            derivative=(rule,),
            lower=Elementwise(lambda x: x * x * x),
        )
        return lambda x: apply(primitive, (x,), {})

    yield make
    REGISTRY.pop("tests_cube", None)


def test_right_derivatives_pass(cube: Any) -> None:
    report = check_gradients(cube(1.0), X, order=3)
    assert isinstance(report, GradientReport)
    assert report.largest_error <= 1e-6
    assert report.comparisons > 20


@pytest.mark.parametrize("factor", [0.0, 0.5, -1.0, 1.00001])
def test_wrong_first_derivatives_fail(cube: Any, factor: float) -> None:
    text = r"expected .* by argument 0 \(at element \(0, 0\), reverse pass, order 1\), got"
    with pytest.raises(GradientError, match=text) as caught:
        check_gradients(cube(factor), X)
    assert isinstance(caught.value, SchussError)
    assert not isinstance(caught.value, AssertionError)


def test_wrong_second_derivatives_fail(cube: Any) -> None:
    f = cube(1.0, bend=1e-3)
    assert check_gradients(f, X, order=1).largest_error < 1e-6
    with pytest.raises(GradientError, match="order 2"):
        check_gradients(f, X)


def test_the_message_names_argument_and_element() -> None:
    def f(n: Tensor, x: Tensor, y: Tensor) -> Tensor:
        spoilt = F.where(np.arange(3) == 2, y.detach() * y, y * y)
        return F.sum(x * x) + spoilt * n

    with pytest.raises(GradientError, match=r"by argument 2 \(at element \(2,\)"):
        check_gradients(f, [1, 2, 3], [0.5], [1.0, 2.0, 3.0])


def test_large_arguments_are_checked_along_directions() -> None:
    x = np.random.default_rng(0).normal(size=(20, 20))
    check_gradients(F.tanh, x)
    with pytest.raises(GradientError, match="along a random direction"):
        check_gradients(lambda x: x * x.detach(), x)


def test_a_wrong_value_in_the_forward_derivative_or_hvp_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from schuss import gradcheck

    def wrong(f: Any, xs: Any, vs: Any) -> Any:
        return None, tuple(v * 2.0 for v in vs[:1])

    with monkeypatch.context() as patch:
        patch.setattr(gradcheck, "jvp", wrong)
        with pytest.raises(GradientError, match="jvp, order 1"):
            check_gradients(F.positive, X)
    monkeypatch.setattr(gradcheck, "hvp", lambda f, xs, vs: tuple(v * 1.001 for v in vs))
    with pytest.raises(GradientError, match="hvp, order 2"):
        check_gradients(lambda x: x * x * 0.5, X)


def test_kinks_poles_and_scales() -> None:
    check_gradients(F.relu, [1e-3, -1e-3, 2.0])
    check_gradients(F.log, [1e-3, 1e-4])
    check_gradients(F.sin, [1e6, 1e-6])
    check_gradients(F.exp, [-30.0, 30.0])
    check_gradients(lambda x: x * 1e-200, X)
    check_gradients(lambda x: x * 1e200 + 1e3, X)
    with pytest.raises(GradientError):
        check_gradients(F.abs, [0.0])
    with pytest.raises(GradientError):
        check_gradients(F.sqrt, [0.0])


def test_casts_copies_and_leaves_integers_alone() -> None:
    x = tensor([1.0, 2.0], requires_grad=True)
    report = check_gradients(lambda x, n, b: F.where(b, x * n, F.exp(x)), x, [3, 4], [True, False])
    assert report.largest_error < 1e-6
    assert x.dtype == np.float32
    assert x.grad is None


def test_several_results_of_which_some_are_integers() -> None:
    check_gradients(lambda x: (F.sin(x), F.argsort(x), [1], F.sum(x)), X)
    check_gradients(lambda x: x[:, :0], X)
    check_gradients(F.sum, np.zeros((0, 3)))


def test_an_order_of_one_step_and_tolerance_may_be_given() -> None:
    assert check_gradients(F.sin, X, eps=1e-3, tolerance=1e-9, order=1).comparisons == 10
    with pytest.raises(GradientError):
        check_gradients(F.sin, X, eps=1.0, tolerance=1e-9)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: check_gradients(F.sin, X, order=0), "expected order >= 1, got 0"),
        (lambda: check_gradients(F.sum, [1, 2]), "at least one float argument"),
        (lambda: check_gradients(F.argsort, X), "expected a float result"),
    ],
)
def test_nothing_to_check(call: Any, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        call()


def test_a_gradient_of_wrong_shape_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    from schuss import gradcheck

    def wrong(f: Any, *xs: Any) -> Any:
        y, pull = vjp(f, *xs)
        return y, lambda *errors: tuple(F.sum(g) for g in pull(*errors))

    monkeypatch.setattr(gradcheck, "vjp", wrong)
    with pytest.raises(GradientError, match=r"shape \(2, 3\) by argument 0, got \(\)"):
        check_gradients(F.sin, X)
