"""Gradients that somebody keeps from one compiled step are not written over by the next."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.trace.left_gradients import left_gradient
from schuss.nn import functional as F

pytestmark = pytest.mark.usefixtures("natively_and_in_plain_python")

RNG = np.random.default_rng(0)
X = ss.tensor(RNG.normal(size=(16, 4)).astype(np.float32))
Y = ss.tensor(RNG.integers(0, 3, 16))


def _steps(*, compiled: bool, zeroes: bool, descends: bool) -> tuple[nn.Module, Any, Any]:
    """Return a network, a step that may zero and descend inside of the function, and that."""
    ss.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))
    optimizer = optim.Adam(model.parameters(), lr=0.1)

    def function(x: Any, y: Any) -> Any:
        if zeroes:
            optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        if descends:
            optimizer.step()
        return loss

    run = compile(function) if compiled else function

    def step(rows: int = 16) -> None:
        if not zeroes:
            optimizer.zero_grad()
        run(X[:rows], Y[:rows])
        if not descends:
            optimizer.step()

    return model, step, run


@pytest.mark.parametrize("descends", [False, True])
@pytest.mark.parametrize("zeroes", [False, True])
@pytest.mark.parametrize("before", [0, 3])
def test_a_kept_gradient_stays(before: int, zeroes: bool, descends: bool) -> None:
    found = []
    for compiled in (False, True):
        model, step, _ = _steps(compiled=compiled, zeroes=zeroes, descends=descends)
        for _ in range(before):
            step()
        kept = []
        for rows in (16, 16, 8, 16, 8):
            step(rows)
            kept.append([p.grad for p in model.parameters()])
        found.append([g.numpy() for gradients in kept for g in gradients if g is not None])
    assert len(found[0]) == len(found[1]) == 20
    for eager, native in zip(*found, strict=True):
        np.testing.assert_allclose(native, eager, rtol=1e-3, atol=1e-5)


def test_one_kept_gradient_costs_one_trace() -> None:
    model, step, run = _steps(compiled=True, zeroes=True, descends=True)
    for _ in range(3):
        step()
    before = sum(map(len, run._specializations.values()))
    weight = next(iter(model.parameters()))
    for _ in range(6):
        kept = weight.grad
        step()
    assert kept is not None
    assert sum(map(len, run._specializations.values())) <= before + 1


def test_nothing_is_copied_where_nobody_keeps_it(request: pytest.FixtureRequest) -> None:
    if "plain" in request.node.name:
        pytest.skip("references are not counted")
    model, step, run = _steps(compiled=True, zeroes=True, descends=True)
    for rows in (16, 8, 16, 8, 8, 5, 16):
        step(rows)
    run.scan((X, Y), np.arange(16).reshape(4, 4))
    seen = [float(p.grad.sum()) for p in model.parameters() if p.grad is not None]
    step()
    assert len(seen) == 4
    assert not any(left_gradient(p).is_copied for p in model.parameters())


def test_what_a_step_adds_to_stays_one_tensor() -> None:
    w = ss.tensor([1.0, 2.0], requires_grad=True)

    @compile
    def add(x: Any) -> None:
        (w * x).sum().backward()

    for k in (1.0, 2.0, 3.0, 4.0, 5.0):
        w.grad = None
        sums: list[float] = []
        found: list[Any] = []
        for _ in range(4):
            add(ss.tensor([k, k]))
            assert w.grad is not None
            sums.append(w.grad.tolist()[0])
            found.append(w.grad)
        assert found[1] is found[2] is found[3]
        assert sums == [k, 2 * k, 3 * k, 4 * k]
        del found
    assert sum(map(len, add._specializations.values())) <= 4


def test_adding_after_one_was_kept_is_traced_no_more_at_each_turn() -> None:
    w = ss.tensor([1.0, 2.0], requires_grad=True)

    @compile
    def add(x: Any) -> None:
        (w * x).sum().backward()

    kept = []
    for k in (1.0, 2.0, 3.0):
        w.grad = None
        add(ss.tensor([k, k]))
        kept.append(w.grad)
    assert [g.tolist() for g in kept if g is not None] == [[1.0] * 2, [2.0] * 2, [3.0] * 2]
    for _ in range(6):
        w.grad = None
        for number in (1, 2):
            add(ss.tensor([1.0, 1.0]))
            assert w.grad is not None
            assert w.grad.tolist() == [number, number]
    assert sum(map(len, add._specializations.values())) <= 5


def test_zeroing_before_all_else_is_traced_once() -> None:
    w = ss.tensor([1.0, 1.0], requires_grad=True)

    @compile
    def step(x: Any) -> None:
        w.grad = None
        (w * x).sum().backward()

    for k in range(5):
        step(ss.tensor([float(k), 1.0]))
        assert w.grad is not None
        assert w.grad.tolist() == [k, 1.0]
    assert sum(map(len, step._specializations.values())) <= 2
