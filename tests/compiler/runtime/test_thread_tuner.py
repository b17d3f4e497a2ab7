"""The number of threads of a program follows what is faster."""

from __future__ import annotations

import pytest

from schuss.compiler.runtime import thread_tuner
from schuss.compiler.runtime.thread_tuner import ThreadTuner

LARGE, SMALL = 10**9, 10**6


def run(tuner: ThreadTuner, one: float, many: float, runs: int = 2000) -> list[int]:
    """Return the numbers of threads that are chosen where steps take so long."""
    chosen = []
    for _ in range(runs):
        chosen.append(tuner.threads())
        tuner.record(chosen[-1], one if chosen[-1] == 1 else many)
    return chosen


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ThreadTuner, "always", None)
    monkeypatch.setattr(thread_tuner, "program_threads", lambda: 2)


@pytest.mark.parametrize("flops", [LARGE, SMALL])
@pytest.mark.parametrize(("one", "many", "best"), [(1.0, 0.6, 2), (0.6, 1.0, 1)])
def test_takes_what_is_faster(flops: int, one: float, many: float, best: int) -> None:
    chosen = run(ThreadTuner(flops), one, many)
    assert chosen[100:].count(best) > 0.95 * len(chosen[100:])


def test_large_programs_begin_with_all_threads() -> None:
    assert set(run(ThreadTuner(LARGE), 1.0, 0.6, 50)) == {2}


def test_notices_a_busy_neighbour_and_that_it_is_gone() -> None:
    found = ThreadTuner(LARGE)
    run(found, 1.0, 0.6)
    assert run(found, 1.0, 1.8)[-1] == 1
    assert run(found, 1.0, 0.6)[-1] == 2


def test_is_back_soon_after_a_short_disturbance() -> None:
    found = ThreadTuner(LARGE)
    run(found, 1.0, 0.6, 200)
    assert run(found, 1.0, 1.8, 60)[-1] == 1
    assert run(found, 1.0, 0.6, 60)[-1] == 2


def test_is_quick_to_leave_threads_that_wait_for_a_core() -> None:
    found = ThreadTuner(LARGE)
    run(found, 1.0, 0.6, 200)
    assert run(found, 1.0, 20.0, 400).count(2) < 30


def test_hopes_less_and_less() -> None:
    found = ThreadTuner(LARGE)
    run(found, 1.0, 0.6, 200)
    assert run(found, 1.0, 1.8, 4000)[2000:].count(2) < 60


def test_pieces_of_many_steps_need_fewer_readings() -> None:
    def runs_until_back(steps: int) -> int:
        found = ThreadTuner(SMALL)
        for _ in range(25 if steps == 1 else 14):
            threads = found.threads()
            found.record(threads, 1.0 if threads == 1 else 2.0, steps)
        assert found.threads() == 1
        for count in range(1000):
            threads = found.threads()
            found.record(threads, 1.0 if threads == 1 else 0.6, steps)
            if threads == 2:
                return count
        return 1000

    assert runs_until_back(300) < runs_until_back(1) / 2


def test_a_disturbance_of_the_first_readings_is_soon_made_good() -> None:
    found = ThreadTuner(LARGE)
    assert run(found, 1.0, 1.8, 90)[-1] == 1
    assert run(found, 1.0, 0.6, 20)[-1] == 2


def test_one_slow_step_changes_nothing() -> None:
    found = ThreadTuner(LARGE)
    run(found, 1.0, 0.6, 40)
    found.record(found.threads(), 100.0)
    assert run(found, 1.0, 0.6, 10) == [2] * 10


def test_pieces_of_a_scan_get_longer_for_shorter_steps() -> None:
    slow, quick = ThreadTuner(LARGE), ThreadTuner(SMALL)
    assert 1 <= slow.steps() < quick.steps()
    run(slow, 1e-5, 1e-5, 100)
    assert slow.steps() == quick.steps()


def test_a_core_alone_is_never_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_tuner, "program_threads", lambda: 1)
    assert set(run(ThreadTuner(LARGE), 1.0, 0.1)) == {1}


def test_follows_a_change_of_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    found = ThreadTuner(LARGE)
    run(found, 1.0, 0.6, 100)
    monkeypatch.setattr(thread_tuner, "program_threads", lambda: 1)
    assert found.threads() == 1
