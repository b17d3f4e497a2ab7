"""Loops: their bodies simplified, without what nobody reads, and in layouts that kernels take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from schuss.compiler.graph.body import HISTORY, LAST, ROWS, Body, Result
from schuss.compiler.graph.graph import (
    Graph,
    Node,
    State,
    again,
    constant,
    literal,
    made,
    ordered,
    result,
)
from schuss.compiler.graph.views import Layouts
from schuss.compiler.kernels.registry import kernel_of
from schuss.compiler.passes.half_storage import store_in_halves
from schuss.compiler.passes.legalize import legalize
from schuss.compiler.passes.panels import packed, use_panels
from schuss.compiler.passes.simplify import simplify
from schuss.core import leaf
from schuss.primitives.loop import loop, loop_result

__all__ = ["prepare_loops"]

_NOTHING = leaf(np.zeros(0, bool))


def prepare_loops(graph: Graph) -> None:
    """Make the bodies of a graph's loops ready to be planned."""
    nodes = graph.nodes()
    used: dict[Node, list[int]] = {}
    for node in nodes:
        if node.primitive is loop_result:
            used.setdefault(node.inputs[0], []).append(node.attributes["index"])
    if not used:
        return
    mapping: dict[Node, Node] = {}
    results: dict[Node, Mapping[int, Node]] = {}
    for node in nodes:
        inputs = tuple(mapping.get(x, x) for x in node.inputs)
        if node.primitive is loop:
            results[node] = _prepared(node, inputs, used[node])
        elif node.primitive is loop_result:
            mapping[node] = results[node.inputs[0]][node.attributes["index"]]
        elif inputs != node.inputs:
            mapping[node] = again(node, inputs)
    graph.replace(mapping)


def _prepared(node: Node, inputs: Sequence[Node], used: Sequence[int]) -> Mapping[int, Node]:
    """Return what takes the place of the used results of a loop."""
    body: Body = node.attributes["body"]
    graph = _copy(body, inputs)
    simplify(graph)
    prepare_loops(graph)
    carried, rows = _needed(graph, body, used)
    params = graph.inputs
    outputs = [graph.outputs[i] for i in carried]
    outputs += [graph.outputs[body.carried + i] for i in rows]
    states = [
        State(_NOTHING, Node("state", (), {}, x.shape, x.dtype, place=i), x)
        for i, x in enumerate(outputs)
    ]
    graph = Graph(states=states)
    panels = use_panels(graph, params[body.carried + body.sliced :])
    store_in_halves(graph)
    legalize(graph)
    _set_apart(graph)
    needed = set(graph.nodes())
    kept = [*carried, *[i for i in range(body.carried, len(params)) if params[i] in needed]]
    graph.inputs = [params[i] for i in kept]
    given = [inputs[i] for i in kept]
    for y, x in panels.items():
        graph.inputs.append(x)
        given.append(packed(inputs[params.index(y)]))
    for x in _in_memory(graph):
        given.append(constant(x.array))  # type: ignore[arg-type]  # constants have one
        graph.inputs.append(x)
        x.op, x.array = "input", None
    for place, x in enumerate(graph.inputs):
        x.place = place
    graph.outputs = [state.updated for state in states if state.updated is not None]
    sliced = sum(body.carried <= i < body.carried + body.sliced for i in kept)
    new = Body(graph, len(carried), sliced, body.length, body.reverse)
    made_again = result(loop, tuple(given), {"body": new})
    made_again.scope = node.scope
    places = {ROWS: rows, LAST: carried, HISTORY: carried}
    wanted = {i: body.results[i] for i in used}
    renamed = {i: Result(r.kind, places[r.kind].index(r.place)) for i, r in wanted.items()}
    return _results(made_again, new, renamed)


def _results(node: Node, body: Body, wanted: Mapping[int, Result]) -> Mapping[int, Node]:
    """Return a loop's results; the last of what it keeps all of is a view of that."""
    kept = {r.place for r in wanted.values() if r.kind == HISTORY}
    for found in wanted.values():
        if not (found.kind == LAST and found.place in kept) and found not in body.results:
            body.results.append(found)
    nodes = {
        found: result(loop_result, (node,), {"body": body, "index": i})
        for i, found in enumerate(body.results)
    }
    for x in nodes.values():
        x.scope = node.scope
    end = 0 if body.reverse else body.length
    return {
        i: nodes[r]
        if r in nodes
        else made("slice", nodes[Result(HISTORY, r.place)], template=(end,))
        for i, r in wanted.items()
    }


def _copy(body: Body, inputs: Sequence[Node]) -> Graph:
    """Return a copy of a body's graph, with numbers for inputs that are known."""
    of: dict[Node, Node] = {}
    first = body.carried + body.sliced
    for place, (x, given) in enumerate(zip(body.graph.inputs, inputs, strict=True)):
        if place >= first and given.array is not None and given.size == 1:
            of[x] = constant(given.array)
        else:
            of[x] = Node("input", (), {}, x.shape, x.dtype, place=place)
    for node in ordered(body.graph.outputs):
        if node.array is not None:
            of[node] = constant(node.array)
        elif node not in of:
            of[node] = again(node, tuple(of[x] for x in node.inputs))
    return Graph(
        inputs=[of[x] for x in body.graph.inputs], outputs=[of[x] for x in body.graph.outputs]
    )


def _needed(graph: Graph, body: Body, used: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return the places of what has to be carried, and of the rows."""
    wanted = [body.results[i] for i in used]
    rows = list(dict.fromkeys(r.place for r in wanted if r.kind == ROWS))
    carried = {r.place for r in wanted if r.kind != ROWS}
    place_of = {x: i for i, x in enumerate(graph.inputs[: body.carried])}
    while True:
        outputs = [graph.outputs[i] for i in carried]
        outputs += [graph.outputs[body.carried + i] for i in rows]
        more = {place_of[x] for x in ordered(outputs) if x in place_of}
        if more <= carried:
            return sorted(carried), rows
        carried |= more


def _set_apart(graph: Graph) -> None:
    """Let no two states become what lies in one buffer."""
    layouts, seen = Layouts(), set[Node]()
    for state in graph.states:
        assert state.updated is not None
        root = layouts.of(state.updated).root
        if root in seen:
            state.updated = made("astype", state.updated, dtype=state.updated.dtype)
        seen.add(layouts.of(state.updated).root)


def _in_memory(graph: Graph) -> list[Node]:
    """Return the constants that have to be in memory: those no literals, or for kernels."""
    layouts, found = Layouts(), dict[Node, None]()
    for node in graph.nodes():
        if node.array is not None and literal(node) is None:
            found[node] = None
        elif node.primitive is not None and kernel_of(node) is not None:
            roots = [layouts.of(x).root for x in node.inputs]
            found |= {x: None for x in roots if x.array is not None}
    return list(found)
