from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import autograd
from schuss.autograd.function import once_differentiable

torch = pytest.importorskip("torch")


def both(define: Any) -> list[Any]:
    """The same class for each library."""
    return [define(ss, autograd.Function), define(torch, torch.autograd.Function)]


def cubed(m: Any, base: Any) -> Any:
    class Cubed(base):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any, scale: float) -> Any:
            ctx.save_for_backward(x)
            ctx.scale = scale
            return x * x * x * scale

        @staticmethod
        def backward(ctx: Any, error: Any) -> Any:
            (x,) = ctx.saved_tensors
            return error * 3 * x * x * ctx.scale, None

    return Cubed


def exponential(m: Any, base: Any) -> Any:
    class Exponential(base):  # type: ignore[misc]
        @staticmethod
        def forward(x: Any) -> Any:
            return m.exp(x)

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.save_for_backward(output)

        @staticmethod
        def backward(ctx: Any, error: Any) -> Any:
            (y,) = ctx.saved_tensors
            return error * y

    return Exponential


def polar(m: Any, base: Any) -> Any:
    class Polar(base):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            r = m.sqrt(x * x + y * y)
            angle = m.atan2(y, x)
            ctx.save_for_backward(x, y, r)
            big = r > 1
            ctx.mark_non_differentiable(big)
            return r, angle, big

        @staticmethod
        def backward(ctx: Any, by_r: Any, by_angle: Any, _: Any) -> Any:
            x, y, r = ctx.saved_tensors
            assert ctx.needs_input_grad == (True, True)
            return (by_r * x / r - by_angle * y / (r * r), by_r * y / r + by_angle * x / (r * r))

    return Polar


@pytest.mark.parametrize("define", [cubed, exponential])
def test_one_result(define: Any) -> None:
    found = []
    for m, kind in zip((ss, torch), both(define), strict=True):
        x = m.tensor([0.5, -1.0, 2.0], dtype=m.float64, requires_grad=True)
        extra = (2.0,) if define is cubed else ()
        y = kind.apply(x, *extra)
        (first,) = m.autograd.grad((y * y).sum(), x, create_graph=True)
        (second,) = m.autograd.grad(first.sum(), x)
        y = kind.apply(x, *extra)
        y.sum().backward()
        found.append([t.detach().numpy() for t in (y, first, second, x.grad)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_several_results() -> None:
    found = []
    for m, kind in zip((ss, torch), both(polar), strict=True):
        x = m.tensor([0.5, -1.0], dtype=m.float64, requires_grad=True)
        y = m.tensor([2.0, 0.25], dtype=m.float64, requires_grad=True)
        r, angle, big = kind.apply(x, y)
        assert not big.requires_grad
        slopes = m.autograd.grad((r * angle + r).sum(), (x, y), create_graph=True)
        second = m.autograd.grad((slopes[0] * slopes[1]).sum(), (x, y))
        only_r = m.autograd.grad(kind.apply(x, y)[0].sum(), x)
        found.append([t.detach().numpy() for t in (r, angle, *slopes, *second, *only_r)])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


@pytest.mark.parametrize("define", [exponential, polar])
def test_compiled(define: Any) -> None:
    kind = define(ss, autograd.Function)

    def slopes(x: Any, y: Any) -> Any:
        if define is polar:
            r, angle, _ = kind.apply(x, y)
            value = (r * angle).sum()
        else:
            value = (kind.apply(x) * y).sum()
        first = autograd.grad(value, x, create_graph=True)[0]
        return value, first, autograd.grad(first.sum(), x)[0]

    x = ss.tensor([0.5, -1.0], dtype="float64", requires_grad=True)
    y = ss.tensor([2.0, 0.25], dtype="float64", requires_grad=True)
    compiled = ss.compile(slopes)
    for ours, eager in zip(compiled(x, y), slopes(x, y), strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), eager.detach().numpy(), rtol=1e-12)


def test_gradients_by_the_functional_face() -> None:
    kind = cubed(ss, autograd.Function)
    ss.check_gradients(lambda x: kind.apply(x, 0.5), ss.tensor([0.3, -2.0]))


def test_without_a_gradient_nothing_is_recorded() -> None:
    kind = exponential(ss, autograd.Function)
    assert not kind.apply(ss.ones(2)).requires_grad
    with ss.no_grad():
        assert not kind.apply(ss.ones(2).requires_grad_()).requires_grad


def test_a_saved_result_does_not_keep_itself() -> None:
    import gc
    import weakref

    kind = exponential(ss, autograd.Function)
    x = ss.ones(3).requires_grad_()
    gc.collect()
    gc.disable()
    try:
        y = kind.apply(x)
        gone = weakref.ref(y)
        del y
        assert gone() is None
    finally:
        gc.enable()


def faulty(result: Any) -> Any:
    class Faulty(autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            return x + y

        @staticmethod
        def backward(ctx: Any, error: Any) -> Any:
            return result(error)

    return Faulty


def test_errors() -> None:
    x = ss.ones(2).requires_grad_()
    with pytest.raises(RuntimeError, match="an error for each of 2 arguments, got 1"):
        faulty(lambda e: e).apply(x, 1).sum().backward()
    with pytest.raises(TypeError, match="expected tensors or None, got float"):
        faulty(lambda e: (1.0, None)).apply(x, 1).sum().backward()
    faulty(lambda e: (e, None, None)).apply(x, 1).sum().backward()  # as PyTorch takes it
    with pytest.raises(NotImplementedError, match=r"forward\(ctx, \*args\)"):
        autograd.Function.apply(x)


def test_differentiable_once() -> None:
    class Once(autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx: Any, error: Any) -> Any:
            (x,) = ctx.saved_tensors
            return 2 * x * error

    x = ss.tensor([3.0], requires_grad=True)
    (first,) = autograd.grad(Once.apply(x).sum(), x, create_graph=True)
    assert first.tolist() == [6]
    with pytest.raises(RuntimeError, match="differentiable once"):
        autograd.grad(first.sum(), x)
