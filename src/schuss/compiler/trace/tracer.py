"""The tracer: runs the user's function once on abstract tensors, and records a graph."""

from __future__ import annotations

import operator
import weakref
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NoReturn

import numpy as np

from schuss.compiler.graph.evaluate import raise_if_refused
from schuss.compiler.graph.graph import Check, Graph, Node, State, constant, made, ordered, result
from schuss.compiler.trace.abstract import Abstract, Forsaken
from schuss.compiler.trace.errors import (
    _VALUE,
    SideEffectError,
    depends_on_values,
    refuse,
    refuse_argument,
    refuse_recorded,
)
from schuss.compiler.trace.left_gradients import left_gradient, source_of, state_of
from schuss.compiler.trace.memory_order import MemoryOrders
from schuss.compiler.trace.numbers import TracedNumber
from schuss.compiler.trace.open_loops import TracesLoops, refuse_strays
from schuss.compiler.trace.scopes import Scopes
from schuss.compiler.trace.sources import Sources
from schuss.core import RECORDING, Array, Tensor, new_object, next_stamp
from schuss.errors import TraceError
from schuss.functions.selected import select
from schuss.primitives.base import REGISTRY, mismatch, result_dtype
from schuss.primitives.checks import ValueCheck
from schuss.primitives.views import SAME_MEMORY, origin_of

__all__ = ["Tracer"]


