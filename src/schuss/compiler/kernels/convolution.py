"""Convolutions, and their two gradients: register tiles that read pictures where they lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import Partitioning, private_values
from schuss.compiler.graph.views import Layouts, Strided
from schuss.compiler.kernels.convolution_geometry import backward_phases, forward_phase
from schuss.compiler.kernels.convolution_packing import PACK
from schuss.compiler.kernels.convolution_tiles import TILES
from schuss.compiler.kernels.depthwise_tiles import DEPTHWISE
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.compiler.kernels.micro_kernel import tile_shape
from schuss.compiler.kernels.picture_loops import (
    PictureLoops,
    Scratch,
    Tables,
    call_library,
    plan_tables,
    write_zeros,
)
from schuss.compiler.kernels.plan import KernelPlan
from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.llvm_types import I32, kind_of
from schuss.lowering.vectors import SIZE
from schuss.native.target import vector_bytes
from schuss.primitives.convolution import geometry_of
from schuss.values.convolution import Geometry

__all__ = ["Convolution", "Numbers", "Problem"]

# Kinds of partitionings: threads share the pictures, or panels of channels of the result.
BY_PICTURES, BY_PANELS = "pictures", "panels"
# Weights that each thread may pack for itself, so that pictures can be shared.
_PACKED_TWICE = 160_000


@dataclass(frozen=True)
class Problem:
    """What one of the three computes, as far as the choice of how depends on it.

    Args:
        node: the result.
        geometry: which position each tap reads.
        pictures: how many there are.
        inputs: channels of the input.
        outputs: channels of the output.
        groups: of channels.
    """

    node: Node
    geometry: Geometry
    pictures: int
    inputs: int
    outputs: int
    groups: int

    @staticmethod
    def of(node: Node) -> Problem:
        """Return the problem of a node."""
        first, second = (x.shape for x in node.inputs)
        geometry = geometry_of(node.op, (first, second), node.attributes)
        groups: int = node.attributes["groups"]
        if node.op == "convolution":
            inputs, outputs = first[-1], second[0]
        elif node.op == "convolution_input":
            inputs, outputs = second[1] * groups, first[-1]
        else:
            inputs, outputs = first[-1], second[-1]
        return Problem(node, geometry, first[0], inputs, outputs, groups)

    @property
    def kind(self) -> str:
        """LLVM's type of an element."""
        return kind_of(self.node.dtype)

    @property
    def taps(self) -> int:
        """Taps of the kernel."""
        return math.prod(self.geometry.kernel)

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        positions = self.pictures * math.prod(self.geometry.out)
        return 2 * positions * self.taps * self.inputs * self.outputs // max(self.groups, 1)

    @property
    def is_depthwise(self) -> bool:
        """Whether every channel has a kernel of its own."""
        return self.inputs == self.outputs == self.groups

    @property
    def is_empty(self) -> bool:
        """Whether nothing is summed."""
        return 0 in (self.flops, self.inputs, self.node.size)


@dataclass(frozen=True, kw_only=True)
class _Plan(KernelPlan):
    """How a convolution or the gradient of its input is computed.

    Args:
        problem: what is computed.
        tables: of each phase.
        packed: where each phase's weights are in working memory.
        lines: where it is said to which line of these each weight of an output goes, where all
            outputs are packed together.
        zero: where zeros are.
        together: pictures whose rows are computed together.
        panels: of a group's channels of the result.
    """

    problem: Problem
    tables: tuple[Tables, ...]
    packed: tuple[int, ...]
    lines: int | None
    zero: int
    together: int
    panels: int


