"""The gradient of a convolution's weights: sums over all positions of all pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import Partitioning
from schuss.compiler.graph.views import Layouts, Strided
from schuss.compiler.kernels.convolution import Problem
from schuss.compiler.kernels.convolution_geometry import Phase, forward_phase
from schuss.compiler.kernels.convolution_tiles import WEIGHT_TILES
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.compiler.kernels.micro_kernel import tile_shape
from schuss.compiler.kernels.picture_loops import Scratch, call_library, write_zeros
from schuss.compiler.kernels.plan import KernelPlan
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.vectors import SIZE

__all__ = ["ConvolutionWeight"]

# Positions that are gone through before the next rows; entries of the table, at most.
_POSITIONS, _TABLE = 256, 65_536
# Rows of a part of the work, at most, and into how many parts a panel is cut at least; and rows
# whose sums are kept at once.
_PART, _LEAST_PARTS, _AT_ONCE = 48, 4, 768


@dataclass(frozen=True, kw_only=True)
class _Plan(KernelPlan):
    """How it is computed.

    Args:
        problem: what is computed.
        phase: what the output reads.
        chunk: rows along the first axis that are gone through at once.
        together: pictures, instead, where these are small.
        part: rows of a part.
        parts: of a panel.
        panels: of a group's outputs.
        table: where it is in working memory.
        places: where the unused places of the output's rows are.
        zero: where a zero is.
        sums: where the sums are.
    """

    problem: Problem
    phase: Phase
    chunk: int
    together: int
    part: int
    parts: int
    panels: int
    table: int
    places: int
    zero: int
    sums: int

    @property
    def is_whole(self) -> bool:
        """Whether one table serves all of a picture."""
        return self.phase.rows * self.phase.taps * self.together <= _TABLE


class ConvolutionWeight(KernelDescriptor):
    """Rows, which are pairs of an input and a tap, by panels of outputs; threads share parts."""

    def flops(self, node: Node) -> int:
        """Return the multiplications and additions."""
        return Problem.of(node).flops

    def accepts(self, view: Strided) -> bool:
        """Whether elements follow each other."""
        return view.strides_fit()

    def plan(self, node: Node, layouts: Layouts) -> KernelPlan:
        """Decide how rows and positions are cut."""
        problem = Problem.of(node)
        if problem.is_empty:
            return KernelPlan((Partitioning(1),))
        phase = forward_phase(problem.geometry, problem.inputs, problem.outputs)
        shape = tile_shape(problem.kind)
        rows = problem.inputs // problem.groups * problem.taps
        part = min(_PART, max(-(-rows // _LEAST_PARTS), 1))
        parts = -(-rows // part)
        panels = -(-(problem.outputs // problem.groups) // shape.nr)
        first = phase.axes[0].rows
        inner = phase.rows // first
        together = max(min(_POSITIONS // phase.rows, problem.pictures), 1)
        chunk = first if together > 1 else max(min(_POSITIONS // inner, first), 1)
        scratch = Scratch()
        whole = together * phase.rows
        entries = whole if whole * phase.taps <= _TABLE else chunk * inner
        extent = problem.groups * panels * parts
        # A transposition reads whole squares of rows.
        kept = min(rows, _AT_ONCE) + shape.lanes
        ways = (Partitioning(extent, count=extent, kind="parts"),) if extent > 1 else ()
        return _Plan(
            partitionings=(*ways, Partitioning(1)),
            problem=problem,
            phase=phase,
            chunk=chunk,
            together=together,
            part=part,
            parts=parts,
            panels=panels,
            table=scratch.take(4 * entries * phase.taps),
            places=scratch.take(4 * entries),
            zero=scratch.take(SIZE[problem.kind]),
            sums=scratch.take(kept * shape.nr * SIZE[problem.kind]),
            scratch_bytes=scratch.nbytes,
        )

    def write(self, k: KernelEmitter) -> None:
        """Write the loops over panels, rows and positions."""
        if isinstance(k.plan, _Plan):
            _WeightWriter(k, k.plan).write()
        else:
            write_zeros(k)


class _WeightWriter:
    def __init__(self, k: KernelEmitter, plan: _Plan) -> None:
        self.k = k
        self.f = k.f
        self.plan = plan
        p = self.problem = plan.problem
        self.nr = tile_shape(p.kind).nr
        self.rows = p.inputs // p.groups * p.taps
        self.outputs = p.outputs // p.groups

    def _scratch(self, place: int) -> str:
        return self.f.address("%scratch", place // 4, "float")

    def _write_table(self, bounds: tuple[Scalar, Scalar]) -> None:
        sizes = [math.prod(x.shape[1:]) for x in self.k.node.inputs]
        places = self._scratch(self.plan.table), self._scratch(self.plan.places)
        pictures = self.plan.together, sizes[0], sizes[1]
        self.plan.phase.write_table(self.f, *places, pictures, bounds)

    def write(self) -> None:
        """Write the parts of a thread, those of one panel at a time."""
        f, plan, p = self.f, self.plan, self.problem
        f.store(f.number(0, p.kind), self._scratch(plan.zero), 0)
        if plan.is_whole:
            self._write_table((f.number(0), f.number(plan.phase.axes[0].rows)))
        low, high = self.k.low, self.k.high
        panels = p.groups * plan.panels
        if not self.k.partitioning.kind:
            low, high = f.number(0), f.number(panels * plan.parts)
        with f.loop(0, panels) as panel:
            begin = low.maximum(panel * plan.parts) - panel * plan.parts
            end = high.minimum(panel * plan.parts + plan.parts) - panel * plan.parts
            rows = begin * plan.part, (end * plan.part).minimum(self.rows)
            with f.loop(*rows, _AT_ONCE) as first:
                self._some_rows(panel, first, (rows[1] - first).minimum(_AT_ONCE))

    def _some_rows(self, panel: Scalar, first: Scalar, count: Scalar) -> None:
        """Sum some rows of a panel over all positions, and write them."""
        f, plan, p = self.f, self.plan, self.problem
        group = panel.op("sdiv", plan.panels) if p.groups > 1 else f.number(0)
        column = (panel - group * plan.panels) * self.nr
        columns = (column * -1 + self.outputs).minimum(self.nr)
        with f.loop(0, p.pictures, plan.together) as picture:
            taken = (picture * -1 + p.pictures).minimum(plan.together)
            axis, inner = plan.phase.axes[0].rows, plan.phase.rows // plan.phase.axes[0].rows
            with f.loop(0, axis, plan.chunk) as start:
                end = (start + plan.chunk).minimum(axis)
                if not plan.is_whole:
                    self._write_table((start, end))
                positions = (end - start) * inner * taken
                at = start * inner
                is_more = (picture + start).ne(0).where(f.number(1), 0)
                self._tiles(
                    (picture, at, positions), group, column, columns, (first, count), is_more
                )
        target = (group * self.outputs + column) * self.rows + first
        out = f.address(self.k.pointer(self.k.node), target, p.kind)
        call_library(
            f, "schuss_convolution_transpose_out", p.kind, self._scratch(plan.sums), out,
            self.rows, count, columns,
        )  # fmt: skip

    def _tiles(
        self, at: tuple[Scalar, Scalar, Scalar], group: Scalar, column: Scalar, columns: Scalar,
        rows: tuple[Scalar, Scalar], is_more: Scalar,
    ) -> None:  # fmt: skip
        f, plan, p = self.f, self.plan, self.problem
        picture, position, positions = at
        x, g = self.k.view(0), self.k.view(1)
        sizes = [math.prod(node.shape[1:]) for node in self.k.node.inputs]
        source = picture * sizes[0] + group * (p.inputs // p.groups) + x.offset
        errors = picture * sizes[1] + position * p.outputs + group * self.outputs + column
        table = self._scratch(plan.table)
        if plan.is_whole:
            table = f.address(table, position * plan.phase.taps, "i32")
        call_library(
            f, WEIGHT_TILES, p.kind, f.address(self.k.pointer(x.root), source, p.kind),
            self._scratch(plan.zero), table, plan.phase.taps,
            f.address(self.k.pointer(g.root), errors + g.offset, p.kind), p.outputs, positions,
            self._scratch(plan.sums), *rows, columns, is_more,
        )  # fmt: skip
