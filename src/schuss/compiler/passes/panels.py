"""Panels: matrices that are factors at every step of a loop are packed once, before it.

Packed GEMM packs its second factor at each call, which takes a quarter of the time of a product
with few rows. As what is packed is made of other operations here, there is nothing to run but them.
"""

from __future__ import annotations

from collections.abc import Collection

from schuss.compiler.graph.graph import Graph, Node, again, made, result
from schuss.compiler.kernels.micro_kernel import is_supported, tile_shape
from schuss.lowering.llvm_types import kind_of
from schuss.primitives.panels import panel_product

__all__ = ["packed", "use_panels"]

# Smaller products are made of tiles that read their factors as they lie.
_LEAST_FLOPS = 400_000


def use_panels(graph: Graph, fixed: Collection[Node]) -> dict[Node, Node]:
    """Let products of a step take panels of a factor that is the same for all steps.

    Args:
        graph: of the step.
        fixed: the inputs that are the same.

    Returns:
        For each such factor, the new input that takes its panels.
    """
    panels: dict[Node, Node] = {}
    mapping: dict[Node, Node] = {}
    for node in graph.nodes():
        inputs = tuple(mapping.get(x, x) for x in node.inputs)
        if node.op == "matmul" and inputs[1] in fixed and _is_large(node):
            x, y = inputs
            if y not in panels:
                panels[y] = Node("input", (), {}, _shape(y), y.dtype)
            mapping[node] = result(panel_product, (x, panels[y]), {"columns": y.shape[1]})
            mapping[node].scope = node.scope
        elif inputs != node.inputs:
            mapping[node] = again(node, inputs)
    graph.replace(mapping)
    return panels


def _is_large(node: Node) -> bool:
    x, y = node.inputs
    if len(x.shape) != 2 or len(y.shape) != 2 or not x.dtype == y.dtype == node.dtype:
        return False
    kind, inner = kind_of(node.dtype), y.shape[0]
    is_large = 2 * node.size * inner > _LEAST_FLOPS
    return is_large and is_supported(kind, inner) and 2 * y.shape[1] >= tile_shape(kind).nr


def _shape(y: Node) -> tuple[int, int, int]:
    width = tile_shape(kind_of(y.dtype)).nr
    return -(-y.shape[1] // width), y.shape[0], width


def packed(y: Node) -> Node:
    """Return the panels of a matrix."""
    count, inner, width = _shape(y)
    missing = count * width - y.shape[1]
    if missing:
        y = made("pad", y, widths=((0, 0), (0, missing)), value=0)
    y = made("reshape", y, shape=(inner, count, width))
    return made("permute_dims", y, axes=(1, 0, 2))