class Convolution(KernelDescriptor):
    """A convolution, or the gradient of its input, which is one whose taps go the other way.

    Args:
        is_backward: whether it is the latter.
    """

    def __init__(self, *, is_backward: bool) -> None:
        self.is_backward = is_backward

    def flops(self, node: Node) -> int:
        """Return the multiplications and additions."""
        return Problem.of(node).flops

    def accepts(self, view: Strided) -> bool:
        """Whether elements follow each other."""
        return view.strides_fit()

    def plan(self, node: Node, layouts: Layouts) -> KernelPlan:
        """Decide how pictures and weights are cut."""
        problem = Problem.of(node)
        if problem.is_empty:
            return KernelPlan((Partitioning(1),))
        if self.is_backward:
            phases = backward_phases(problem.geometry, problem.inputs, problem.outputs)
        else:
            phases = [forward_phase(problem.geometry, problem.inputs, problem.outputs)]
        read, written = self._channels(problem)
        shape = tile_shape(problem.kind)
        panels = -(-(written // problem.groups) // shape.nr)
        scratch = Scratch()
        size = SIZE[problem.kind]
        zero = scratch.take(read * size)
        tables, together = plan_tables(phases, problem.pictures, scratch)
        width = written if problem.is_depthwise else panels * shape.nr * read
        packed = tuple(scratch.take(p.taps * width * size) for p in phases)
        lines = None
        if not (self.is_backward or problem.is_depthwise):
            lines = scratch.take(4 * problem.taps * read // problem.groups)
        x = layouts.of(node.inputs[0])
        mine = private_values([(x, 0), (layouts.of(node.inputs[1]), None)]) | {node}
        by_pictures = Partitioning(
            problem.pictures, mine, problem.pictures, BY_PICTURES, allows_epilogue=True
        )
        parts = problem.groups * panels
        by_panels = Partitioning(parts, frozenset(), parts, BY_PANELS)
        ways = [by_pictures] if problem.pictures > 1 else []
        is_heavy = problem.taps * read * written // problem.groups > _PACKED_TWICE
        if parts > 1 and not problem.is_depthwise and (is_heavy or not ways):
            ways.insert(0, by_panels)
        return _Plan(
            partitionings=(*ways, Partitioning(1)),
            scratch_bytes=scratch.nbytes,
            problem=problem,
            tables=tables,
            packed=packed,
            lines=lines,
            zero=zero,
            together=together,
            panels=panels,
        )

    def _channels(self, problem: Problem) -> tuple[int, int]:
        """Return the channels that are read, and those of the result."""
        channels = problem.inputs, problem.outputs
        return channels[::-1] if self.is_backward else channels

    def write(self, k: KernelEmitter) -> None:
        """Write the loops over pictures, phases and panels."""
        if isinstance(k.plan, _Plan):
            _ConvolutionWriter(k, k.plan, is_backward=self.is_backward).write()
        else:
            write_zeros(k)


class _ConvolutionWriter:
    def __init__(self, k: KernelEmitter, plan: _Plan, *, is_backward: bool) -> None:
        self.k = k
        self.f = k.f
        self.plan = plan
        self.is_backward = is_backward
        p = plan.problem
        self.problem = p
        self.read, self.written = (p.outputs, p.inputs) if is_backward else (p.inputs, p.outputs)
        self.loops = PictureLoops(k, plan.tables, plan.together)
        self.zero = self.loops.scratch(plan.zero)
        self.packed = dict(zip(plan.tables, map(self.loops.scratch, plan.packed), strict=True))
        self.nr = tile_shape(p.kind).nr
        self.inner = self.read // p.groups
        self.columns = self.written // p.groups

    def write(self) -> None:
        """Write all of it."""
        f, p, kind = self.f, self.problem, self.k.partitioning.kind
        with f.loop(0, self.read) as i:
            f.store(f.number(0, p.kind), self.zero, i)
        pictures = f.number(0), f.number(p.pictures)
        panels = f.number(0), f.number(p.groups * self.plan.panels)
        if kind == BY_PICTURES:
            pictures = self.k.low, self.k.high
        elif kind == BY_PANELS:
            panels = self.k.low, self.k.high
        if self.plan.lines is not None:
            # All taps of a channel follow each other, and all channels of a tap are to.
            lines = self.loops.scratch(self.plan.lines)
            with f.loop(0, self.inner) as i, f.loop(0, p.taps) as m:
                f.store((m * self.inner + i).to(I32), lines, i * p.taps + m)
        for tables in self.plan.tables:
            if tables.phase.taps:
                self._pack(tables, panels)
        self.loops.write(pictures, partial(self._rows, panels))

    def _rows(
        self, panels: tuple[Scalar, Scalar], tables: Tables, picture: Scalar, rows: Scalar
    ) -> None:
        """Write the rows of the tables, for some panels."""
        f, p, loops, taps = self.f, self.problem, self.loops, tables.phase.taps
        x = self.k.view(0)
        source = loops.picture(x, picture)
        target = loops.picture(self.k.out, picture)
        table, places = loops.scratch(tables.table), loops.scratch(tables.places)
        packed = self.packed[tables]
        if p.is_depthwise:
            call_library(
                f, DEPTHWISE, p.kind, source, self.zero, table, taps, packed, self.written,
                target, places, rows, self.written,
            )  # fmt: skip
            return
        with f.loop(*panels) as panel:
            group, first, columns = self._panel(panel)
            weights = f.address(packed, panel * (taps * self.inner * self.nr), p.kind)
            here = f.address(source, group * self.inner, p.kind)
            there = f.address(target, group * self.columns + first, p.kind)
            call_library(
                f, TILES, p.kind, here, self.zero, table, taps, self.inner, weights, there, places,
                rows, columns,
            )  # fmt: skip

    def _panel(self, panel: Scalar) -> tuple[Scalar, Scalar, Scalar]:
        """Return a panel's group, its first channel in it, and how many it has."""
        group = panel.op("sdiv", self.plan.panels) if self.problem.groups > 1 else self.f.number(0)
        first = (panel - group * self.plan.panels) * self.nr
        return group, first, (first * -1 + self.columns).minimum(self.nr)

    def _pack(self, tables: Tables, panels: tuple[Scalar, Scalar]) -> None:
        """Write the weights of a phase, panel by panel, tap by tap: a row of channels each.

        A row is as long as whole vectors of the panel's channels; what is missing is 0.
        """
        f, p = self.f, self.problem
        w = self.k.view(1)
        weights = f.address(self.k.pointer(w.root), w.offset, p.kind)
        packed = self.packed[tables]
        taps = tables.phase.kernel_taps(p.geometry.kernel)
        if p.is_depthwise:
            number = Numbers(f, taps)
            with f.loop(0, len(taps)) as m, f.loop(0, self.written) as channel:
                value = f.load(weights, channel * p.taps + number(m), p.kind)
                f.store(value, packed, m * self.written + channel)
            return
        lanes = vector_bytes() // SIZE[p.kind]
        number = Numbers(f, taps)
        # Of a row of the weight, which is one output's; and of an input within it.
        outputs = p.outputs // p.groups
        row, column = (p.inputs // p.groups) * p.taps, p.taps
        across, along = (column, row) if self.is_backward else (row, column)
        with f.loop(*panels) as panel:
            group, first, columns = self._panel(panel)
            width = (columns + (lanes - 1)).op("sdiv", lanes) * lanes
            start = f.address(packed, panel * (len(taps) * self.inner * self.nr), p.kind)
            origin = f.address(weights, group * (outputs * row) + first * across, p.kind)
            if self.plan.lines is not None:
                lines = self.loops.scratch(self.plan.lines)
                call_library(f, PACK, p.kind, origin, row, columns, row, lines, start, width)
                return
            with f.loop(0, self.inner) as i, f.loop(0, len(taps)) as m:
                line = f.address(start, (m * self.inner + i) * width, p.kind)
                source = f.address(origin, i * along + number(m), p.kind)
                with f.loop(0, columns) as j:
                    f.store(f.load(source, j * across, p.kind), line, j)
                with f.loop(columns, width) as j:
                    f.store(f.number(0, p.kind), line, j)


class Numbers:
    """The numbers of taps by their place, in a table on the stack."""

    def __init__(self, f: Function, taps: Sequence[int]) -> None:
        self._f = f
        self.place = f.reserve(I32, max(len(taps), 1))
        for m, tap in enumerate(taps):
            f.store(f.number(tap, I32), self.place, m)

    def __call__(self, m: Scalar) -> Scalar:
        """Return the number of a tap."""
        return self._f.load(self.place, m, I32).to("i64")
