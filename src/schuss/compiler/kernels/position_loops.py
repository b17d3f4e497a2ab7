"""Loops over all positions of all pictures, a cache's load at a time, for sums over them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from schuss.compiler.kernels.convolution import Problem
from schuss.compiler.kernels.convolution_geometry import Phase, forward_phase
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.picture_loops import Scratch
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import F32, I32, kind_of
from schuss.lowering.vectors import SIZE

__all__ = ["Positions", "Spot", "position_loops", "prepare_positions"]

# Positions that are gone through at once; entries of the table, at most.
_POSITIONS, _TABLE = 256, 65_536


@dataclass(frozen=True)
class Positions:
    """How positions are cut, and where their table is in working memory.

    Args:
        phase: what the output reads.
        chunk: rows along the first axis that are gone through at once.
        together: pictures, instead, where these are small.
        table: of the positions' taps.
        places: of the output's positions, which nobody needs: they follow each other.
        zero: zeros, of so many channels as are read at once.
        channels: how many these are.
    """

    phase: Phase
    chunk: int
    together: int
    table: int
    places: int
    zero: int
    channels: int

    @staticmethod
    def of(problem: Problem, channels: int, scratch: Scratch) -> Positions:
        """Decide it for a problem whose tiles read so many channels at once."""
        phase = forward_phase(problem.geometry, problem.inputs, problem.outputs)
        first = phase.axes[0].rows
        inner = phase.rows // first
        together = max(min(_POSITIONS // phase.rows, problem.pictures), 1)
        chunk = first if together > 1 else max(min(_POSITIONS // inner, first), 1)
        whole = together * phase.rows
        entries = whole if whole * phase.taps <= _TABLE else chunk * inner
        table, places = scratch.take(4 * entries * phase.taps), scratch.take(4 * entries)
        zero = scratch.take(channels * SIZE[problem.kind])
        return Positions(phase, chunk, together, table, places, zero, channels)

    @property
    def is_whole(self) -> bool:
        """Whether one table serves all of a picture."""
        return self.phase.rows * self.phase.taps * self.together <= _TABLE


@dataclass(frozen=True)
class Spot:
    """Some positions that follow each other.

    Args:
        source: where the input of their picture begins.
        errors: where the errors of the first one are.
        table: of their taps.
        zero: where zeros are.
        count: how many they are.
        is_more: 1 where sums have begun, 0 at first.
    """

    source: str
    errors: str
    table: str
    zero: str
    count: Scalar
    is_more: Scalar


def prepare_positions(k: KernelEmitter, plan: Positions) -> None:
    """Write the zeros, and the table where one serves all."""
    f, kind = k.f, kind_of(k.node.dtype)
    with f.loop(0, plan.channels) as channel:
        f.store(f.number(0, kind), _at(k, plan.zero), channel)
    if plan.is_whole:
        _write_table(k, plan, (f.number(0), f.number(plan.phase.axes[0].rows)))


def _at(k: KernelEmitter, place: int) -> str:
    return k.f.address("%scratch", place // 4, F32)


def _write_table(k: KernelEmitter, plan: Positions, bounds: tuple[Scalar, Scalar]) -> None:
    x, g = (math.prod(node.shape[1:]) for node in k.node.inputs)
    plan.phase.write_table(
        k.f, _at(k, plan.table), _at(k, plan.places), (plan.together, x, g), bounds
    )


@contextmanager
def position_loops(k: KernelEmitter, plan: Positions) -> Iterator[Spot]:
    """Run the body for all positions, some at a time; `prepare_positions` comes first."""
    f, kind = k.f, kind_of(k.node.dtype)
    x, g = k.view(0), k.view(1)
    of_x, of_g = (math.prod(node.shape[1:]) for node in k.node.inputs)
    pictures, axis = k.node.inputs[0].shape[0], plan.phase.axes[0].rows
    inner = plan.phase.rows // axis
    with f.loop(0, pictures, plan.together) as picture, f.loop(0, axis, plan.chunk) as start:
        taken = (picture * -1 + pictures).minimum(plan.together)
        end = (start + plan.chunk).minimum(axis)
        table = _at(k, plan.table)
        if plan.is_whole:
            table = f.address(table, start * inner * plan.phase.taps, I32)
        else:
            _write_table(k, plan, (start, end))
        errors = picture * of_g + start * inner * g.shape[-1] + g.offset
        yield Spot(
            f.address(k.pointer(x.root), picture * of_x + x.offset, kind),
            f.address(k.pointer(g.root), errors, kind),
            table,
            _at(k, plan.zero),
            (end - start) * inner * taken,
            (picture + start).ne(0).where(f.number(1), 0),
        )
