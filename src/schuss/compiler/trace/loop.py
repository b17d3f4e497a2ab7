"""Loops: the step of a scan traced once, and cut into what is done before, within and after it.

What does not depend on what is carried is computed for all steps at once before the loop, where it
has products: that is one large product then. Likewise what nothing that is carried needs, after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from schuss.compiler.graph.body import HISTORY, LAST, ROWS, Body, Result
from schuss.compiler.graph.graph import Graph, Node, again, constant, made, result
from schuss.core import RECORDING, Tensor
from schuss.lowering.kinds import Elementwise, Kernel, Regions
from schuss.lowering.kinds import Result as ResultOf
from schuss.primitives.base import REGISTRY
from schuss.primitives.batching import batch_elementwise
from schuss.primitives.index_template import ARRAY
from schuss.primitives.loop import loop, loop_result

__all__ = ["Loop", "parameter"]

# What a value in a loop depends on: nothing of the steps, so that it is the same for all; what the
# loop that this one goes back through had, or slices, which are known before; what is carried.
FIXED, FORWARD, SLICED, CARRIED = 0, 1, 2, 3
# Values for all steps of more bytes are not computed at once.
_MOST_BYTES = 1 << 28
# Sums over steps of values that have more bytes in all are carried.
_MOST_SUMMED = 1 << 24
# Operations of one input that go with sums.
_LINEAR = frozenset(["broadcast_to", "negative", "permute_dims", "reshape"])


def parameter(node: Node, shape: tuple[int, ...]) -> Node:
    """Return what stands for a step's part of a value, or for what is carried."""
    return Node("input", (), {}, shape, node.dtype)


def _walk(roots: Sequence[Node], inputs: Callable[[Node], Sequence[Node] | None]) -> list[Node]:
    """Return roots and what they need, inputs first; `inputs` says None for what is known."""
    done: dict[Node, None] = {}
    stack = list(roots)[::-1]
    while stack:
        node = stack[-1]
        below = inputs(node) if node not in done else None
        waiting = [x for x in below or () if x not in done and inputs(x) is not None]
        if waiting:
            stack += waiting[::-1]
            continue
        stack.pop()
        if below is not None:
            done[node] = None
    return list(done)


