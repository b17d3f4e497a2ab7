"""SAM and Lookahead: other libraries' sequences, compiled, resumed, mistakes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim

X = np.random.default_rng(1).normal(size=(12, 3))
Y = np.random.default_rng(2).normal(size=(12, 2))
WRAPPED = [
    ("Lookahead", {}, "SGD", {"lr": 0.05, "momentum": 0.9}),
    ("Lookahead", {"k": 3, "alpha": 0.8}, "AdamW", {"lr": 0.02}),
    ("Lookahead", {"k": 1, "alpha": 0.3}, "SGD", {"lr": 0.1}),
    ("SAM", {}, "SGD", {"lr": 0.05, "momentum": 0.9}),
    ("SAM", {"rho": 0.5}, "Adam", {"lr": 0.02}),
    ("SAM", {"rho": 0.5, "adaptive": True}, "AdamW", {"lr": 0.02}),
]


def wrapped(m: Any, rules: Any, name: str, options: Any, rule: str, own: Any) -> Any:
    """Start a descent: parameters, the optimizer, and a step."""
    rng = np.random.default_rng(0)
    shapes = [(3, 2), (2,)]
    parameters = [m.tensor(rng.normal(size=shape), requires_grad=True) for shape in shapes]
    x, y = m.tensor(X), m.tensor(Y)
    if name == "SAM":
        optimizer = rules.SAM(parameters, getattr(m.optim, rule), **options, **own)
    else:
        optimizer = rules.Lookahead(getattr(m.optim, rule)(parameters, **own), **options)

    def loss() -> Any:
        optimizer.zero_grad()
        value = ((m.tanh(x @ parameters[0] + parameters[1]) - y) ** 2).mean()
        value.backward()
        return value

    def step() -> Any:
        value = loss()
        if name == "SAM":
            optimizer.step(loss)
        else:
            optimizer.step()
        return value

    return parameters, optimizer, step


def places(parameters: Any) -> list[np.ndarray]:
    return [p.detach().numpy().copy() for p in parameters]


@pytest.mark.parametrize("case", WRAPPED)
def test_a_hundred_steps_equal_another_librarys(case: Any) -> None:
    torch = pytest.importorskip("torch")
    other = pytest.importorskip("pytorch_optimizer")
    ours, _, step = wrapped(ss, optim, *case)
    theirs, _, expected = wrapped(torch, other, *case)
    for _ in range(100):
        assert step().item() == pytest.approx(expected().item(), rel=1e-6)
    for p, q in zip(places(ours), places(theirs), strict=True):
        # Its SAM sums the squares of the gradients in float32.
        np.testing.assert_allclose(p, q, rtol=1e-5 if case[0] == "SAM" else 1e-10)


@pytest.mark.parametrize("case", WRAPPED)
def test_compiled_steps_equal_eager_ones(case: Any) -> None:
    ours, _, plain = wrapped(ss, optim, *case)
    theirs, _, step = wrapped(ss, optim, *case)
    compiled = ss.compile(step)
    for _ in range(20):
        assert compiled().item() == pytest.approx(plain().item(), rel=1e-9)
    assert len(compiled._builds) == 1
    for p, q in zip(places(ours), places(theirs), strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-9)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("case", WRAPPED)
def test_a_resumed_run_ends_bit_for_bit_where_the_unbroken_one_does(
    case: Any, compiled: bool
) -> None:
    def made(make: Any) -> Any:
        parameters, optimizer, step = make
        return parameters, optimizer, ss.compile(step) if compiled else step

    whole, _, step = made(wrapped(ss, optim, *case))
    for _ in range(17):
        step()
    halfway, first, step_first = made(wrapped(ss, optim, *case))
    for _ in range(8):
        step_first()
    parameters, second, step_second = made(wrapped(ss, optim, *case))
    step_second()
    for p, value in zip(parameters, places(halfway), strict=True):
        p.data.copy_(ss.tensor(value))
    second.load_state_dict(first.state_dict())
    for _ in range(9):
        step_second()
    for p, q in zip(places(parameters), places(whole), strict=True):
        assert p.tobytes() == q.tobytes()


def test_what_is_wrapped_shares_groups_and_schedules() -> None:
    model = nn.Linear(2, 1)
    inner = optim.SGD(model.parameters(), lr=0.5)
    outer = optim.Lookahead(inner)
    schedule = optim.lr_scheduler.StepLR(outer, 1)
    schedule.step()
    assert inner.param_groups[0]["lr"] == 0.05
    assert outer.param_groups is inner.param_groups
    outer.add_param_group({"params": [ss.tensor([1.0], requires_grad=True)]})
    assert "slow_params" in outer.state[inner.param_groups[1]["params"][0]]
    assert "group 1" in repr(outer)


def test_mistakes_are_named() -> None:
    inner = optim.SGD(nn.Linear(2, 1).parameters())
    with pytest.raises(ValueError, match="Lookahead: expected k of at least 1, got 0"):
        optim.Lookahead(inner, k=0)
    with pytest.raises(ValueError, match="Lookahead: expected alpha from 0 to 1, got 1.5"):
        optim.Lookahead(inner, alpha=1.5)
    with pytest.raises(TypeError, match="Lookahead: expected an optimizer, got type"):
        optim.Lookahead(optim.SGD)
    with pytest.raises(ValueError, match="SAM: expected rho >= 0, got -1"):
        optim.SAM(nn.Linear(2, 1).parameters(), optim.SGD, rho=-1)
    with pytest.raises(TypeError, match="SAM: expected a closure .* or call first_step"):
        optim.SAM(nn.Linear(2, 1).parameters(), optim.SGD).step()
