"""What is taken from windows, and put back: largest elements and where they are."""

from __future__ import annotations

from dataclasses import dataclass

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import Partitioning, private_values
from schuss.compiler.graph.views import Layouts, Strided
from schuss.compiler.kernels.convolution import Numbers
from schuss.compiler.kernels.convolution_geometry import backward_phases, forward_phase
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.compiler.kernels.picture_loops import (
    PictureLoops,
    Scratch,
    Tables,
    call_library,
    plan_tables,
    write_zeros,
)
from schuss.compiler.kernels.plan import KernelPlan
from schuss.compiler.kernels.window_tiles import WINDOWS
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import I32, kind_of
from schuss.primitives.windows import window_geometry
from schuss.values.convolution import Geometry

__all__ = ["Windows"]


@dataclass(frozen=True, kw_only=True)
class _Plan(KernelPlan):
    """How one is computed.

    Args:
        geometry: which position each tap reads.
        tables: of each phase.
        together: pictures that are computed together.
        outside: where what is read outside of the picture is in working memory.
        nowhere: where the places there are.
    """

    geometry: Geometry
    tables: tuple[Tables, ...]
    together: int
    outside: int
    nowhere: int


class Windows(KernelDescriptor):
    """One of the primitives of windows; threads share the pictures.

    Args:
        name: of the library's function.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def flops(self, node: Node) -> int:
        """Return an element of the result for each tap."""
        taps = 1
        for k in node.attributes["kernel"]:
            taps *= k
        return taps * max(node.size, node.inputs[0].size) // 2

    def accepts(self, view: Strided) -> bool:
        """Whether elements follow each other."""
        return view.strides_fit()

    def plan(self, node: Node, layouts: Layouts) -> KernelPlan:
        """Decide which tables there are."""
        if not node.size or not node.inputs[0].size:
            return KernelPlan((Partitioning(1),))
        pictures, *_, channels = node.shape
        if self.name == "put":
            geometry = window_geometry(node.shape, node.attributes)
            phases = backward_phases(geometry, channels, channels)
        else:
            geometry = window_geometry(node.inputs[0].shape, node.attributes)
            phases = [forward_phase(geometry, channels, channels)]
        scratch = Scratch()
        tables, together = plan_tables(phases, pictures, scratch)
        mine = private_values([(layouts.of(x), 0) for x in node.inputs]) | {node}
        by_pictures = Partitioning(pictures, mine, pictures, "pictures", allows_epilogue=True)
        itemsize = max(node.dtype.itemsize, node.inputs[0].dtype.itemsize)
        return _Plan(
            partitionings=(*([by_pictures] if pictures > 1 else []), Partitioning(1)),
            geometry=geometry,
            tables=tables,
            together=together,
            outside=scratch.take(channels * itemsize),
            nowhere=scratch.take(channels * 4),
            scratch_bytes=scratch.nbytes,
        )

    def write(self, k: KernelEmitter) -> None:
        """Write the loops over pictures and phases."""
        if not isinstance(k.plan, _Plan):
            write_zeros(k)
            return
        plan, f, channels = k.plan, k.f, k.node.shape[-1]
        kind = kind_of(k.node.inputs[0].dtype)
        loops = PictureLoops(k, plan.tables, plan.together)
        outside, nowhere = loops.scratch(plan.outside), loops.scratch(plan.nowhere)
        with f.loop(0, channels) as c:
            number = float("-inf") if self.name in ("max", "place") else 0
            f.store(f.number(number, kind), outside, c)
            f.store(f.number(-1, I32), nowhere, c)
        numbers = {
            tables: Numbers(f, tables.phase.kernel_taps(plan.geometry.kernel)).place
            for tables in plan.tables
        }

        def rows(tables: Tables, picture: Scalar, count: Scalar) -> None:
            views = [k.view(i) for i in range(len(k.node.inputs))]
            starts = [loops.picture(v, picture) for v in views]
            call_library(
                f, WINDOWS + self.name, kind, starts[0], outside, loops.scratch(tables.table),
                tables.phase.taps, starts[-1], nowhere, numbers[tables],
                loops.picture(k.out, picture), loops.scratch(tables.places), count, channels,
            )  # fmt: skip

        shared = bool(k.partitioning.kind)
        loops.write((k.low, k.high) if shared else (f.number(0), f.number(k.node.shape[0])), rows)