class Loop:
    """A loop that is being traced.

    Args:
        tracer: that traces it.
        length: how many steps there are.
        reverse: whether the last one comes first.
        carried: for what is carried, what stands for it and what it begins as.
        sliced: for each slice, what stands for it and what it is a slice of.
        forward: the loop that this one goes back through.
    """

    def __init__(
        self,
        tracer: Any,
        length: int,
        *,
        reverse: bool,
        carried: Sequence[tuple[Node, Node]],
        sliced: Sequence[tuple[Node, Node]],
        forward: Loop | None = None,
    ) -> None:
        self.tracer = tracer
        self.length = length
        self.reverse = reverse
        self.forward = forward
        self._carried = {node: place for place, (node, _) in enumerate(carried)}
        self._starts = [start for _, start in carried]
        self._sources = dict(sliced)
        # What is carried after a step, and what each step returns.
        self.after: list[Node] = []
        self._rows: list[Node] = []
        graph = Graph()
        self._body = Body(graph, 0, 0, length, reverse)
        self.node = result(loop, (), {"body": self._body})
        self._results: dict[tuple[str, int], Node] = {}
        self._stacked: dict[Node, Node] = {}
        self._levels: dict[Node, int] = {}
        self._changes = -1

    def close(self, after: Sequence[Node]) -> None:
        """Say what is carried after a step."""
        self.after = list(after)
        self._levels.clear()
        # All that is carried needs, which is computed within the loop.
        self._core = set(_walk(self.after, self._inner_inputs))
        self._build()

    # What depends on what.

    def level(self, node: Node) -> int:
        """Return whether a value is FIXED, FORWARD, SLICED or CARRIED."""
        if self._changes != self.tracer.loops.changes:
            self._levels.clear()
            self._changes = self.tracer.loops.changes
        levels = self._levels
        for x in _walk([node], lambda x: None if x in levels else x.inputs):
            if x in self._carried:
                levels[x] = CARRIED
            elif x in self._sources:
                levels[x] = SLICED
            elif self.forward is not None and self.forward.has(x):
                levels[x] = FORWARD
            else:
                levels[x] = max([levels[y] for y in x.inputs], default=FIXED)
        return levels[node]

    def has(self, node: Node) -> bool:
        """Whether a value stands for what this loop, or one that it goes back through, has."""
        mine = node in self._carried or node in self._sources
        return mine or (self.forward is not None and self.forward.has(node))

    def _inner_inputs(self, node: Node) -> Sequence[Node] | None:
        """Return the inputs of a node that is computed within the loop, None for another one."""
        if self.level(node) == FIXED or node.primitive is None or self._source(node) is not None:
            return None
        return node.inputs

    def _source(self, node: Node) -> Node | None:
        """Return what a value is a slice of, if it is known before the loop."""
        if node in self._sources:
            return self._sources[node]
        if self.level(node) in (FIXED, CARRIED):
            return None
        if self.forward is not None and self._is_kept(node):
            return self.forward.stacked(node)
        if self._needs_rows(node):
            return None
        return self.stacked(node) if self._is_worth_it(node) else None

    def _needs_rows(self, node: Node) -> bool:
        """Whether a value comes of what the steps of this loop itself return."""
        rows = set(self._rows)
        return bool(rows) and any(x in rows for x in _walk([node], lambda x: x.inputs))

    def _is_kept(self, node: Node) -> bool:
        """Whether the loop that this one goes back through has a value anyway."""
        forward = self.forward
        return forward is not None and (forward.has(node) or forward.computes(node))

    def computes(self, node: Node) -> bool:
        """Whether a value is computed within this loop, or in one that it goes back through."""
        is_result = isinstance(node.primitive and node.primitive.lower, ResultOf)
        mine = (node.inputs[0] if is_result else node) in self._core
        return mine or (self.forward is not None and self.forward.computes(node))

    def _is_worth_it(self, node: Node) -> bool:
        """Whether a slice is better computed for all steps at once: with products it is."""

        def inputs(x: Node) -> Sequence[Node] | None:
            known = self.level(x) == FIXED or x.primitive is None or self._is_kept(x)
            return None if known or x in self._stacked else x.inputs

        cone = _walk([node], inputs)
        if not cone:
            return node in self._stacked
        is_large = any(_is_product(x) for x in cone) or any(
            y in self._stacked for x in cone for y in x.inputs
        )
        return is_large and all(map(self._is_batchable, cone))

    def _is_batchable(self, node: Node) -> bool:
        """Whether an operation can be done for all steps at once."""
        primitive = node.primitive
        if primitive is None or node.nbytes * self.length > _MOST_BYTES:
            return False
        template = node.attributes.get("template", ())
        is_indexed = isinstance(primitive.lower, Kernel) and primitive.lower.name != "regions"
        if is_indexed and any(x is not ARRAY for x in template):
            return False
        return primitive.batch is not None or isinstance(primitive.lower, Elementwise)

    # What comes out.

    def last(self, place: int) -> Node:
        """Return what is carried after the last step."""
        return self._result(LAST, place)

    def _history(self, place: int, *, before: bool) -> Node:
        """Return what is carried before, or after, each step."""
        rows = self._result(HISTORY, place)
        first = int(before == self.reverse)
        return made("slice", rows, template=(slice(first, first + self.length),))

    def _result(self, kind: str, place: int) -> Node:
        found = self._results.get((kind, place))
        if found is None:
            index = len(self._body.results)
            self._body.results.append(Result(kind, place))
            self._build()
            attributes = {"body": self._body, "index": index}
            found = self._results[kind, place] = result(loop_result, (self.node,), attributes)
            found.scope = self.tracer.scope
        return found

    def stacked(self, node: Node) -> Node:
        """Return the values of a node at all steps, along a first axis."""
        order = _walk([node], lambda x: None if x in self._stacked else self._outer_inputs(x))
        for x in order:
            self._stacked[x] = self._at_all_steps(x)
        return self._stacked[node]

    def _outer_inputs(self, node: Node) -> Sequence[Node]:
        """Return what is needed at all steps to compute a value at all of them at once."""
        is_known = self.level(node) in (FIXED, FORWARD) or self.has(node)
        if is_known or self._is_within(node):
            return ()
        return [x for x in node.inputs if self.level(x) != FIXED]

    def _is_within(self, node: Node) -> bool:
        """Whether a value has to come out of the loop, where it is computed step by step."""
        is_carried = self.level(node) == CARRIED
        return (is_carried and node in self._core) or not self._is_batchable(node)

    def _at_all_steps(self, node: Node) -> Node:
        if node in self._sources:
            return self._sources[node]
        if node in self._carried:
            return self._history(self._carried[node], before=True)
        if self.level(node) == FIXED:
            return made("broadcast_to", node, shape=(self.length, *node.shape))
        if self.forward is not None and self.level(node) == FORWARD:
            return self.forward.stacked(node)
        if not self._is_within(node):
            return self._batched(node)
        if node in self.after:
            return self._history(self.after.index(node), before=False)
        self._rows.append(node)
        return self._result(ROWS, len(self._rows) - 1)

    def _batched(self, node: Node) -> Node:
        """Apply an operation for all steps at once."""
        primitive, tracer = node.primitive, self.tracer
        assert primitive is not None
        batched = [self.level(x) != FIXED for x in node.inputs]
        parts = [
            tracer.tensor(self._stacked[x] if is_batched else x)
            for x, is_batched in zip(node.inputs, batched, strict=True)
        ]
        rule = primitive.batch or batch_elementwise
        token = RECORDING.set(False)
        try:
            found = rule(primitive, self.length, batched, parts, node.attributes)
        finally:
            RECORDING.reset(token)
        return tracer.read(found)  # type: ignore[no-any-return]  # a node

    def summed(self, node: Node) -> Node:
        """Return the sum of the values of a node over all steps.

        Of products and sums that is one product, or sum, of what all steps have.
        """
        inputs, op = node.inputs, node.op
        if self.level(node) == FIXED:
            return made("multiply", node, constant(np.asarray(self.length, node.dtype)))
        if op in _LINEAR:
            return result(REGISTRY[op], (self.summed(inputs[0]),), node.attributes)
        if op == "add" and all(x.shape == node.shape for x in inputs):
            return made("add", *map(self.summed, inputs))
        if op == "sum":
            axes = (0, *[a + 1 for a in node.attributes["axes"]])
            return self._sum(node, self.stacked(inputs[0]), axes)
        if op == "matmul" and len(node.shape) == 2:
            return self._summed_product(*inputs)
        if node.nbytes * self.length <= _MOST_SUMMED and self._is_batchable(node):
            return self._sum(node, self.stacked(node), (0,))
        return self._accumulated(node)

    def _summed_product(self, x: Node, y: Node) -> Node:
        fixed = [self.level(factor) == FIXED for factor in (x, y)]
        if any(fixed):
            pairs = zip((x, y), fixed, strict=True)
            return made("matmul", *[z if is_fixed else self.summed(z) for z, is_fixed in pairs])
        (rows, inner), columns = x.shape, y.shape[1]
        wide = made("permute_dims", self.stacked(x), axes=(1, 0, 2))
        wide = made("reshape", wide, shape=(rows, self.length * inner))
        tall = made("reshape", self.stacked(y), shape=(self.length * inner, columns))
        return made("matmul", wide, tall)

    def _accumulated(self, node: Node) -> Node:
        """Return the sum of what each step has, carried from one to the next."""
        total, place = parameter(node, node.shape), len(self.after)
        self._carried[total] = place
        zero = constant(np.zeros((), node.dtype))
        self._starts.append(made("broadcast_to", zero, shape=node.shape))
        self.close([*self.after, made("add", total, node)])
        return self.last(place)

    def _sum(self, node: Node, x: Node, axes: tuple[int, ...]) -> Node:
        found = made("sum", x, axes=axes, keepdims=False)
        return found if found.shape == node.shape else made("reshape", found, shape=node.shape)

    # The body.

    def _build(self) -> None:
        """Write the graph of a step, and take note of what the loop needs."""
        roots = [*self.after, *self._rows]
        inner = _walk(roots, self._inner_inputs)
        carried = {node: parameter(node, node.shape) for node in self._carried}
        sliced: dict[Node, tuple[Node, Node]] = {}
        fixed: dict[Node, Node] = {}
        of: dict[Node, Node] = dict(carried)

        def inside(x: Node) -> Node:
            found = of.get(x)
            if found is None:
                source = self._source(x)
                if source is not None:
                    found = parameter(x, x.shape)
                    sliced[x] = found, source
                elif x.array is not None and x.size == 1:
                    found = x
                else:
                    found = fixed[x] = parameter(x, x.shape)
                of[x] = found
            return found

        for node in inner:
            of[node] = again(node, tuple(map(inside, node.inputs)))
        outputs = list(map(inside, roots))
        inputs = [*carried.values(), *[x for x, _ in sliced.values()], *fixed.values()]
        for place, x in enumerate(inputs):
            x.place = place
        body = self._body
        body.graph.inputs, body.graph.outputs = inputs, outputs
        body.carried, body.sliced = len(carried), len(sliced)
        self.node.inputs = (*self._starts, *[source for _, source in sliced.values()], *fixed)
        if self.tracer.loops.checks:
            self.tracer.loops.changes += 1


def _is_product(node: Node) -> bool:
    lowering = node.primitive and node.primitive.lower
    return isinstance(lowering, Kernel) and not isinstance(lowering, Regions)


def tensors_below(roots: Sequence[Tensor], stop: Callable[[Tensor], bool]) -> Iterator[Tensor]:
    """Yield the tensors below roots that want errors, not beyond those where to `stop`."""
    seen = dict.fromkeys([x for x in roots if x.requires_grad])
    stack = list(seen)
    while stack:
        x = stack.pop()
        yield x
        if stop(x) or x.node is None:
            continue
        for y in x.node[1]:
            if isinstance(y, Tensor) and y.requires_grad and y not in seen:
                seen[y] = None
                stack.append(y)
