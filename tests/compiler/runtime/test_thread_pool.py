"""Workers keep off the caller's core, and many threads on few cores come to their end."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import pytest

import schuss as ss
from schuss.compiler import compile
from schuss.compiler.runtime import thread_pool
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.threads import usable_cores


@pytest.fixture(autouse=True)
def _own_core() -> Iterator[None]:
    """Put the threads that a test moves back where they were."""
    if not hasattr(os, "sched_getaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, cores)


def run(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run a program that all threads share."""
    monkeypatch.setattr(ThreadTuner, "always", size)
    x = np.ones((128, 256), np.float32)
    step = compile(lambda a: (a @ a.T).exp().sum())
    for _ in range(3):
        step(ss.tensor(x * 1e-3))


@pytest.mark.skipif(usable_cores() < 2, reason="needs two cores")
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="the kernel places threads")
def test_workers_keep_off_the_callers_core(monkeypatch: pytest.MonkeyPatch) -> None:
    run(2, monkeypatch)
    for core in sorted(os.sched_getaffinity(0))[:2]:
        os.sched_setaffinity(0, {core})
        run(2, monkeypatch)
        (worker,) = thread_pool.team(2)._workers
        assert worker.native_id is not None
        assert core not in os.sched_getaffinity(worker.native_id)


def test_more_threads_than_cores_are_not_moved(monkeypatch: pytest.MonkeyPatch) -> None:
    size = usable_cores() + 6
    run(size, monkeypatch)
    if hasattr(os, "sched_getaffinity"):
        for worker in thread_pool.team(size)._workers:
            assert worker.native_id is not None
            assert os.sched_getaffinity(worker.native_id) == os.sched_getaffinity(0)
