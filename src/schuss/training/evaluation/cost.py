"""Whether to compile and how many threads to use, by the size of the work and not by a clock.

Clocks differ from run to run; so that a run's numbers can be repeated, these decisions do not.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from schuss.nn.convolution import Conv1d, Conv2d, Conv3d
from schuss.nn.module import Module
from schuss.threads import limit_threads
from schuss.training.evaluation.examples import Examples

__all__ = [
    "BATCH_ROWS",
    "goes_over_positions",
    "one_thread_if_small",
    "outputs_are_worth_compiling",
    "rows_at_a_time",
    "steps_are_worth_compiling",
]

# So many rows of a few hundred numbers stay in the processor's cache.
BATCH_ROWS = 512

# About what it takes to compile a step with nothing in the cache on disk; the Python of an eager
# step; and the operations of its matrix products in a second.
_COMPILE_STEP_SECONDS = 0.6
_EAGER_STEP_SECONDS = 2e-3
_EAGER_STEP_RATE = 5e10

# Rows of more numbers than a few hundred come fewer at a time.
_BATCH_NUMBERS = 2**18
_LEAST_ROWS = 16

# Their work is a multiple of their weights that grows with the positions, and compiling nearly
# always pays.
_OVER_POSITIONS = (Conv1d, Conv2d, Conv3d)
_FEW_STEPS, _FEW_ROWS = 8, 64

# The same for outputs alone: compiling, what native code saves on a batch, and of the products.
_COMPILE_OUTPUTS_SECONDS = 0.3
_SAVED_BATCH_SECONDS = 4e-4
_SAVED_RATE = 1e11

# Multiplications of a layer on a batch; below so many, threads wait longer than they help.
_WORTH_THREADS = 2**26


def rows_at_a_time(examples: Examples) -> int:
    """Return how many rows are computed at once, so that they stay in the processor's cache."""
    numbers: int = sum(math.prod(getattr(x, "shape", (0,))[1:]) for x in examples.inputs)
    return int(min(max(_BATCH_NUMBERS // max(numbers, 1), _LEAST_ROWS), BATCH_ROWS))


def goes_over_positions(model: Module) -> bool:
    """Return whether some layer's weights are used at many positions of each row."""
    return any(isinstance(layer, _OVER_POSITIONS) for layer in model.modules())


def steps_are_worth_compiling(model: Module, rows: int, steps: int) -> bool:
    """Return whether so many training steps gain more than it takes to compile one.

    Args:
        model: what is trained.
        rows: rows of a batch.
        steps: number of steps in all.
    """
    if goes_over_positions(model):
        return steps > _FEW_STEPS
    work = 6.0 * rows * sum(p.size for p in model.parameters())
    return steps * (_EAGER_STEP_SECONDS + work / _EAGER_STEP_RATE) > _COMPILE_STEP_SECONDS


def outputs_are_worth_compiling(model: Module, rows: int, times: int) -> bool:
    """Return whether outputs on so many rows, so many times, gain more than compiling takes.

    Args:
        model: what is computed.
        rows: rows at a time.
        times: how often.
    """
    if goes_over_positions(model):
        return rows * times > _FEW_ROWS
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
