"""Whether to compile and how many threads to use, by the size of the work and not by a clock.

Clocks differ from run to run; so that a run's numbers can be repeated, these decisions do not.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from schuss.nn.module import Module
from schuss.threads import limit_threads

__all__ = [
    "BATCH_ROWS",
    "one_thread_if_small",
    "outputs_are_worth_compiling",
    "steps_are_worth_compiling",
]

# So many rows of a few hundred numbers stay in the processor's cache.
BATCH_ROWS = 512

# About what it takes to compile a step with nothing in the cache on disk; the Python of an eager
# step; and the operations of its matrix products in a second.
_COMPILE_STEP_SECONDS = 0.6
_EAGER_STEP_SECONDS = 2e-3
_EAGER_STEP_RATE = 5e10

# The same for outputs alone: compiling, what native code saves on a batch, and of the products.
_COMPILE_OUTPUTS_SECONDS = 0.3
_SAVED_BATCH_SECONDS = 4e-4
_SAVED_RATE = 1e11

# Multiplications of a layer on a batch; below so many, threads wait longer than they help.
_WORTH_THREADS = 2**26


def steps_are_worth_compiling(model: Module, rows: int, steps: int) -> bool:
    """Return whether so many training steps gain more than it takes to compile one.

    Args:
        model: what is trained.
        rows: rows of a batch.
        steps: number of steps in all.
    """
    work = 6.0 * rows * sum(p.size for p in model.parameters())
    return steps * (_EAGER_STEP_SECONDS + work / _EAGER_STEP_RATE) > _COMPILE_STEP_SECONDS


def outputs_are_worth_compiling(model: Module, rows: int, times: int) -> bool:
    """Return whether outputs on so many rows, so many times, gain more than compiling takes.

    Args:
        model: what is computed.
        rows: rows at a time.
        times: how often.
    """
    work = 2.0 * rows * sum(p.size for p in model.parameters())
    batches = -(-rows // BATCH_ROWS)
    saved = batches * _SAVED_BATCH_SECONDS + work / _SAVED_RATE
    return times * saved > _COMPILE_OUTPUTS_SECONDS


def one_thread_if_small(model: Module, rows: int) -> AbstractContextManager[Any]:
    """Keep matrix products on one thread where the layers are small.

    Args:
        model: whose layers count.
        rows: rows of a batch.
    """
    largest = max((p.size for p in model.parameters()), default=0)
    return limit_threads(1) if largest * rows < _WORTH_THREADS else nullcontext()
