"""Products by matrices in panels, which packed GEMM takes as they lie."""

from __future__ import annotations

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import private_values
from schuss.compiler.graph.views import Layouts, Strided
from schuss.compiler.kernels.emitter import KernelEmitter, place_of
from schuss.compiler.kernels.gemm_library import function_name
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.compiler.kernels.micro_kernel import MC, tile_shape
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import I64, kind_of

__all__ = ["PanelProduct"]


class PanelProduct(KernelDescriptor):
    """x @ y, of y's panels."""

    def flops(self, node: Node) -> int:
        """Return the multiplications and additions."""
        return 2 * node.size * node.inputs[0].shape[1]

    def accepts_input(self, node: Node, place: int, view: Strided) -> bool:
        """Whether x's rows, or its columns, lie without gaps, and all of the panels."""
        return view.strides_fit() if place else view.matrix_layout is not None

    def extent(self, node: Node) -> int:
        """Return the number of rows."""
        return node.shape[0]

    def private(self, node: Node, layouts: Layouts) -> frozenset[Node]:
        """Return the result, and x where it has a row for each of its rows."""
        x, panels = map(layouts.of, node.inputs)
        return private_values([(x, 0), (panels, None)]) | {node}

    def scratch_bytes(self, node: Node) -> int:
        """Return what the library needs for one panel."""
        shape = tile_shape(kind_of(node.dtype))
        return shape.scratch_bytes(node.inputs[0].shape[1], shape.nr)

    def write(self, k: KernelEmitter) -> None:
        """Call the library for one panel after the other."""
        width, columns = k.node.inputs[1].shape[2], k.node.shape[1]
        whole, rest = divmod(columns, width)
        with k.f.loop(0, whole) as panel:
            self._call(k, panel, width)
        if rest:
            self._call(k, k.f.number(whole), rest)

    def _call(self, k: KernelEmitter, panel: Scalar, columns: int) -> None:
        f, kind = k.f, kind_of(k.node.dtype)
        zero = f.number(0)
        x, panels = k.view(0), k.view(1)
        _, inner, width = panels.shape
        assert x.matrix_layout is not None  # legalization made sure
        x_transposed, x_step = x.matrix_layout
        a, b, c = (
            f.address(k.pointer(view.root), place_of(view, at), kind)
            for view, at in ((x, [zero, zero]), (panels, [panel, zero, zero]), (k.out, [zero] * 2))
        )
        c = f.address(c, panel * width, kind)
        steps = (1, x_step) if x_transposed else (x_step, 1)
        values: list[str | int | Scalar] = [
            a, *steps, b, width, 0, c, k.node.shape[1], inner, width, "%scratch",
            k.low, k.high, 0, columns, MC, "null", "null",
        ]  # fmt: skip
        kinds = ["ptr" if isinstance(v, str) else I64 for v in values]
        name = f"@{function_name(tile_shape(kind).name, transposed=False)}"
        f.declare(name, "void", kinds)
        given = [v.name if isinstance(v, Scalar) else v for v in values]
        arguments = ", ".join(f"{t} {v}" for t, v in zip(kinds, given, strict=True))
        f.emit(f"call void {name}({arguments})")
