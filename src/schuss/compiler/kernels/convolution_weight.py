"""The gradient of a convolution's weights: sums over all positions of all pictures."""

from __future__ import annotations

from dataclasses import dataclass

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import Partitioning
from schuss.compiler.graph.views import Layouts, Strided
from schuss.compiler.kernels.convolution import Problem
from schuss.compiler.kernels.convolution_tiles import TRANSPOSE, WEIGHT_CHANNELS, WEIGHT_TILES
from schuss.compiler.kernels.depthwise_tiles import DEPTHWISE_WEIGHT
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.compiler.kernels.micro_kernel import tile_shape
from schuss.compiler.kernels.picture_loops import Scratch, call_library, write_zeros
from schuss.compiler.kernels.plan import KernelPlan
from schuss.compiler.kernels.position_loops import Positions, position_loops, prepare_positions
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import F32, kind_of
from schuss.lowering.vectors import SIZE

__all__ = ["ConvolutionWeight"]

# Rows of a part of the work, at most, and into how many parts a panel is cut at least; rows whose
# sums are kept at once; and channels from which on tiles are made of those of one tap.
_PART, _LEAST_PARTS, _AT_ONCE, _CHANNELS = 48, 4, 768, 6


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
        return (_by_channels if problem.is_depthwise else _by_panels)(problem)

    def write(self, k: KernelEmitter) -> None:
        """Write the loops over panels, rows and positions."""
        if isinstance(k.plan, _Dense):
            _write_dense(k, k.plan)
        elif isinstance(k.plan, _Depthwise):
            _write_depthwise(k, k.plan)
        else:
            write_zeros(k)


def _ways(extent: int) -> tuple[Partitioning, ...]:
    parts = (Partitioning(extent, count=extent, kind="parts"),) if extent > 1 else ()
    return (*parts, Partitioning(1))


