"""Rules: what becomes of axes that vary in each primitive, and what must be masked for it.

A rule is given a node of a call's graph, and the same node of the graph at capacity. It says how
the elements of the first lie among those of the second, which are the same numbers as long as those
of the inputs are. What would see beyond a call's own length (a sum, an index) needs a mask.
"""

from __future__ import annotations

from schuss.compiler.padding.axes import Axes, Differs, aligned
from schuss.compiler.padding.case import Case, Rule
from schuss.compiler.padding.index_rules import INDEXING
from schuss.compiler.padding.kernel_rules import KERNELS
from schuss.compiler.padding.movement_rules import MOVEMENTS
from schuss.lowering.kinds import Elementwise, Reduction

__all__ = ["axes_of"]

# Primitives that look at places.
_KEEP_PLACES = frozenset({"gather", "reshape", "scatter_add"})
_RULES: dict[str, Rule] = {**INDEXING, **KERNELS, **MOVEMENTS}


def axes_of(case: Case) -> Axes:
    """Return the axes of what a primitive computes; the case takes down what it needs.

    Raises:
        Differs: where that is not known to be the same at both lengths.
    """
    node, larger = case.node, case.larger
    if node.primitive is None or node.dtype != larger.dtype:
        raise Differs
    lowering = node.primitive.lower
    if node.op not in _KEEP_PLACES:
        case.axes = [case.without_places(i) for i in range(len(case.axes))]
    if isinstance(lowering, Elementwise):
        found = _elementwise(case)
    elif isinstance(lowering, Reduction):
        found = _reduction(case, lowering)
    elif node.op in _RULES:
        found = _RULES[node.op](case)
    else:
        raise Differs
    case.lengths.check(found, node.shape, larger.shape)
    return found


def _elementwise(case: Case) -> Axes:
    case.require_equal()
    operands = [case.operand(i) for i in range(len(case.axes))]
    return aligned(operands, case.node.shape, case.larger.shape)


def _reduction(case: Case, lowering: Reduction) -> Axes:
    case.require_equal()
    gone, keepdims = case.node.attributes["axes"], case.node.attributes["keepdims"]
    case.mask(0, gone, lowering.start(case.node.inputs[0].dtype))
    if keepdims:
        return tuple(None if a in gone else x for a, x in enumerate(case.axes[0]))
    return tuple(x for a, x in enumerate(case.axes[0]) if a not in gone)
