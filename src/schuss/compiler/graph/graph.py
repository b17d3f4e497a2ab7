"""The graph: what a traced function computes, as nodes in the order of their making."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from schuss.core import Array, Tensor, bool_
from schuss.counts import Size
from schuss.primitives.base import REGISTRY, Primitive
from schuss.primitives.checks import ValueCheck
from schuss.values.layouts import ANY_LAYOUT, Layout

__all__ = ["Check", "Graph", "GraphError", "Node", "State"]


class GraphError(AssertionError):
    """The graph is wrong after a pass of the compiler: a bug of Schuss's."""


class Node:
    """A value: an input, a state, a constant, a number, or a primitive's result.

    Args:
        op: "input", "state", "constant", "number", or the primitive's name.
        inputs: nodes.
        attributes: the primitive's static arguments.
        shape: of the value.
        dtype: of the value.
        primitive: the primitive, or None.
        array: a constant's value.
        place: an input's, state's or number's position.
        scope: the layer, or the rule of descent, that it was computed by; "" where it is none,
            None where it is not known.
    """

    __slots__ = (
        "array", "attributes", "dtype", "inputs", "op", "place", "primitive", "scope", "shape",
        "size",
    )  # fmt: skip

    def __init__(
        self,
        op: str,
        inputs: tuple[Node, ...],
        attributes: dict[str, Any],
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        *,
        primitive: Primitive | None = None,
        array: Array | None = None,
        place: int = -1,
        scope: str | None = None,
    ) -> None:
        self.op = op
        self.inputs = inputs
        self.attributes = attributes
        self.shape = shape
        self.size = math.prod(shape)
        self.dtype = dtype
        self.primitive = primitive
        self.array = array
        self.place = place
        self.scope = scope

    @property
    def nbytes(self) -> int:
        """Bytes of the elements."""
        return self.size * self.dtype.itemsize

    @property
    def is_leaf(self) -> bool:
        """Whether it is read and not computed."""
        return self.primitive is None

    def __repr__(self) -> str:
        return f"<{self.op} {self.dtype}{list(self.shape)}>"


# Marks what another process may mean something else by.
_THIS_PROCESS = os.urandom(16).hex()
_SPELLED = {int, float, bool, str, type(None), slice, type(...)}


def _spelled(value: Any) -> str:
    """Return a text that only values with the same meaning have."""
    kind = type(value)
    if kind in _SPELLED:
        return repr(value)
    if kind in (tuple, list, Size):
        return f"({','.join(map(_spelled, value))})"
    if kind is dict:
        return ",".join([f"{name}={_spelled(x)}" for name, x in value.items()])
    if isinstance(value, np.dtype):
        return value.str
    has_name = kind is not object and "__repr__" in vars(kind) and not callable(value)
    if has_name and not isinstance(value, np.ndarray):
        return repr(value)
    return f"{id(value)} in {_THIS_PROCESS}"


def _origin_of(primitive: Primitive) -> str:
    """Return where a primitive comes from: another one of its name may be made elsewhere."""
    made_of = [x for x in vars(primitive.lower).values() if callable(x)]
    ours = all(x.__module__.startswith("schuss.") for x in made_of)
    return primitive.name if ours else f"{primitive.name} in {_THIS_PROCESS}"


def constant(array: Array) -> Node:
    """Return a node that is always `array`."""
    return Node("constant", (), {}, array.shape, array.dtype, array=array)


def literal(node: Node) -> Any:
    """Return the number that a node is when the program is compiled, or None.

    Infinities are read from memory: LLVM makes a choice between two maxima of the maximum with
    a choice of -inf, and that loop is no vectors' any more.
    """
    if node.array is None or node.size != 1:
        return None
    number = node.array.item()
    return None if isinstance(number, float) and math.isinf(number) else number


def result(primitive: Primitive, inputs: tuple[Node, ...], attributes: dict[str, Any]) -> Node:
    """Return the node of `primitive` applied to nodes; its shape rule says what comes out."""
    shape, dtype = primitive.shape(*[(x.shape, x.dtype) for x in inputs], **attributes)
    return Node(
        primitive.name, inputs, attributes, tuple(shape), np.dtype(dtype), primitive=primitive
    )


def made(name: str, *inputs: Node, **attributes: Any) -> Node:
    """Return the node of the primitive of this name applied to nodes."""
    return result(REGISTRY[name], inputs, attributes)


def again(node: Node, inputs: tuple[Node, ...]) -> Node:
    """Return what a node computes, of other inputs of the same shapes."""
    return Node(
        node.op,
        inputs,
        node.attributes,
        node.shape,
        node.dtype,
        primitive=node.primitive,
        scope=node.scope,
    )


def hand_on_scope(node: Node, scope: str | None) -> None:
    """Note whom a node that takes another's place belongs to, with what was made for it."""
    waiting = [node]
    while waiting:
        made = waiting.pop()
        if made.scope is None and made.primitive is not None:
            made.scope = scope
            waiting += made.inputs


@dataclass
class State:
    """A tensor that lives longer than the call, and what becomes of it.

    Args:
        tensor: whose array is read, or written to.
        node: what it is before.
        updated: what it becomes.
        layout: of its array, where the graph would be another one for others.
    """

    tensor: Tensor
    node: Node
    updated: Node | None = None
    layout: Layout = ANY_LAYOUT


