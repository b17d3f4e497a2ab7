"""How many cores a process may use, also in a container, and how many threads it does use."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest

from schuss import threads
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.threads import _share_of_cores, program_threads, set_num_threads, usable_cores


@pytest.mark.parametrize(
    ("files", "share"),
    [
        ({"cpu.max": "max 100000\n"}, None),
        ({"cpu.max": "150000 100000\n"}, 1.5),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ({"cpu/cpu.cfs_quota_us": "200000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 2.0),
        ({}, None),
    ],
)
def test_share_of_a_container(tmp_path: Path, files: dict[str, str], share: float | None) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert _share_of_cores(tmp_path) == share


def test_at_least_one_core() -> None:
    assert usable_cores() >= 1


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("1", 1), ("3,2", 3), ("64", 4), ("0", 4), ("all", 4), ("", 4), (None, 4)],
)
def test_programs_follow_the_environments_limit(
    setting: str | None, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "usable_cores", lambda: 4)
    if setting is None:
        monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", setting)
    assert threads._default_threads.__wrapped__() == expected


def test_what_is_set_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_chosen_threads", None)
    monkeypatch.setattr(threads, "_default_threads", lambda: 1)
    monkeypatch.setattr(ThreadTuner, "always", None)
    tuner = ThreadTuner(10**9)
    assert program_threads() == tuner.threads() == 1
    with threads.limit_threads(threads.get_num_threads()):
        set_num_threads(2)
        assert program_threads() == tuner.threads() == 2
        set_num_threads(1)
        assert program_threads() == tuner.threads() == 1
    with pytest.raises(ValueError, match="at least 1 thread, got 0"):
        set_num_threads(0)


def test_limits_of_several_threads_leave_what_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_chosen_threads", None)
    before = threads.get_num_threads()
    entered, left = [Event() for _ in range(4)], [Event() for _ in range(4)]
    most = [2, 1, 2, 1]

    def hold(number: int) -> None:
        with threads.limit_threads(most[number]):
            entered[number].set()
            left[number].wait(30)

    with threads.limit_threads(8):
        set_num_threads(4)
    workers = [Thread(target=hold, args=(number,)) for number in range(4)]
    seen = []
    for number, worker in enumerate(workers):
        worker.start()
        entered[number].wait(30)
        seen.append(threads.get_num_threads())
    for number in (1, 0, 3, 2):
        left[number].set()
        workers[number].join()
        seen.append(threads.get_num_threads())
    assert seen == [2, 1, 1, 1, 1, 1, 2, 4]
    set_num_threads(before)
