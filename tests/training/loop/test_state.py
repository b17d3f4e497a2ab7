"""Which epoch is the best: by more or less of a figure, and who wins a tie."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest

from schuss.errors import FileFormatError
from schuss.training.loop.plan import TrainingPlan
from schuss.training.loop.state import LoopState


def _plan(monitor: str, mode: str | None = None, ties: str = "first") -> TrainingPlan:
    metrics: dict[str, Any] = {
        name: lambda y, output, weight: 0.0 for name in ("figure", "fine", "accuracy", "auc")
    }
    return TrainingPlan(
        epochs=9,
        time_budget=None,
        batch_size=8,
        drop_last=False,
        seed=0,
        metrics=metrics,
        monitor=monitor,
        mode=mode,
        ties=ties,
        patience=None,
        average_epochs=None,
        checkpoint_seconds=5.0,
        eager=None,
    )


def _best(
    plan: TrainingPlan, figures: list[float | None], others: list[float] | None = None
) -> int:
    state, history = LoopState(), []
    for number, value in enumerate(figures):
        state.begin_epoch()
        name = f"validation_{plan.ties}"
        history.append({name: None if others is None else others[number]})
        state.take_if_best(plan, value, history)
    return state.best_epoch


@pytest.mark.parametrize(("mode", "best"), [(None, 1), ("min", 1), ("max", 3)])
def test_more_of_a_figure_is_better_where_its_mode_says_so(mode: str | None, best: int) -> None:
    assert _best(_plan("figure", mode), [1.0, 2.0, 3.0, 2.0, 2.0]) == best


def test_more_of_a_metric_is_better_where_its_name_says_so() -> None:
    assert _best(_plan("accuracy"), [0.5, 0.9, 0.7, 0.6, 0.1]) == 2


@pytest.mark.parametrize(("ties", "best"), [("first", 2), ("last", 4)])
def test_the_first_or_the_last_of_equals(ties: str, best: int) -> None:
    assert _best(_plan("figure", ties=ties), [3.0, 1.0, 2.0, 1.0, 4.0]) == best


@pytest.mark.parametrize(
    ("ties", "others", "best"),
    [("fine", [3, 5, 1, 9], 3), ("fine", [1, 5, 1, 0], 1), ("auc", [3, 5, 1, 9], 2)],
)
def test_ties_can_be_broken_by_another_figure(ties: str, others: list[float], best: int) -> None:
    assert _best(_plan("figure", ties=ties), [1.0, 1.0, 1.0, 2.0], others) == best


def test_an_undefined_figure_is_no_better_and_a_tie_is_no_progress() -> None:
    assert _best(_plan("figure"), [None, 2.0, None, 3.0]) == 2
    plan, state = _plan("figure", ties="last"), LoopState()
    for waited, value in enumerate([2.0, 2.0, 3.0]):
        state.begin_epoch()
        state.take_if_best(plan, value, [])
        assert state.waited == waited
    assert state.best_epoch == 2


def test_a_header_that_lacks_a_part_is_refused() -> None:
    header = asdict(LoopState(epoch=3))
    assert LoopState.from_header({**header, "layout": {}}) == LoopState(epoch=3)
    diverged = LoopState(epoch=3, batch=2, stopped="diverged")
    assert LoopState.from_header(asdict(diverged)) == diverged
    with pytest.raises(FileFormatError, match="the checkpoint's sums of an epoch are damaged"):
        LoopState.from_header(asdict(diverged) | {"stopped": ""})
    with pytest.raises(FileFormatError, match="the checkpoint's seconds is damaged: inf"):
        LoopState.from_header(header | {"seconds": float("inf")})
    del header["waited"]
    with pytest.raises(FileFormatError, match="the checkpoint lacks waited"):
        LoopState.from_header(header)
