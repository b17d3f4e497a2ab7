"""Holding random programs and trainings to eager evaluation, on several numbers of threads."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from programs import Program, make, reduced
from rounding import Arrays, difference
from trainings import Training

import schuss as ss
from schuss.compiler.kernels import bfloat16_product
from schuss.compiler.padding import varying
from schuss.compiler.passes import layout_assignment
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.compiler.schedule import schedule
from schuss.native import jit

THREADS = (1, 2, 3)


@contextmanager
def everything_shared() -> Iterator[None]:
    """Share all stages between threads, and verify every program in any order of its threads."""
    patch = pytest.MonkeyPatch()
    patch.setattr(schedule, "SINGLE_THREAD_FLOPS", 0)
    patch.setattr(schedule, "_WORTH_SHARING", 0)
    patch.setattr(bfloat16_product, "_LEAST_FLOPS", 0)
    patch.setattr(bfloat16_product, "_LEAST_COLUMNS", 0)
    patch.setattr(varying, "_ENOUGH", 2)
    patch.setattr(ThreadTuner, "always", None)
    patch.setenv("SCHUSS_DEBUG", "verify")
    # Limits of memory that cannot be kept are said.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="compile: expected temporaries")
        try:
            yield
        finally:
            patch.undo()


@contextmanager
def settings(seed: int) -> Iterator[None]:
    """Compile as it is a seed's turn: quickly, which tests all but LLVM, and in many layouts."""
    turn = seed // 8
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jit, "load", partial(jit.load, optimise=turn % 8 == 0))
        if turn % 2:
            patch.setattr(layout_assignment, "SINGLE_THREAD_FLOPS", 0)
            patch.setattr(layout_assignment, "_LEAST_UNITS", 4)
            patch.setattr(layout_assignment, "_LEAST_ROWS", 2)
        yield


def fault_of(program: Program) -> str | None:
    """Return how a compiled program differs from the eager one, or None."""
    rounds = [program.arguments(seed) for seed in (1, 2)]
    # Every fourth one computes products in bfloat16.
    evaluate = ss.autocast("bfloat16", enabled=len(program.steps) % 4 == 1)(program.run)

    def results(run: Callable[..., list[Any]], which: int) -> Arrays:
        return [x.array for x in run(*rounds[which])]

    try:
        with np.errstate(all="ignore"):
            wanted = [results(evaluate, which) for which in (0, 1)]
    except (ValueError, TypeError, IndexError):
        return None
    # Every third one computes again what it can.
    run = ss.compile(evaluate, memory=1 if len(program.steps) % 3 == 0 else None)
    bits: list[list[bytes] | None] = [None, None]
    # Other arguments on each number of threads, and the first ones once more.
    for threads, which in zip(THREADS, (0, 1, 0), strict=True):
        ThreadTuner.always = threads
        try:
            found = results(run, which)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        far = difference(found, wanted[which], partial(results, evaluate, which))
        if far is not None:
            return f"result {far[0]}, on {threads} threads: {far[1]}"
        now = [x.tobytes() for x in found]
        if bits[which] not in (None, now):
            return f"other bits on {threads} threads than on 1"
        bits[which] = now
    return None


def fault_of_lengths(program: Program, seed: int) -> str | None:
    """Return how a compiled program differs from the eager one as lengths of axes vary, or None.

    They do from the second call on, so that calls share programs for larger arguments.
    """
    run = ss.compile(program.run)
    for number, varied in enumerate(_varied(program, seed)):
        arguments = varied.arguments(number)

        def results(run: Callable[..., list[Any]], arguments: Any = arguments) -> Arrays:
            return [x.array for x in run(*arguments)]

        try:
            with np.errstate(all="ignore"):
                wanted = results(program.run)
        except (ValueError, TypeError, IndexError):
            continue
        ThreadTuner.always = THREADS[(seed // 8 + number) % len(THREADS)]
        try:
            found = results(run)
        except Exception as error:
            return f"arguments {varied.shapes}: {type(error).__name__}: {error}"
        far = difference(found, wanted, partial(results, program.run))
        if far is not None:
            return f"arguments {varied.shapes}, result {far[0]}: {far[1]}"
    return None


def _varied(program: Program, seed: int) -> Iterator[Program]:
    """Yield a program for arguments some of whose lengths are others each time."""
    rng = np.random.default_rng(seed)
    lengths = sorted({n for shape in program.shapes for n in shape if n > 1})
    chosen = rng.permutation(lengths)[: int(rng.integers(1, 3))].tolist()
    yield program
    for _ in range(4):
        others = {n: int(rng.integers(1, 40)) for n in chosen}
        shapes = tuple(tuple(others.get(n, n) for n in shape) for shape in program.shapes)
        if max(math.prod(shape) for shape in shapes) <= 5_000:
            yield replace(program, shapes=shapes)


def fault_of_training(training: Training) -> str | None:
    """Return how compiled steps, then a scan, or calls, differ from eager steps, or None."""
    with np.errstate(all="ignore"):
        wanted = training.eager()
    # The numbers of threads take turns.
    turn = training.seed // 8
    threads = [THREADS[(turn + i) % 3] for i in range(2 if turn % 4 else 3)]
    try:
        called, scanned, again = training.compiled(threads)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    far = difference([*called, *scanned], wanted, training.eager)
    if far is not None:
        which = "calls" if far[0] < len(called) else "scan"
        return f"{which}, on {threads} threads, result {far[0] % len(called)}: {far[1]}"
    if [x.tobytes() for x in scanned] != [x.tobytes() for x in again]:
        return f"other bits in a scan than in calls, on {threads} threads"
    return None


def check(seed: int, *, makes_small: bool = True) -> str | None:
    """Return a report on the program (or each eighth time, the training) of a seed, if it fails."""
    with settings(seed):
        if seed % 8 == 7:
            training = Training(seed)
            fault = fault_of_training(training)
            return None if fault is None else f"{training}\n{fault}"
        program = make(seed)
        find = partial(fault_of_lengths, seed=seed) if seed % 8 == 3 else fault_of
        fault = find(program)
        if fault is None or not makes_small:
            return fault
        small = reduced(program, lambda p: find(p) is not None)
        return f"{small}\n{find(small)}"
