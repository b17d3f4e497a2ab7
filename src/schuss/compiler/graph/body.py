"""Bodies of loops: the graph of one step, whose inputs are carried, slices, or the same for all."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from schuss.compiler.graph.graph import Graph, Node, ordered
from schuss.core import Array

__all__ = ["HISTORY", "LAST", "ROWS", "Body", "Result"]

# Kinds of results: what is carried after the last step; what is carried before the first step and
# after each of them, in the order of the rows; what each step returns.
LAST, HISTORY, ROWS = "last", "history", "rows"


@dataclass(frozen=True)
class Result:
    """What a loop leaves.

    Args:
        kind: LAST, HISTORY or ROWS.
        place: of what is carried, or among the rows.
    """

    kind: str
    place: int


@dataclass(eq=False)
class Body:
    """One step of a loop.

    Args:
        graph: its inputs are what is carried, then the slices for each step, then what is fixed;
            its outputs are the next carried values, in their order, then rows of results.
        carried: how many inputs are carried.
        sliced: how many are slices, along a first axis of the loop's own inputs.
        length: how many steps there are.
        reverse: whether the last row comes first.
        results: what the loop leaves.
        plan: how it is computed, when that is known.
        workspace: bytes of memory that it takes, likewise.
    """

    graph: Graph
    carried: int
    sliced: int
    length: int
    reverse: bool
    results: list[Result] = field(default_factory=list)
    plan: Any = None
    workspace: int = 0

    @property
    def inputs(self) -> tuple[list[Node], list[Node], list[Node]]:
        """What is carried, sliced and fixed."""
        first, last = self.carried, self.carried + self.sliced
        inputs = self.graph.inputs
        return inputs[:first], inputs[first:last], inputs[last:]

    def output(self, result: Result) -> int:
        """Return the place of a result's node among the graph's outputs."""
        return result.place + (self.carried if result.kind == ROWS else 0)

    def spec(self, index: int) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return shape and dtype of a result."""
        result = self.results[index]
        node = self.graph.outputs[self.output(result)]
        rows = {LAST: (), HISTORY: (self.length + 1,), ROWS: (self.length,)}[result.kind]
        return (*rows, *node.shape), node.dtype

    def value(self, *inputs: Array) -> list[Array]:
        """Return the results, computed by NumPy."""
        carried, sliced, _ = self.inputs
        nodes = ordered(self.graph.outputs)
        now = dict(zip(self.graph.inputs, inputs, strict=True))
        rows = dict(zip(sliced, inputs[self.carried :], strict=False))
        found = [np.empty(*self.spec(i)) for i in range(len(self.results))]
        first = self.length if self.reverse else 0
        for result, target in zip(self.results, found, strict=True):
            if result.kind == HISTORY:
                target[first] = now[carried[result.place]]
        for t in range(self.length)[:: -1 if self.reverse else 1]:
            now |= {node: array[t] for node, array in rows.items()}
            values = _evaluated(nodes, now)
            outputs = [values[node] for node in self.graph.outputs]
            now |= dict(zip(carried, outputs, strict=False))
            for result, target in zip(self.results, found, strict=True):
                shift = result.kind == HISTORY and not self.reverse
                place = ... if result.kind == LAST else t + shift
                target[place] = outputs[self.output(result)]
        return found

    @cached_property
    def _text(self) -> str:
        kinds = f"{self.carried}, {self.sliced}, {self.length}, {self.reverse}, {self.results}"
        return f"Body({self.graph.fingerprint()}, {kinds})"

    def __repr__(self) -> str:
        return self._text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Body) and repr(self) == repr(other)

    def __hash__(self) -> int:
        return hash(self._text)


def _evaluated(nodes: list[Node], given: dict[Node, Array]) -> dict[Node, Array]:
    """Return the values of a step's nodes."""
    values = dict(given)
    for node in nodes:
        if node.array is not None:
            values[node] = node.array
        elif node.primitive is not None:
            inputs = [values[x] for x in node.inputs]
            values[node] = np.asarray(node.primitive.value(*inputs, **node.attributes), node.dtype)
    return values
