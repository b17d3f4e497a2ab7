"""Many steps in one native call, with numbers that change from step to step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.compiler.schedule import schedule
from schuss.nn import functional as F

pytestmark = pytest.mark.usefixtures("natively_and_in_plain_python")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6))
Y = RNG.integers(0, 3, 40)
INDEX = RNG.integers(0, 40, (9, 8))
# Where it is 0, the function goes another way and needs another program.
SHARES = [0.5, 0.4, 0.3, 0.0, 0.0, 0.2, 0.1, 0.0, 0.3]


def _made() -> tuple[nn.Module, Any, Any, Any]:
    ss.manual_seed(0)
    dropout = nn.Dropout(0.5)
    model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), dropout, nn.Linear(16, 3)).double()
    rule = optim.AdamW(model.parameters(), lr=0.01, weight_decay=0.1)

    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(model(x), y)
        rule.zero_grad()
        loss.backward()
        rule.step()
        return loss.detach()

    def before(i: int) -> None:
        rule.param_groups[0]["lr"] = 0.01 * (i + 1)
        rule.param_groups[0]["betas"] = (0.9 - 0.01 * i, 0.999)
        dropout.p = SHARES[i]

    return model, rule, step, before


def _weights(model: nn.Module) -> list[np.ndarray]:
    return [np.array(value.array) for value in model.state_dict().values()]


def _by_single_steps(step: Any, before: Any) -> list[np.ndarray]:
    found = []
    for i, rows in enumerate(INDEX):
        before(i)
        found.append(np.array(step(ss.tensor(X[rows]), ss.tensor(Y[rows])).array))
    return found


def test_numbers_change_at_each_step_of_one_call() -> None:
    model, _, step, before = _made()
    losses = _by_single_steps(step, before)
    other, _, step, before = _made()
    requested: list[int] = []

    def noted(i: int) -> None:
        requested.append(i)
        before(i)

    got = compile(step).scan((X, Y), INDEX, before=noted)
    assert requested == list(range(9))
    np.testing.assert_allclose(got.array, losses, rtol=1e-9)
    for a, b in zip(_weights(other), _weights(model), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-7)


def _later(before: Any, start: int) -> Any:
    return lambda number: before(start + number)


@pytest.mark.parametrize("threads", [1, 3])
def test_single_calls_and_chopped_scans_give_the_same_bits(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "SINGLE_THREAD_FLOPS", 0)
    monkeypatch.setattr(schedule, "_WORTH_SHARING", 0)
    monkeypatch.setattr(ThreadTuner, "always", threads)
    model, _, step, before = _made()
    losses = _by_single_steps(compile(step), before)
    for cuts in ([9], [1] * 9, [4, 5], [2, 3, 4]):
        other, _, step, before = _made()
        compiled = compile(step)
        got: list[float] = []
        for count in cuts:
            start = len(got)
            rows = INDEX[start : start + count]
            got += compiled.scan((X, Y), rows, before=_later(before, start)).tolist()
        assert got == [float(x) for x in losses]
        for a, b in zip(_weights(other), _weights(model), strict=True):
            np.testing.assert_array_equal(a, b)


def test_programs_with_several_traces_read_the_numbers_of_each() -> None:
    w = ss.tensor([1.0], requires_grad=True)

    def step(x: Any, factor: float) -> Any:
        w.grad = None
        (w * x * factor).sum().backward()
        return w.grad * 1.0

    compiled = compile(step)
    x = ss.ones(1)
    for factor in (0.5, 0.25, 2.0, 0.5):
        for gradient in (None, ss.zeros(1)):
            w.grad = gradient
            assert compiled(x, factor).tolist() == [factor]


def test_an_error_before_a_step_leaves_things_as_they_are() -> None:
    model, _, step, _ = _made()
    kept = _weights(model)

    def fail(i: int) -> None:
        raise KeyError(i)

    with pytest.raises(KeyError):
        compile(step).scan((X, Y), INDEX, before=fail)
    for a, b in zip(_weights(model), kept, strict=True):
        np.testing.assert_array_equal(a, b)


def test_methods_scan_and_show_their_programs() -> None:
    class Job:
        def __init__(self, factor: float) -> None:
            self.weight = ss.tensor([factor])

        @compile
        def step(self, x: Any) -> Any:
            return (x * self.weight).sum()

    index = [[0, 1], [1, 2]]
    for factor in (2.0, 3.0):
        job = Job(factor)
        assert job.step(ss.tensor([1.0, 2.0])).item() == 3.0 * factor
        found = job.step.scan(ss.tensor([1.0, 2.0, 3.0]), index)
        assert found.tolist() == [3.0 * factor, 5.0 * factor]
        assert "multiply" in str(job.step.graph(ss.ones(3)))


def test_an_index_of_other_than_integers_is_refused() -> None:
    scan = compile(lambda x: x.sum()).scan
    for index in ([[0.7]], [[True]]):
        with pytest.raises(TypeError, match="integers"):
            scan(ss.tensor([1.0, 2.0]), index)
