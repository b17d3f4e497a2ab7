"""Simplification: constants folded, equal values computed once, algebra."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from schuss.compiler.graph.graph import (
    Graph,
    Node,
    again,
    constant,
    hand_on_scope,
    made,
    ordered,
    result,
)
from schuss.compiler.passes.index_by_slices import by_slices
from schuss.compiler.passes.join_slices import join_slices
from schuss.compiler.passes.one_hot import compare_classes
from schuss.lowering.kinds import Elementwise
from schuss.primitives.index_template import ROWS_BY_INDEX

__all__ = ["simplify"]

# Larger results of folding would only move work into memory.
_FOLDED = 4096
# A scatter of rows of so many elements, into a table of so many, is not worth a buffer.
_TABLE_ROW, _TABLE = 8, 32_768

_MOVES = {"reshape", "permute_dims", "flip", "slice", "broadcast_to"}


def simplify(graph: Graph) -> None:
    """Rewrite the graph until nothing changes; what nothing needs is left out."""
    _settle(graph)
    if compare_classes(graph):
        _settle(graph)


def _settle(graph: Graph) -> None:
    settled: set[Node] = set()
    for _ in range(4):
        if not _pass(graph, settled):
            return


def _pass(graph: Graph, settled: set[Node]) -> bool:
    """Rewrite every node once; for those in `settled` it is known that no rule applies."""
    mapping: dict[Node, Node] = {}
    seen: dict[Any, Node] = {}
    changed = False
    for node in ordered(graph.roots()):
        inputs = tuple(mapping.get(x, x) for x in node.inputs)
        new = node if inputs == node.inputs else again(node, inputs)
        if new not in settled:
            found = _rewritten(new)
            if found is None:
                settled.add(new)
            else:
                hand_on_scope(found, new.scope)
                new = found
        key = _key(new)
        if key is not None:
            new = seen.setdefault(key, new)
        if new is not node:
            changed = True
        mapping[node] = new
    graph.replace(mapping)
    return changed


def _rewritten(node: Node) -> Node | None:
    """Return what a rule puts in the place of a node, if one does."""
    if node.primitive is None:
        small = _small_constant(node)
        return None if small is node else small
    return _folded(node) or _algebra(node)


def _key(node: Node) -> Any:
    """Return what two nodes of equal value have in common, or None where that is not known."""
    if node.primitive is not None:
        attributes = repr(node.attributes) if node.attributes else ""
        return node.op, node.inputs, attributes, node.dtype
    if node.array is not None and node.size <= 64:
        return "constant", node.shape, node.dtype.str, node.array.tobytes()
    return None


def _spread(node: Node, shape: tuple[int, ...]) -> Node:
    if node.shape == shape:
        return node
    return made("broadcast_to", node, shape=shape)


def _small_constant(node: Node) -> Node:
    """Return a constant full of one number as that number, broadcast."""
    array = node.array
    if array is None or array.size < 2:
        return node
    first = array[(0,) * array.ndim]
    same = bool((array == first).all()) and (first != 0 or not np.signbit(array).any())
    return _spread(constant(np.asarray(first)), node.shape) if same else node


def uniform(node: Node) -> Any:
    """Return the number that a node is full of, or None."""
    while node.op in _MOVES:
        node = node.inputs[0]
    return node.array.item() if node.array is not None and node.size == 1 else None


def _folded(node: Node) -> Node | None:
    """Return the value of a node whose inputs are all known."""
    assert node.primitive is not None
    if node.size > _FOLDED or node.op == "broadcast_to":
        return None
    for x in node.inputs:
        if x.array is None:
            return _folded_uniform(node)
    values = [x.array for x in node.inputs]
    with np.errstate(all="ignore"):
        out = np.asarray(node.primitive.value(*values, **node.attributes))
    return constant(out.astype(node.dtype, copy=False))


def _folded_uniform(node: Node) -> Node | None:
    """Return an elementwise result of numbers, broadcast, as one number, broadcast."""
    assert node.primitive is not None
    if not isinstance(node.primitive.lower, Elementwise) or node.shape == ():
        return None
    values = []
    for x in node.inputs:
        values.append(uniform(x))
        if values[-1] is None:
            return None
    arrays = [np.asarray(v, x.dtype) for v, x in zip(values, node.inputs, strict=True)]
    with np.errstate(all="ignore"):
        out = np.asarray(node.primitive.value(*arrays, **node.attributes)).astype(node.dtype)
    return _spread(constant(out), node.shape)


def _algebra(node: Node) -> Node | None:
    rule = _RULES.get(node.op)
    return rule(node) if rule is not None else None


def _same_as(x: Node, node: Node) -> Node | None:
    """Return `x` in the place of `node`, if it has its dtype."""
    return _spread(x, node.shape) if x.dtype == node.dtype else None


def _multiply(node: Node) -> Node | None:
    x, y = node.inputs
    if uniform(y) == 1:
        return _same_as(x, node)
    return _same_as(y, node) if uniform(x) == 1 else None


def _add(node: Node) -> Node | None:
    # 0 + -0 is 0 and not -0: the only difference, which nothing but 1/x can see.
    x, y = node.inputs
    if uniform(y) == 0 and type(uniform(y)) is not bool:
        return _same_as(x, node)
    if uniform(x) == 0 and type(uniform(x)) is not bool:
        return _same_as(y, node)
    return join_slices(node)


def _subtract(node: Node) -> Node | None:
    x, y = node.inputs
    return _same_as(x, node) if uniform(y) == 0 and type(uniform(y)) is not bool else None


def _divide(node: Node) -> Node | None:
    x, y = node.inputs
    by = uniform(y)
    if by == 1:
        return _same_as(x, node)
    if by and np.frexp(by)[0] in (0.5, -0.5) and x.dtype.kind == "f":
        # The reciprocal of a power of two is exact.
        return made("multiply", x, constant(np.asarray(1 / by, y.dtype)))
    return None


def _pow(node: Node) -> Node | None:
    x, y = node.inputs
    by = uniform(y)
    if by is None or x.dtype != node.dtype:
        return None
    if by == 1:
        return _same_as(x, node)
    if by == 2:
        return _same_as(made("multiply", x, x), node)
    if x.dtype.kind != "f":
        return None
    if by == 0.5:
        return _same_as(made("sqrt", x), node)
    if by == -0.5:
        one = constant(np.asarray(1, x.dtype))
        return _same_as(made("divide", one, made("sqrt", x)), node)
    if by == -1:
        one = constant(np.asarray(1, x.dtype))
        return _same_as(made("divide", one, x), node)
    if by == 3:
        square = made("multiply", x, x)
        return _same_as(made("multiply", square, x), node)
    return None


def _negative(node: Node) -> Node | None:
    (x,) = node.inputs
    return x.inputs[0] if x.op == "negative" else None


def _astype(node: Node) -> Node | None:
    (x,) = node.inputs
    return x if x.dtype == node.dtype else None


def _to_shape(node: Node) -> Node | None:
    """Return what the last of several changes of shape, by the same operation, makes."""
    (x,) = node.inputs
    if x.shape == node.shape:
        return x
    if x.op == node.op:
        return result(node.primitive, x.inputs, node.attributes)  # type: ignore[arg-type]  # computed
    return None


def _permute(node: Node) -> Node | None:
    (x,) = node.inputs
    axes = node.attributes["axes"]
    if axes == tuple(range(len(axes))):
        return x
    if x.op == "matmul" and axes == (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2):
        # (a b)^T = b^T a^T: the products take their factors either way round.
        a, b = x.inputs
        return made("matmul", _turned(b), _turned(a))
    if x.op == "permute_dims":
        inner = x.attributes["axes"]
        both = {"axes": tuple(inner[a] for a in axes)}
        return result(node.primitive, x.inputs, both)  # type: ignore[arg-type]  # computed
    return None


def _turned(x: Node) -> Node:
    n = len(x.shape)
    axes = (*range(n - 2), n - 1, n - 2)
    return made("permute_dims", x, axes=axes)


def _where(node: Node) -> Node | None:
    condition, x, y = node.inputs
    known = uniform(condition)
    if known is None:
        return None
    return _same_as(x if known else y, node)


def _sum(node: Node) -> Node | None:
    (x,) = node.inputs
    lengths = [x.shape[a] for a in node.attributes["axes"]]
    if all(n == 1 for n in lengths):
        if x.shape == node.shape:
            return x
        return made("reshape", x, shape=node.shape)
    return None


def _slice(node: Node) -> Node | None:
    """Return what a slice that leaves nothing out, or its gradient, is made of."""
    (x,) = node.inputs
    slices = [i for i in node.attributes["template"] if i is not Ellipsis]
    is_whole = x.shape == node.shape and all(
        isinstance(i, slice) and i.step in (None, 1) for i in slices
    )
    return x if is_whole else None


def _scatter_add(node: Node) -> Node | None:
    """Return the sums of rows, to be taken where they are needed, for a scatter into a table."""
    g, *indices = node.inputs
    is_table = (
        node.attributes["template"] == ROWS_BY_INDEX
        and node.size >= _TABLE
        and _TABLE_ROW <= node.size // node.shape[0] < _TABLE
        and g.size > 0
    )
    if not is_table:
        return None
    lists = made("segment_lists", *indices, rows=node.shape[0])
    return made("segment_sum", g, lists, shape=node.shape)


_RULES: dict[str, Callable[[Node], Node | None]] = {
    "add": _add,
    "astype": _astype,
    "broadcast_to": _to_shape,
    "divide": _divide,
    "max": _sum,
    "min": _sum,
    "multiply": _multiply,
    "negative": _negative,
    "permute_dims": _permute,
    "pow": _pow,
    "reshape": _to_shape,
    "gather": by_slices,
    "scatter_add": lambda node: by_slices(node) or _scatter_add(node),
    "slice": _slice,
    "subtract": _subtract,
    "sum": _sum,
    "unslice": _slice,
    "where": _where,
}