def _scratch(k: KernelEmitter, place: int) -> str:
    return k.f.address("%scratch", place // 4, F32)


@dataclass(frozen=True, kw_only=True)
class _Dense(KernelPlan):
    """How the gradient of a weight is computed whose outputs see several inputs.

    Args:
        problem: what is computed.
        positions: how these are cut.
        unit: rows that stay together, those of a channel where tiles are made by channels.
        part: units of a part.
        parts: of a panel.
        panels: of a group's outputs.
        sums: where they are in working memory.
    """

    problem: Problem
    positions: Positions
    unit: int
    part: int
    parts: int
    panels: int
    sums: int

    @property
    def units(self) -> int:
        """Units of a group."""
        return self.problem.inputs // self.problem.groups * self.problem.taps // self.unit

    @property
    def at_once(self) -> int:
        """Units whose sums are kept at once."""
        return max(_AT_ONCE // self.unit, 1)


def _by_panels(problem: Problem) -> _Dense:
    shape = tile_shape(problem.kind)
    channels = problem.inputs // problem.groups
    unit = problem.taps if channels >= _CHANNELS else 1
    units = channels * problem.taps // unit
    most = max(_PART // unit, _CHANNELS if unit > 1 else 1)
    part = min(most, max(-(-units // _LEAST_PARTS), 1))
    parts = -(-units // part)
    panels = -(-(problem.outputs // problem.groups) // shape.nr)
    scratch = Scratch()
    positions = Positions.of(problem, channels, scratch)
    # A transposition reads whole squares of rows.
    kept = min(units, max(_AT_ONCE // unit, 1)) * unit + shape.lanes
    sums = scratch.take(kept * shape.nr * SIZE[problem.kind])
    return _Dense(
        partitionings=_ways(problem.groups * panels * parts),
        scratch_bytes=scratch.nbytes,
        problem=problem,
        positions=positions,
        unit=unit,
        part=part,
        parts=parts,
        panels=panels,
        sums=sums,
    )


def _write_dense(k: KernelEmitter, plan: _Dense) -> None:
    """Write the parts of a thread, those of one panel at a time."""
    f, each = k.f, plan.parts
    prepare_positions(k, plan.positions)
    panels = plan.problem.groups * plan.panels
    low, high = (k.low, k.high) if k.partitioning.kind else (f.number(0), f.number(panels * each))
    with f.loop(0, panels) as panel:
        begin = low.maximum(panel * each) - panel * each
        end = high.minimum(panel * each + each) - panel * each
        first, last = begin * plan.part, (end * plan.part).minimum(plan.units)
        with f.loop(first, last, plan.at_once) as unit:
            _write_units(k, plan, panel, unit, (last - unit).minimum(plan.at_once))


def _write_units(
    k: KernelEmitter, plan: _Dense, panel: Scalar, unit: Scalar, count: Scalar
) -> None:
    """Sum so many units of a panel over all positions, and write them."""
    f, p = k.f, plan.problem
    inputs, outputs = p.inputs // p.groups, p.outputs // p.groups
    nr = tile_shape(p.kind).nr
    group = panel.op("sdiv", plan.panels) if p.groups > 1 else f.number(0)
    column = (panel - group * plan.panels) * nr
    columns = (column * -1 + outputs).minimum(nr)
    sums = _scratch(k, plan.sums)
    name = WEIGHT_TILES if plan.unit == 1 else WEIGHT_CHANNELS
    with position_loops(k, plan.positions) as spot:
        source = f.address(spot.source, group * inputs, p.kind)
        errors = f.address(spot.errors, group * outputs + column, p.kind)
        call_library(
            f, name, p.kind, source, spot.zero, spot.table, p.taps, errors, p.outputs, spot.count,
            sums, unit, count, columns, spot.is_more,
        )  # fmt: skip
    target = (group * outputs + column) * (inputs * p.taps) + unit * plan.unit
    out = f.address(k.pointer(k.node), target, p.kind)
    call_library(f, TRANSPOSE, p.kind, sums, out, inputs * p.taps, count * plan.unit, columns)


@dataclass(frozen=True, kw_only=True)
class _Depthwise(KernelPlan):
    """How the gradient of a weight is computed that has a kernel for every channel.

    Args:
        problem: what is computed.
        positions: how these are cut.
        part: channels of a part.
        sums: where they are in working memory: a row of channels for each tap.
    """

    problem: Problem
    positions: Positions
    part: int
    sums: int


def _by_channels(problem: Problem) -> _Depthwise:
    part, channels = tile_shape(problem.kind).lanes, problem.outputs
    scratch = Scratch()
    positions = Positions.of(problem, channels, scratch)
    sums = scratch.take(problem.taps * channels * SIZE[problem.kind])
    return _Depthwise(
        partitionings=_ways(-(-channels // part)),
        scratch_bytes=scratch.nbytes,
        problem=problem,
        positions=positions,
        part=part,
        sums=sums,
    )


def _write_depthwise(k: KernelEmitter, plan: _Depthwise) -> None:
    """Write the channels of a thread."""
    f, p = k.f, plan.problem
    kind, total, sums = kind_of(k.node.dtype), p.outputs, _scratch(k, plan.sums)
    prepare_positions(k, plan.positions)
    first, last = f.number(0), f.number(total)
    if k.partitioning.kind:
        first, last = k.low * plan.part, (k.high * plan.part).minimum(total)
    with position_loops(k, plan.positions) as spot:
        source, errors = (f.address(x, first, kind) for x in (spot.source, spot.errors))
        call_library(
            f, DEPTHWISE_WEIGHT, kind, source, spot.zero, spot.table, p.taps, errors, total,
            spot.count, sums, total, 0, last - first, spot.is_more,
        )  # fmt: skip
    with f.loop(first, last) as channel, f.loop(0, p.taps) as tap:
        value = f.load(sums, tap * total + (channel - first), kind)
        f.store(value, k.pointer(k.node), channel * p.taps + tap)