class Tracer(TracesLoops, Scopes):
    """Takes the place of evaluation while a function is traced; see `schuss.core.TRACER`."""

    def __init__(self) -> None:
        super().__init__()
        self.graph = Graph()
        # What the numbers and the guards below depend on; as long as it is equal, they hold.
        self.sources: list[Callable[[], Any]] = []
        # What has to hold for the program to be used again: (function, its value now).
        self.guards: list[tuple[Callable[[], Any], Any]] = []
        self.follow_ups: list[Callable[[], Any]] = []
        # What the function read every entry of; see `PythonState`.
        self.dictionaries: list[dict[Any, Any]] = []
        # Tensors whose gradient has to be this one, or just to be there, or not.
        self.exact_gradients: list[tuple[Tensor, Tensor]] = []
        self.some_gradients: list[tuple[Tensor, bool]] = []
        # Tensors whose gradient, a copy of what was added to, becomes another copy.
        self.copied_again: list[Tensor] = []
        self.evaluators: list[Callable[[], float]] = []
        self._held: dict[int, tuple[Tensor, Node]] = {}
        self._now: dict[int, Node] = {}
        self._made: list[weakref.ref[Tensor]] = []
        self._recorded: list[weakref.ref[Tensor]] = []
        self._sources = Sources()
        self._memory_orders = MemoryOrders()
        self._numbers: dict[tuple[int, str], tuple[TracedNumber, Node]] = {}
        self._groups: dict[int, tuple[dict[str, Any], dict[str, Any]]] = {}
        # Whether a check fails, for each that was met.
        self._checks: dict[Check, Node] = {}
        # The gradients that tensors had before: id -> (tensor, its gradient).
        self._gradients: dict[int, tuple[Tensor, Tensor | None]] = {}
        # Likewise of tensors that the function may assign a gradient to unseen.
        self._reachable: dict[int, tuple[Tensor, Tensor | None]] = {}

    # Values in and out.

    def argument(self, array: Array) -> Tensor:
        """Return the stand-in for an argument."""
        place = len(self.graph.inputs)
        node = Node("input", (), {}, array.shape, array.dtype, place=place)
        self.graph.inputs.append(node)
        self._memory_orders.begin(node, array)
        return self.tensor(node)

    def number(self, evaluate: Callable[[], float]) -> TracedNumber:
        """Return a number that is read by `evaluate` at every call."""
        return TracedNumber.make(self.guards, evaluate)

    def tensor(self, node: Node) -> Tensor:
        """Return a traced tensor for `node`."""
        made = new_object(Tensor)
        made.array = Abstract(node)  # type: ignore[assignment]  # in the place of an array
        made.requires_grad = False
        made.grad = None
        made.node = None
        made.stamp = 0
        self._made.append(weakref.ref(made))
        return made

    def read(self, x: Tensor) -> Node:
        """Return the node that `x` is now; a tensor with values becomes a state, or a constant."""
        origin = origin_of(x)
        if origin is not None and origin[1] is not None and self._sources.decide(x, self.follows):
            node = self.read(origin[1])
            return node if origin[0] is SAME_MEMORY else result(origin[0], (node,), origin[2])
        array: Any = x.array
        if type(array) is Abstract:
            return self._now.get(id(x), array.node)
        x = state_of(x)
        found = self._now.get(id(x))
        if found is None:
            place = len(self._held)
            found = Node("state", (), {}, array.shape, array.dtype, place=place)
            self._gradients.setdefault(id(x), self._reachable.get(id(x), (x, x.grad)))
            self._memory_orders.begin(found, array)
            self._held[id(x)] = (x, found)
            self._now[id(x)] = found
        return found

    def tensors(self) -> list[Tensor]:
        """Return the traced tensors that are still there."""
        return [x for x in [made() for made in self._made] if x is not None]

    def contents(self, x: Tensor) -> Abstract:
        """Return what stands for the array of `x`, as it is now."""
        return Abstract(self.read(x))

    def custom(self, name: str, inputs: Any, result: Tensor, derivative: Any) -> Tensor:
        """Take a derivative of the user's as it is: nobody outside differentiates."""
        return result

    def memory(self, x: Tensor) -> Array:
        """Return an array that lies in memory as `x` would outside of a trace."""
        return self._memory_orders.of(self.read(x))

    def _operand(self, x: Any, dtype: np.dtype[Any]) -> Node:
        if isinstance(x, Tensor):
            return self.read(x)
        if isinstance(x, TracedNumber):
            return self._number_node(x, dtype)
        return constant(np.asarray(x, dtype))

    def _number_node(self, x: TracedNumber, dtype: np.dtype[Any]) -> Node:
        key = (id(x), dtype.str)
        held = self._numbers.get(key)
        if held is None:
            node = Node("number", (), {}, (), dtype, place=len(self.graph.numbers))
            self.graph.numbers.append(node)
            self.evaluators.append(x.evaluate)
            held = self._numbers[key] = (x, node)
        return held[1]

    def _cast(self, node: Node, dtype: np.dtype[Any]) -> Node:
        if node.dtype == dtype:
            return node
        return result(REGISTRY["astype"], (node,), {"dtype": dtype})

    # What tensors call.

    def apply(self, primitive: Any, inputs: tuple[Any, ...], attributes: dict[str, Any]) -> Tensor:
        """Record `primitive`, and return its traced result."""
        tensors = [x for x in inputs if isinstance(x, Tensor)]
        if len(tensors) == len(inputs):
            nodes = tuple([self.read(x) for x in tensors])
        else:
            weighed = inputs[1:] if primitive.name == "where" else inputs
            weak = result_dtype(*[x.array.dtype for x in weighed if isinstance(x, Tensor)])
            nodes = tuple([self._operand(x, weak) for x in inputs])
        try:
            node = result(primitive, nodes, attributes)
        except ValueError as error:
            if len(inputs) == 2:
                raise mismatch(primitive.name, error, *inputs) from None
            raise
        node.scope = self.scope
        out = self.tensor(node)
        if primitive.differentiable and RECORDING.get() and any(x.requires_grad for x in tensors):
            out.requires_grad = True
            out.node = (primitive, inputs, attributes)
            out.stamp = next_stamp()
        return out

    def writes(self, owner: str, x: Tensor) -> None:
        """Refuse to change an argument, which the caller would not see."""
        array: Any = x.array
        if type(array) is Abstract and array.node.op == "input":
            refuse_argument(owner)

    def records(self, x: Tensor) -> None:
        """Note that `x` was given contents that take part in differentiation."""
        self._made.append(weakref.ref(x))
        self._recorded.append(weakref.ref(x))

    def assign(self, tensor: Tensor, value: Any) -> None:
        """Record that `tensor` becomes `value`."""
        old = self.read(tensor)
        node = self.read(value) if isinstance(value, Tensor) else constant(np.array(value))
        if node.shape != old.shape:
            raise ValueError(f"assign: expected shape {old.shape}, got {node.shape}.")
        node = self._cast(node, old.dtype)
        if node is not old and len(node.shape) > 1:
            # A node of its own, as it lies in memory as the old one does.
            node = result(REGISTRY["astype"], (node,), {"dtype": node.dtype})
            self._memory_orders.write(old, node)
        array: Any = tensor.array
        if type(array) is Abstract:
            tensor.array = Abstract(node)  # type: ignore[assignment]  # in the place of an array
            self._now.pop(id(tensor), None)
        else:
            self._now[id(state_of(tensor))] = node
        self._sources.rewrite(tensor)
        tensor.stamp = next_stamp()

    def check(self, asked: ValueCheck, tensors: tuple[Tensor, ...]) -> None:
        """Record what is asked of values: the program refuses them before it changes anything."""
        if self.loops.checks:
            self.loops.checks[-1].append((asked, tensors))
            return
        check = Check(asked, tuple([self.read(x) for x in tensors]))
        if check in self._checks or not all(x.size for x in check.nodes):
            return
        refused = self.read(asked.refused(*tensors))
        axes = tuple(range(len(refused.shape)))
        self._checks[check] = made("max", refused, axes=axes, keepdims=False) if axes else refused

    def selected(self, x: Tensor, mask: Tensor, axis: int = 0) -> Tensor:
        """Return what a mask picks, of which only some functions can do without the number."""
        return select(x, mask, axis, depends_on_values())

    def nonzero(self, x: Tensor) -> NoReturn:
        """Refuse what has a shape that depends on values."""
        raise TraceError(depends_on_values())

    def refuse(self, what: str) -> NoReturn:
        """Refuse to give a value away."""
        refuse(what, _VALUE)

    def side_effect(self, name: str) -> NoReturn:
        """Give up, as the function changes something in Python."""
        raise SideEffectError(name)

    def options(self, group: dict[str, Any], check: Callable[[], None]) -> dict[str, Any]:
        """Return an optimiser's group whose floats are read anew at every call, and checked."""
        known = self._groups.get(id(group))
        if known is not None:
            return known[1]
        traced: dict[str, Any] = {}
        for name, value in group.items():
            if type(value) is float:
                traced[name] = self.number(_entry(group, name, None, check))
            elif type(value) is tuple and value and all(type(v) is float for v in value):
                traced[name] = tuple(
                    self.number(_entry(group, name, i, check)) for i in range(len(value))
                )
            else:
                traced[name] = value
                if name not in ("params", "param_names"):
                    self.guards.append((_entry(group, name), value))
        names = [name for name in group if name not in ("params", "param_names")]
        self.sources.append(partial(operator.itemgetter(*names), group))
        self._groups[id(group)] = (group, traced)
        return traced

    def follows(self, read: Callable[[], Any]) -> None:
        """Note that the program holds as long as `read()` gives what it gives after the trace."""
        self.sources.append(read)
        self.follow_ups.append(read)

    def sees(self, tensor: Tensor) -> None:
        """Note the gradient that a tensor has before the function asks for it or changes it."""
        before = self._reachable.setdefault(id(tensor), (tensor, tensor.grad))
        self._gradients.setdefault(id(tensor), before)

    def attribute(self, module: Any, name: str) -> TracedNumber:
        """Return one of a module's `live_numbers`, read anew at every call."""
        read = partial(getattr, module, name)
        self.sources.append(read)
        return self.number(read)

    # The end.

    def may_reach(self, tensors: Iterable[Tensor]) -> None:
        """Note the gradients of tensors that the function may come by without an operation."""
        self._reachable = {id(t): (t, t.grad) for t in tensors if t.requires_grad}

    def _see_assigned_gradients(self) -> None:
        for tensor, before in self._reachable.values():
            if tensor.grad is not before:
                self._gradients.setdefault(id(tensor), (tensor, before))

    def restore(self) -> None:
        """Give tensors back the gradients that they had."""
        self._see_assigned_gradients()
        for tensor, gradient in self._gradients.values():
            tensor.grad = gradient

    def finish(self, outputs: list[Tensor]) -> list[tuple[Tensor, Tensor | None]]:
        """Close the graph: tensors that live on are states, others were constants.

        Returns:
            The tensors whose `.grad` the function changes, with what it becomes.
        """
        self._see_assigned_gradients()
        self.graph.outputs = [self.read(x) for x in outputs]
        changes = self._collect_gradients()
        self.restore()
        self._gradients.clear()
        for x in self.tensors():
            x.node = None
        return changes

    def _collect_gradients(self) -> list[tuple[Tensor, Tensor | None]]:
        changes: list[tuple[Tensor, Tensor | None]] = []
        for tensor, before in list(self._gradients.values()):
            after, source = tensor.grad, source_of(before)
            if source is not None and id(source) in self._held:
                self.exact_gradients.append((tensor, source))
                is_changed = self._now[id(source)] is not self._held[id(source)][1]
                if after is before and source is not before and is_changed:
                    self.copied_again.append(tensor)
            elif tensor.is_leaf and (tensor.requires_grad or id(tensor) in self._reachable):
                self.some_gradients.append((tensor, before is not None))
            if after is before:
                continue
            if after is None:
                changes.append((tensor, None))
                continue
            target = left_gradient(tensor).tensor
            node = self.read(after)
            self.read(target)
            self._now[id(target)] = node
            changes.append((tensor, target))
        return changes

    def forsake(self) -> None:
        """Tell tensors that the function kept somewhere what to say when they are used."""
        for tensor in self.tensors():
            array: Any = tensor.array
            if type(array) is Abstract:
                tensor.array = Forsaken(array.node)  # type: ignore[assignment]  # as it was

    def settle(self) -> None:
        """Tell states from constants: what nothing but this tracer holds ends with the trace."""
        watched = []
        for key, (tensor, node) in self._held.items():
            known = tensor.array, node, self._now[key], self._memory_orders.layout(node)
            watched.append((weakref.ref(tensor), *known))
        if watched:
            del tensor  # else it keeps the last one alive
        self._held.clear()
        self._now.clear()
        self._sources.clear()
        self._memory_orders.clear()
        self._groups.clear()
        self.guards += [(read, read()) for read in self.follow_ups]
        self._numbers.clear()
        for reference, array, node, now, layout in watched:
            alive = reference()
            if alive is None:
                node.op, node.array, node.place = "constant", array, -1
            else:
                if any(reference() is alive for reference in self._recorded):
                    alive.requires_grad = False
                    refuse_recorded(alive.shape)
                node.place = len(self.graph.states)
                updated = None if now is node else now
                self.graph.states.append(State(alive, node, updated, layout))
        if self.loops.traced:
            refuse_strays(self.graph)
        self._settle_checks()

    def _settle_checks(self) -> None:
        """Look at constants now, once and for all; the program looks at the rest."""
        for check, refused in self._checks.items():
            leaves = [x for x in ordered(check.nodes) if x.primitive is None]
            if all(x.array is not None for x in leaves):
                raise_if_refused(check, _no_value)
                continue
            graph = self.graph
            graph.checks.append(check)
            before = graph.refused
            graph.refused = refused if before is None else made("bitwise_or", before, refused)


def _no_value(node: Node) -> NoReturn:
    raise AssertionError(f"{node} is no constant")


def _entry(
    group: dict[str, Any],
    name: str,
    place: int | None = None,
    check: Callable[[], None] = lambda: None,
) -> Callable[[], Any]:
    def read() -> Any:
        check()
        return group[name] if place is None else group[name][place]

    return read
