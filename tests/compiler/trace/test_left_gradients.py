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


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_what_was_added_up_stays_when_it_is_kept(turns: int) -> None:
    w = ss.tensor([1.0, 2.0], requires_grad=True)
    twin = ss.tensor([1.0, 2.0], requires_grad=True)

    def add(w: Any, x: Any) -> None:
        (w * x).sum().backward()

    compiled = compile(lambda x: add(w, x))
    kept: list[tuple[Any, Any]] = []
    for k in (1.0, 2.0, 3.0, 4.0, 5.0):
        w.grad = twin.grad = None
        for _ in range(turns):
            compiled(ss.tensor([k, 3.0]))
            add(twin, ss.tensor([k, 3.0]))
            kept.append((w.grad, twin.grad))
    # Within a turn it is one tensor, as in PyTorch; then another one.
    expected = [[k * turns, 3.0 * turns] for k in (1.0, 2.0, 3.0, 4.0, 5.0) for _ in range(turns)]
    assert [eager.tolist() for _, eager in kept] == expected
    assert [native.tolist() for native, _ in kept] == expected
    assert sum(map(len, compiled._specializations.values())) <= 5


def test_rules_in_another_function_leave_kept_gradients() -> None:
    w = ss.tensor([1.0, 2.0], requires_grad=True)
    rule = optim.SGD([w], lr=0.1)
    back = compile(lambda x: (w * x).sum().backward())
    step = compile(rule.step)
    kept: list[Any] = []
    for k in range(1, 6):
        rule.zero_grad()
        for _ in range(2):
            back(ss.tensor([float(k), 1.0]))
        step()
        kept.append(w.grad)
    assert [g.tolist() for g in kept] == [[2.0 * k, 2.0] for k in range(1, 6)]
    np.testing.assert_allclose(w.array, [1.0 - 0.1 * 30, 2.0 - 0.1 * 10], rtol=1e-6)


def test_a_step_that_ends_with_the_next_gradient_leaves_kept_ones() -> None:
    w = ss.tensor([1.0, 2.0], requires_grad=True)
    rule = optim.SGD([w], lr=0.1)

    @compile
    def turn(x: Any) -> None:
        rule.step()
        rule.zero_grad()
        (w * x).sum().backward()

    w.grad = given = ss.tensor([10.0, 10.0])
    kept: list[Any] = [given]
    for k in (1.0, 2.0, 3.0, 4.0):
        turn(ss.tensor([k, k]))
        kept.append(w.grad)
    assert [g.tolist() for g in kept] == [[10.0] * 2, [1.0] * 2, [2.0] * 2, [3.0] * 2, [4.0] * 2]


def test_gradients_in_place_of_others_are_kept_apart() -> None:
    w = ss.tensor([1.0, 2.0], requires_grad=True)

    @compile
    def halve() -> None:
        assert w.grad is not None
        w.grad = w.grad * 0.5

    kept: list[Any] = []
    for k in (2.0, 4.0, 6.0):
        w.grad = ss.tensor([k, k])
        kept.append(w.grad)
        for _ in range(2):
            halve()
            kept.append(w.grad)
    found = [g.tolist()[0] for g in kept]
    assert found == [2.0, 1.0, 0.5, 4.0, 2.0, 1.0, 6.0, 3.0, 1.5]


def test_a_scan_that_adds_leaves_the_sum() -> None:
    w = ss.tensor([1.0, 2.0], requires_grad=True)
    add = compile(lambda x: (w * x).sum().backward())
    data = ss.tensor([[1.0], [2.0], [3.0], [4.0]])
    for _ in range(3):
        w.grad = None
        add.scan(data, [[0], [1], [2]])
        kept = w.grad
        assert kept is not None
        assert kept.tolist() == [6.0, 6.0]
        add.scan(data, [[3]])
        assert w.grad is kept
        assert kept.tolist() == [10.0, 10.0]


def test_programs_that_can_never_run_again_are_dropped(request: pytest.FixtureRequest) -> None:
    if "plain" in request.node.name:
        pytest.skip("references are not counted")
    w = ss.tensor([1.0, 2.0], requires_grad=True)

    @compile
    def add(x: Any) -> None:
        (w * x).sum().backward()

    def count() -> int:
        return sum(map(len, add._specializations.values()))

    for _ in range(2):
        w.grad = None
        add(ss.tensor([1.0, 1.0]))
        add(ss.tensor([1.0, 1.0]))
    assert count() == 2
    kept = w.grad
    w.grad = None
    add(ss.tensor([1.0, 1.0]))
    # What added to the kept one may do so again, the one that it was left by may not.
    assert count() == 2
    del kept
    add(ss.tensor([1.0, 1.0]))
    assert count() == 2
    for k in range(5):
        w.grad = ss.tensor([float(k), 0.0])
        add(ss.tensor([1.0, 1.0]))
        assert w.grad.tolist() == [k + 1.0, 1.0]
    assert count() <= 4


def test_a_gradient_that_lies_where_a_copy_lay_is_another_one() -> None:
    rng, others = np.random.default_rng(0), []
    for _ in range(100):
        w = ss.tensor([1.0, 2.0], requires_grad=True)
        add = compile(lambda x, w=w: (w * x).sum().backward())
        add(ss.ones(2))
        kept, w.grad = w.grad, None
        assert kept is not None
        add(ss.ones(2))
        del kept
        add(ss.ones(2))
        for k in range(5):
            # What was freed before may be taken for something else.
            if rng.random() < 0.3:
                others.append(ss.tensor([0.0]))
            if others and rng.random() < 0.3:
                others.pop()
            w.grad = ss.tensor([float(k), 0.0])
            add(ss.ones(2))
            assert w.grad.tolist() == [k + 1.0, 1.0]


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
