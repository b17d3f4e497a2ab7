"""LBFGS: PyTorch's sequences, with and without line search; resuming; compiled closures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import optim

OPTIONS = [
    {"lr": 0.1},
    {"lr": 1.0, "max_iter": 7, "history_size": 3},
    {"lr": 0.5, "max_iter": 6, "max_eval": 4},
    {"line_search_fn": "strong_wolfe"},
    {"line_search_fn": "strong_wolfe", "lr": 0.1, "history_size": 2, "max_iter": 9},
    {"line_search_fn": "strong_wolfe", "lr": 30.0, "max_iter": 5, "max_eval": 12},
    {"line_search_fn": "strong_wolfe", "lr": 1e-4, "max_iter": 4},
    {"line_search_fn": "strong_wolfe", "tolerance_grad": 0.5, "tolerance_change": 1e-3},
]


def valley(p: Any, q: Any) -> Any:
    """Rosenbrock's valley in six dimensions, with a bump."""
    x, y = p, q.reshape(-1)
    return ((1 - x) ** 2).sum() + 20 * ((y - x * x) ** 2).sum() + (3 * x).sin().sum()


def begun(m: Any) -> list[Any]:
    values = [np.array([-1.2, 0.5, 2.0]), np.array([[1.0], [-0.3], [0.2]])]
    return [m.tensor(v, requires_grad=True) for v in values]


def places(
    m: Any, options: dict[str, Any], wrap: Any = lambda f: f, resumed: bool = False
) -> np.ndarray:
    parameters = begun(m)
    optimizer = m.optim.LBFGS(parameters, **options)

    def loss() -> Any:
        for p in parameters:
            p.grad = None
        value = valley(*parameters)
        value.backward()
        return value

    closure, found = wrap(loss), []
    for step in range(6):
        if resumed and step == 4:
            saved = optimizer.state_dict()
            optimizer = m.optim.LBFGS(parameters)
            optimizer.load_state_dict(saved)
        value = optimizer.step(closure).item()
        found.append([value, *(x for p in parameters for x in p.detach().numpy().ravel())])
    return np.array(found)


@pytest.mark.parametrize("options", OPTIONS)
def test_steps_equal_pytorchs(options: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    found = places(ss, options)
    assert len(np.unique(found[:, 0])) >= 3
    np.testing.assert_allclose(found, places(torch, options), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("options", OPTIONS)
def test_resumed_and_compiled_ones_are_the_same(options: dict[str, Any]) -> None:
    expected = places(ss, options)
    assert places(ss, options, resumed=True).tobytes() == expected.tobytes()
    np.testing.assert_allclose(places(ss, options, ss.compile), expected, rtol=1e-9)


def stepper(rule: Any, parameters: list[Any]) -> Any:
    def closure() -> Any:
        rule.zero_grad()
        value = valley(*parameters)
        value.backward()
        return value

    return lambda: rule.step(closure)


def crossed(value: Any, leaf: Any) -> Any:
    """A saved state with the other library's tensors."""
    if isinstance(value, dict):
        return {name: crossed(v, leaf) for name, v in value.items()}
    if isinstance(value, list):
        return [crossed(v, leaf) for v in value]
    return leaf(value.numpy().copy()) if hasattr(value, "numpy") else value


@pytest.mark.parametrize("from_pytorch", [True, False])
@pytest.mark.parametrize("options", OPTIONS[:5:2])
def test_the_other_librarys_state_is_gone_on_from(
    options: dict[str, Any], from_pytorch: bool
) -> None:
    torch = pytest.importorskip("torch")
    a, b = (torch, ss) if from_pytorch else (ss, torch)
    whole, other = begun(a), begun(b)
    first, second = a.optim.LBFGS(whole, **options), b.optim.LBFGS(other, **options)
    step, go_on = stepper(first, whole), stepper(second, other)
    for _ in range(2):
        step()
    for p, q in zip(whole, other, strict=True):
        q.detach().copy_(b.from_numpy(p.detach().numpy().copy()))
    second.load_state_dict(crossed(first.state_dict(), b.from_numpy))
    for _ in range(3):
        step()
        go_on()
    for p, q in zip(whole, other, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-9)


def test_a_quadratic_is_solved_in_one_step() -> None:
    p = ss.tensor([3.0, -2.0, 1.0], requires_grad=True)
    still = ss.tensor([1.0], requires_grad=True)  # has no gradient
    optimizer = optim.LBFGS([p, still], line_search_fn="strong_wolfe")

    def closure() -> ss.Tensor:
        optimizer.zero_grad()
        loss = (p * p * ss.tensor([1.0, 10.0, 3.0])).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 52.0
    assert p.abs().max().item() < 1e-3
    assert p.dtype == np.float32
    assert still.item() == 1.0


def test_mistakes() -> None:
    p = ss.tensor([1.0], requires_grad=True)
    with pytest.raises(ValueError, match="LBFGS: expected one group of parameters, got a second"):
        optim.LBFGS([{"params": [p]}, {"params": [ss.tensor([1.0])]}])
    with pytest.raises(ValueError, match="expected line_search_fn 'strong_wolfe' or None, got 'a'"):
        optim.LBFGS([p], line_search_fn="a")
    with pytest.raises(TypeError, match="LBFGS: expected a closure that computes the loss"):
        optim.LBFGS([p]).step()
    with pytest.raises(ValueError, match="LBFGS: expected lr >= 0, got -1"):
        optim.LBFGS([p], lr=-1)