@dataclass(frozen=True)
class Check:
    """A value check that was met while tracing: what is asked, and of which values."""

    asked: ValueCheck
    nodes: tuple[Node, ...]


@dataclass
class Graph:
    """Everything that one call computes.

    Args:
        inputs: the arguments, in order.
        states: the tensors read or assigned.
        numbers: Python numbers read anew at every call (without axes).
        outputs: what is returned, and gradients that are left in `.grad`.
        on_demand: how many of the last outputs are only computed when they are requested.
        checks: what is asked of values, in the order in which they were met.
        refused: whether one of the checks fails, a boolean without axes; None without checks.
        memory: the most bytes that temporaries may take, if there is a limit.
    """

    inputs: list[Node] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    numbers: list[Node] = field(default_factory=list)
    outputs: list[Node] = field(default_factory=list)
    on_demand: int = 0
    checks: list[Check] = field(default_factory=list)
    refused: Node | None = None
    memory: int | None = None

    def roots(self) -> Iterator[Node]:
        """Yield every node that has to be computed for its own sake."""
        yield from self.main_roots()
        yield from self.outputs[len(self.outputs) - self.on_demand :]

    def main_roots(self) -> Iterator[Node]:
        """Yield the roots that are computed at every step."""
        yield from self.outputs[: len(self.outputs) - self.on_demand]
        if self.refused is not None:
            yield self.refused
        for state in self.states:
            if state.updated is not None:
                yield state.updated

    def nodes(self) -> list[Node]:
        """Return every node that is needed, inputs before users."""
        return ordered(self.roots())

    def replace(self, mapping: dict[Node, Node]) -> None:
        """Put other nodes in the place of roots."""
        self.outputs = [mapping.get(n, n) for n in self.outputs]
        if self.refused is not None:
            self.refused = mapping.get(self.refused, self.refused)
        for state in self.states:
            if state.updated is not None:
                state.updated = mapping.get(state.updated, state.updated)

    def mapped(self, image: Callable[[Node], Node]) -> Graph:
        """Return another graph of the same inputs, with other nodes in the place of its roots."""
        states = [
            replace(state, updated=None if state.updated is None else image(state.updated))
            for state in self.states
        ]
        refused = None if self.refused is None else image(self.refused)
        return replace(self, states=states, outputs=list(map(image, self.outputs)), refused=refused)

    def fingerprint(self) -> str:
        """Return a hash of all that decides the program, but for the values of the states."""
        digest = hashlib.sha256()
        numbers: dict[Node, int] = {}
        lines = []
        leaves = [*self.inputs, *[s.node for s in self.states], *self.numbers]
        for node in dict.fromkeys([*leaves, *self.nodes()]):
            numbers[node] = len(numbers)
            lines.append(
                f"{node.op}|{[numbers[x] for x in node.inputs]}|{_spelled(node.attributes)}|"
                f"{node.shape}|{node.dtype.str}|{node.place}"
            )
            if node.array is not None:
                digest.update(np.ascontiguousarray(node.array).tobytes())
        for state in self.states:
            updated = None if state.updated is None else numbers[state.updated]
            lines.append(f"{updated}|{type(state.tensor).__name__}")
        lines.append(f"{[numbers[n] for n in self.outputs]}|{self.on_demand}")
        lines += [f"{c.asked}|{[numbers.get(x) for x in c.nodes]}" for c in self.checks]
        lines.append(f"{None if self.refused is None else numbers[self.refused]}|{self.memory}")
        primitives = dict.fromkeys([n.primitive for n in numbers])
        lines += [_origin_of(primitive) for primitive in primitives if primitive is not None]
        digest.update("\n".join(lines).encode())
        return digest.hexdigest()

    def verify(self, stage: str) -> None:
        """Check shapes, dtypes and order.

        Raises:
            GraphError: naming the stage and the node.
        """
        known = {*self.inputs, *self.numbers, *[s.node for s in self.states]}
        for node in self.nodes():
            if node.primitive is None:
                if node not in known and node.array is None:
                    raise GraphError(f"{stage}: {node} is read, but not among the leaves.")
                continue
            specs = [(x.shape, x.dtype) for x in node.inputs]
            shape, dtype = node.primitive.shape(*specs, **node.attributes)
            if tuple(shape) != node.shape or np.dtype(dtype) != node.dtype:
                raise GraphError(f"{stage}: {node} should be {dtype}{list(shape)} of {specs}.")
        if self.refused is not None and (self.refused.shape, self.refused.dtype) != ((), bool_):
            raise GraphError(f"{stage}: {self.refused} is no boolean without axes.")
        for state in self.states:
            new = state.updated
            if new is not None and (new.shape, new.dtype) != (state.node.shape, state.node.dtype):
                raise GraphError(f"{stage}: {state.node} is updated by {new}.")


def ordered(roots: Iterable[Node]) -> list[Node]:
    """Return `roots` and all that they need, inputs first, without recursion."""
    done: dict[Node, None] = {}
    stack = list(roots)[::-1]
    while stack:
        node = stack[-1]
        waiting = [x for x in node.inputs if x not in done] if node not in done else None
        if waiting:
            stack += waiting[::-1]
        else:
            done[stack.pop()] = None
    return list(done)
