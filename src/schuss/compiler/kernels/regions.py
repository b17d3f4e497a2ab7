"""Regions: results put together from copies of inputs, as concat, pad and index gradients."""

from __future__ import annotations

import operator

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import private_values
from schuss.compiler.graph.views import Layouts, Strided, contiguous, region
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.lowering.kinds import Regions
from schuss.lowering.llvm_types import kind_of

__all__ = ["CopyRegions"]


class CopyRegions(KernelDescriptor):
    """Each input in its region of the result, and a number everywhere else."""

    def extent(self, node: Node) -> int:
        """Return the rows of the result, where those of every input go to the same rows."""
        if not node.size or not node.shape:
            return 1
        rows, step = node.shape[0], contiguous(node.shape)[0]
        by_rows = all(
            target.shape[:1] == (rows,) and target.strides[0] == step and target.offset < step
            for target in _targets(node).values()
        )
        return rows if by_rows else 1

    def private(self, node: Node, layouts: Layouts) -> frozenset[Node]:
        """Return the result, and inputs with a row for each of its rows."""
        if self.extent(node) == 1:
            return frozenset()
        targets = _targets(node).items()
        views = [layouts.of(node.inputs[i]).broadcast(target.shape) for i, target in targets]
        return private_values([(view, 0) for view in views]) | {node}

    def write(self, k: KernelEmitter) -> None:
        """Fill the result, then copy one input after the other; of each a thread's rows."""
        lowering = k.node.primitive and k.node.primitive.lower
        assert isinstance(lowering, Regions)
        rows = self.extent(k.node)
        fill = lowering.fill(**k.node.attributes)
        if fill is not None:
            value = k.f.number(fill, kind_of(k.node.dtype))
            each = k.node.size // rows
            with k.f.loop(k.low * each, k.high * each) as i:
                k.f.store(value, k.pointer(k.node), i)
        for number, target in _targets(k.node).items():
            source = k.view(number).broadcast(target.shape)
            with k.loops(target.shape, shared=rows > 1) as place:
                k.store(k.load(source, place), target, place)


def _targets(node: Node) -> dict[int, Strided]:
    """Return the region of the result that each input is copied to, but for those of nothing."""
    lowering = node.primitive and node.primitive.lower
    assert isinstance(lowering, Regions)
    out = Strided(node, 0, node.shape, contiguous(node.shape))
    found: dict[int, Strided] = {}
    parts = lowering.parts([x.shape for x in node.inputs], **node.attributes)
    for i, (x, part) in enumerate(zip(node.inputs, parts, strict=True)):
        if x.size:
            target = region(node, out, operator.itemgetter(part))
            assert target is not None  # a basic index is always a view
            found[i] = target
    return found
