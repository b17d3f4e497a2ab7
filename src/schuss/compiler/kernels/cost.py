"""Cost model: about how many floating-point operations a node takes."""

from __future__ import annotations

from schuss.compiler.graph.graph import Node
from schuss.compiler.kernels.registry import kernel_of
from schuss.lowering.kinds import Elementwise, Reduction, SegmentSum

__all__ = ["cost_of"]


def cost_of(node: Node) -> int:
    """Return about how many floating-point operations a node takes."""
    kernel = kernel_of(node)
    if kernel is not None:
        return kernel.flops(node)
    match node.primitive and node.primitive.lower:
        case Elementwise(cost=cost):
            return cost * node.size
        case Reduction():
            return node.inputs[0].size
        case SegmentSum():
            # Marks, which say where something is, are of the lists alone.
            *summed, _ = node.inputs
            return node.size + sum(x.size for x in summed)
    return 0
