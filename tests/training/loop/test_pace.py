from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss import manual_seed, nn
from schuss.errors import UsageError
from schuss.nn.serialization import load_safetensors
from schuss.training import Callback, Trainer
from schuss.training.loop import loop as loop_module
from schuss.training.loop.pace import Pace
from schuss.training.loop.state import LoopState


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def descend(pace: Pace, state: LoopState, clock: Clock, seconds: Any) -> list[float]:
    """Take steps of so many seconds until the time or the steps are up; return the progress."""
    found = []
    while state.step < 1000 and not pace.is_up:
        found.append(pace.progress(state.step))
        clock.now += seconds(state.step)
        state.step += 1
        pace.look()
    return found


def test_without_a_budget_the_progress_is_the_share_of_steps() -> None:
    clock, state = Clock(), LoopState()
    found = descend(Pace(1000, None, state, clock), state, clock, lambda step: 1e6)
    assert found == [step / 1000 for step in range(1000)]


def test_the_progress_ends_with_the_budget() -> None:
    clock, state = Clock(), LoopState()
    found = descend(Pace(1000, 10.0, state, clock), state, clock, lambda step: 0.1)
    assert clock.now == pytest.approx(10.0, abs=0.11)
    assert np.diff(found).min() > 0.0
    assert 0.97 < found[-1] < 1.0
    # Once the speed is known, evenly.
    assert np.diff(found)[5:].max() < 1.1 * np.diff(found)[5:].min()


def test_the_progress_bends_when_the_speed_changes() -> None:
    clock, state = Clock(), LoopState()
    found = descend(
        Pace(1000, 10.0, state, clock), state, clock, lambda step: 0.05 if clock.now < 5.0 else 0.2
    )
    assert clock.now == pytest.approx(10.0, abs=0.21)
    assert np.diff(found).min() > 0.0
    assert 0.95 < found[-1] < 1.0


def test_compiling_the_first_step_does_not_count_as_speed() -> None:
    clock, state = Clock(), LoopState()
    found = descend(Pace(1000, 10.0, state, clock), state, clock, lambda step: 0.1 if step else 5.0)
    assert clock.now == pytest.approx(10.0, abs=0.11)
    assert len(found) == 50 + 1
    assert found[25] == pytest.approx(0.5, abs=0.06)


def test_a_budget_that_is_long_enough_changes_nothing_but_roundings() -> None:
    clock, state = Clock(), LoopState()
    found = descend(Pace(1000, 1e4, state, clock), state, clock, lambda step: 0.1)
    np.testing.assert_allclose(found, np.arange(1000) / 1000, rtol=1e-9)


def test_the_last_validation_is_within_the_budget() -> None:
    clock, state = Clock(), LoopState(validation_seconds=2.0)
    descend(Pace(1000, 10.0, state, clock), state, clock, lambda step: 0.1)
    assert clock.now == pytest.approx(8.0, abs=0.11)


class Tick(Callback):
    """Lets a clock go on by a step's 1/128 s, which no sum rounds; ends the work at a step."""

    def __init__(self, clock: Clock, kill_at: int | None = None) -> None:
        self.clock = clock
        self.kill_at = kill_at
        self.rates: list[float] = []

    def on_step(self, loop: Any) -> None:
        self.clock.now += 0.0078125
        self.rates.append(loop.optimizer.param_groups[0]["lr"])
        if loop.step == self.kill_at:
            raise KeyboardInterrupt


def trainer(folder: Path, *callbacks: Callback, eager: bool, budget: Any = "2s") -> Trainer:
    manual_seed(0)
    return Trainer(
        nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 1)),
        "mse",
        lr=0.01,
        schedule="cosine",
        epochs=100,
        batch_size=8,
        time_budget=budget,
        eager=eager,
        callbacks=callbacks,
        folder=folder,
        checkpoint_seconds=0.0,
        progress=False,
    )


DRAW = np.random.default_rng(0)
ROWS = DRAW.normal(size=(80, 3)), DRAW.normal(size=80)


@pytest.mark.parametrize("eager", [True, False])
def test_a_killed_run_goes_on_with_the_rest_of_its_time_and_ends_in_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eager: bool
) -> None:
    clock = Clock()
    monkeypatch.setattr(loop_module, "perf_counter", clock)
    whole = Tick(clock)
    fit = trainer(tmp_path / "whole", whole, eager=eager).fit(ROWS)
    assert fit.stopped == "time"
    assert fit.seconds == pytest.approx(2.0, abs=0.02)
    assert whole.rates[-1] < 1e-4 < 0.0099 < whole.rates[0]
    assert "time budget" in fit.summary(None)
    for step in (1, 2, 97, 198):
        place = tmp_path / f"killed-{step}"
        with pytest.raises(KeyboardInterrupt):
            trainer(place, Tick(clock, step), eager=eager).fit(ROWS)
        clock.now += 1024.0  # nobody trains meanwhile
        again = Tick(clock)
        resumed = trainer(place, again, eager=eager).fit(ROWS, resume=True)
        assert resumed.stopped == "time"
        assert resumed.seconds == pytest.approx(fit.seconds)
        assert len(again.rates) > len(whole.rates) - step
        assert again.rates == whole.rates[-len(again.rates) :]
        arrays = [
            {name: t.array for name, t in load_safetensors(f / "model.safetensors").items()}
            for f in (tmp_path / "whole", place)
        ]
        assert all(np.array_equal(arrays[0][name], arrays[1][name]) for name in arrays[0])


def test_a_budget_below_an_epoch_still_leaves_a_validated_network(tmp_path: Path) -> None:
    fit = trainer(tmp_path / "run", eager=True, budget=1e-6).fit(ROWS)
    assert (fit.stopped, fit.epochs, fit.best_epoch) == ("time", 1, 1)
    assert fit.history[0]["step"] == 1


def test_a_budget_is_told_at_the_start(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = trainer(tmp_path / "run", eager=True, budget="1m30s")
    made._output = dataclasses.replace(made._output, progress=True)
    made.plan = dataclasses.replace(made.plan, epochs=1)
    made.fit(ROWS)
    assert capsys.readouterr().err.splitlines()[0] == "training ends in 1:30 at the latest"


@pytest.mark.parametrize("wrong", [0, -1.0, "soon", "", "10 parsecs", float("nan")])
def test_a_budget_that_is_no_time_is_refused(tmp_path: Path, wrong: Any) -> None:
    with pytest.raises(UsageError, match="time_budget to be seconds above 0, or a time such as"):
        trainer(tmp_path / "run", eager=True, budget=wrong)
