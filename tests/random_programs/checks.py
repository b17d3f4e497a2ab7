"""Holding random programs and trainings to eager evaluation, on several numbers of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest
from programs import Program, make, reduced
from trainings import Training

import schuss as ss
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.compiler.schedule import schedule

THREADS = (1, 2, 3)
# Relative to the largest number of a result.
TOLERANCES = {"float32": 3e-4, "float64": 1e-9}


@contextmanager
def everything_shared() -> Iterator[None]:
    """Share all stages between threads, and verify every program in any order of its threads."""
    patch = pytest.MonkeyPatch()
    patch.setattr(schedule, "SINGLE_THREAD_FLOPS", 0)
    patch.setattr(schedule, "_WORTH_SHARING", 0)
    patch.setattr(ThreadTuner, "always", None)
    patch.setenv("SCHUSS_DEBUG", "verify")
    try:
        yield
    finally:
        patch.undo()


def differs(got: Any, wanted: Any) -> str | None:
    """Return what is other than it should be, or None."""
    if got.shape != wanted.shape or got.dtype != wanted.dtype:
        return f"{got.dtype}{list(got.shape)} in the place of {wanted.dtype}{list(wanted.shape)}"
    if wanted.dtype.kind != "f":
        return None if np.array_equal(got, wanted) else "other integers"
    same = np.isfinite(wanted)
    if not np.array_equal(got[~same], wanted[~same], equal_nan=True):
        return "other numbers that are not finite"
    if not same.any():
        return None
    error = np.abs(got[same] - wanted[same])
    if not np.isfinite(error).all():
        return "a number that is not finite"
    scale = max(float(np.abs(wanted[same]).max()), 1e-3)
    worst = float(error.max()) / scale
    return None if worst <= TOLERANCES[str(wanted.dtype)] else f"off by {worst:.2g} of the largest"


def fault_of(program: Program) -> str | None:
    """Return how a compiled program differs from the eager one, or None."""
    try:
        with np.errstate(all="ignore"):
            rounds = [program.arguments(seed) for seed in (1, 2)]
            wanted = [[x.array for x in program.run(*a)] for a in rounds]
    except (ValueError, TypeError, IndexError):
        return None
    run = ss.compile(program.run)

    def results(arguments: Any) -> list[Any]:
        return [x.array for x in run(*arguments)]

    for arguments, right in zip(rounds, wanted, strict=True):
        fault = _fault_on_threads(partial(results, arguments), right)
        if fault is not None:
            return fault
    return None


def fault_of_training(training: Training) -> str | None:
    """Return how compiled steps, or a scan, differ from eager ones, or None."""
    ThreadTuner.always = None
    with np.errstate(all="ignore"):
        wanted = training.trained("eager")
    for way in ("compiled", "scan"):
        fault = _fault_on_threads(partial(training.trained, way), wanted)
        if fault is not None:
            return f"{way}: {fault}"
    return None


def _fault_on_threads(run: Callable[[], list[Any]], wanted: list[Any]) -> str | None:
    """Return how arrays differ from those wanted, or from one number of threads to another."""
    bits = None
    for threads in THREADS:
        ThreadTuner.always = threads
        try:
            found = run()
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        for place, (got, value) in enumerate(zip(found, wanted, strict=True)):
            fault = differs(got, value)
            if fault is not None:
                return f"result {place}, on {threads} threads: {fault}"
        now = [x.tobytes() for x in found]
        if bits is not None and now != bits:
            return f"other bits on {threads} threads than on 1"
        bits = now
    return None


def check(seed: int) -> str | None:
    """Return a report on the program (or each fourth time, the training) of a seed, if it fails."""
    if seed % 4 == 3:
        training = Training(seed)
        fault = fault_of_training(training)
        return None if fault is None else f"{training}\n{fault}"
    program = make(seed)
    fault = fault_of(program)
    if fault is None:
        return None
    small = reduced(program, lambda p: fault_of(p) is not None)
    return f"{small}\n{fault_of(small)}"
