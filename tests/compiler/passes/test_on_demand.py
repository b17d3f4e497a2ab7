"""What is set aside is computed only where it is asked for, and changes nothing else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import pipeline
from schuss.compiler.compiled import Compiled
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.compiler.schedule.aliasing import plan_stages
from schuss.nn import functional as F
from schuss.optim.clip import get_total_norm

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 6)).astype(np.float32)
Y = RNG.integers(0, 3, 60)
INDEX = RNG.integers(0, 60, (12, 8))
ASKED = np.arange(12) % 4 == 1


@pytest.fixture(autouse=True)
def _chosen_threads() -> Any:
    yield
    ThreadTuner.always = None


def _made(*, figures: bool, width: int = 16, clipped: bool = False) -> tuple[nn.Module, Any, Any]:
    ss.manual_seed(0)
    layers = [nn.Linear(6, width), nn.LayerNorm(width), nn.GELU(), nn.Dropout(0.2)]
    model = nn.Sequential(*layers, nn.Linear(width, 3))
    rule = optim.AdamW(model.parameters(), lr=0.01)
    parameters = list(model.parameters())

    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(model(x), y)
        rule.zero_grad()
        loss.backward()
        gradients = [p.grad for p in parameters]
        norm = optim.clip_grad_norm_(parameters, 0.1) if clipped else get_total_norm(gradients)
        before = [p.detach() * 1.0 for p in parameters]
        rule.step()
        rule.zero_grad()
        if not figures:
            return loss.detach()
        moved = [p.detach() - old for p, old in zip(parameters, before, strict=True)]
        return loss.detach(), (norm, get_total_norm(moved))

    return model, rule, step


def _weights(model: nn.Module, rule: Any) -> list[np.ndarray]:
    states = [value for held in rule.state.values() for value in held.values()]
    return [np.array(t.array) for t in [*model.state_dict().values(), *states]]


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("width", [16, 700])
def test_the_rest_is_the_same_to_the_last_bit(width: int, clipped: bool) -> None:
    model, rule, step = _made(figures=False, width=width, clipped=clipped)
    losses = Compiled(step).scan((X, Y), INDEX).array
    figures = []
    for count, requested in ((1, None), (1, ASKED), (2, ASKED), (3, np.zeros(12, bool))):
        ThreadTuner.always = count
        other, its_rule, step = _made(figures=True, width=width, clipped=clipped)
        found, (norms, moves) = Compiled(step, on_demand=True).scan(
            (X, Y), INDEX, requested=requested
        )
        np.testing.assert_array_equal(found.array, losses)
        for a, b in zip(_weights(other, its_rule), _weights(model, rule), strict=True):
            np.testing.assert_array_equal(a, b)
        figures.append(np.stack([norms.array, moves.array])[:, ASKED])
    np.testing.assert_array_equal(figures[1], figures[0])
    np.testing.assert_array_equal(figures[2], figures[0])


def test_figures_are_those_of_eager_steps() -> None:
    _, _, step = _made(figures=True)
    expected = [step(ss.tensor(X[rows]), ss.tensor(Y[rows]))[1] for rows in INDEX]
    _, _, step = _made(figures=True)
    compiled = Compiled(step, on_demand=True)
    _, got = compiled.scan((X, Y), INDEX[:6], requested=ASKED[:6])
    for place in np.flatnonzero(ASKED[:6]):
        np.testing.assert_allclose([g.array[place] for g in got], expected[place], rtol=1e-4)
    # A call computes everything.
    loss, got = compiled(ss.tensor(X[INDEX[6]]), ss.tensor(Y[INDEX[6]]))
    assert loss.shape == ()
    np.testing.assert_allclose([g.item() for g in got], expected[6], rtol=1e-4)


def test_steps_of_several_programs_get_what_they_are_asked_for() -> None:
    def run(requested: Any) -> np.ndarray:
        model, _, step = _made(figures=True)

        def before(number: int) -> None:
            # Without dropout, the trace is another.
            model[3].p = 0.2 if number % 3 else 0.0

        compiled = Compiled(step, on_demand=True)
        return compiled.scan((X, Y), INDEX, before=before, requested=requested)[1][1].array

    np.testing.assert_array_equal(run(ASKED)[ASKED], run(None)[ASKED])


def test_what_the_rest_needs_anyway_is_returned_at_every_step() -> None:
    compiled = Compiled(lambda x: (x * 2.0, x * 2.0), on_demand=True)
    twice, again = compiled.scan(X, INDEX, requested=np.zeros(12, bool))
    np.testing.assert_array_equal(again.array, 2.0 * X[INDEX])
    np.testing.assert_array_equal(twice.array, again.array)


def test_the_rest_is_the_very_code_that_it_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    plans = []

    def noted(*given: Any) -> Any:
        plans.append(plan_stages(*given))
        return plans[-1]

    monkeypatch.setattr(pipeline, "plan_stages", noted)
    for figures in (False, True):
        _, _, step = _made(figures=figures, width=24)
        Compiled(step, on_demand=figures).scan((X, Y), INDEX[:1])
    alone, beside = (
        [
            (stage.shape, stage.axes, [(n.op, n in plan.stored) for n in stage.nodes])
            for stage in plan.stages
            if not stage.on_demand
        ]
        for plan in plans
    )
    assert beside == alone
    assert len(plans[1].stages) > len(plans[0].stages)
