"""Calls of scan within a trace: the step is traced once, and so is the way back through it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np

from schuss.backprop import mark, reverse
from schuss.compiler.graph.graph import Node, constant, made, ordered
from schuss.compiler.trace.loop import FIXED, Loop, parameter, tensors_below
from schuss.core import RECORDING, TRACER, Tensor, next_stamp
from schuss.errors import TraceError
from schuss.functions.scan import checked, in_turn
from schuss.lowering.kinds import HostCall
from schuss.primitives.checks import ValueCheck
from schuss.primitives.custom import Custom
from schuss.trees import filled, present

__all__ = ["trace_loop"]

# A step that cannot be a loop's is traced anew for each of the steps, of which there are not more.
_MOST_UNROLLED = 1000


class _Errors(Tensor):
    """The errors in the results of a loop, which go back together.

    Attributes:
        of: the error in each result, by its kind and place.
    """

    __slots__ = ("of",)

    of: dict[tuple[str, int], Tensor]

    def __add__(self, other: Any) -> Tensor:
        if type(other) is not _Errors:
            return NotImplemented
        both = dict(self.of)
        for place, error in other.of.items():
            both[place] = both[place] + error if place in both else error
        return _errors(self, both)


def _errors(like: Tensor, of: dict[tuple[str, int], Tensor]) -> _Errors:
    made = object.__new__(_Errors)
    made.array = like.array
    made.requires_grad = False
    made.grad = made.node = None
    made.stamp = 0
    made.of = of
    return made


class _Output:
    """How the results of a loop are made of what stands for all of them."""

    name = "scan"
    differentiable = True

    @staticmethod
    def derivative(position: int, g: Tensor, y: Tensor, x: Tensor, *, place: Any) -> Tensor:
        return _errors(x, {place: g})


_OUTPUT: Any = _Output()


def trace_loop(
    tracer: Any, step: Callable[..., Any], carry: Any, xs: Any, length: int, *, reverse: bool
) -> tuple[Any, Any] | None:
    """Return what a scan returns; None where its step is no loop's, and has to be unrolled.

    Raises:
        TraceError: where it would have to be unrolled, and has too many steps for that.
    """
    start = next_stamp()
    states = present(carry)
    slices = present(xs)
    carried = [parameter(tracer.read(x), x.shape) for x in states]
    sliced = [parameter(tracer.read(x), x.shape[1:]) for x in slices]
    recording = RECORDING.get()
    given = [_stand_in(tracer, n, recording and n.dtype.kind == "f") for n in carried]
    parts = [
        _stand_in(tracer, n, recording and x.requires_grad)
        for n, x in zip(sliced, slices, strict=True)
    ]
    changes = _Changes(tracer)
    with _open(tracer) as checks:
        after, y = checked(step(filled(carry, given), filled(xs, parts)), carry)
        returned = present(y)
        nodes = [tracer.read(x) for x in [*present(after), *returned]]
        obstacle = changes.undone() or _obstacle(nodes, {*carried, *sliced})
    if obstacle is not None:
        if length > _MOST_UNROLLED:
            raise TraceError(
                f"scan: the step {obstacle}, so that {length} steps would have to be compiled one "
                f"by one; up to {_MOST_UNROLLED} are."
            )
        return None
    tracer.loops.traced = True
    loop = Loop(
        tracer,
        length,
        reverse=reverse,
        carried=list(zip(carried, map(tracer.read, states), strict=True)),
        sliced=list(zip(sliced, map(tracer.read, slices), strict=True)),
    )
    loop.close(nodes[: len(states)])
    _ask(tracer, loop, checks)
    last = [tracer.tensor(loop.last(i)) for i in range(len(states))]
    rows = [tracer.tensor(loop.stacked(n)) for n in nodes[len(states) :]]
    if recording:
        tape = _Tape(tracer, loop, step, (carry, xs), (given, parts), (after, y), start)
        tape.record(last, rows)
    return filled(carry, last), filled(y, rows)


def _stand_in(tracer: Any, node: Node, is_wanted: bool) -> Tensor:
    made: Tensor = tracer.tensor(node)
    made.requires_grad = is_wanted
    return made


@contextmanager
def _open(tracer: Any) -> Iterator[list[tuple[ValueCheck, tuple[Tensor, ...]]]]:
    """Trace a step; the checks of its values are put off, for what they ask of all steps."""
    checks: list[tuple[ValueCheck, tuple[Tensor, ...]]] = []
    tracer.loops.checks.append(checks)
    try:
        yield checks
    finally:
        tracer.loops.checks.pop()


def _ask(tracer: Any, loop: Loop, checks: list[tuple[ValueCheck, tuple[Tensor, ...]]]) -> None:
    """Check the values of all steps at once."""
    for asked, tensors in checks:
        nodes = [tracer.read(x) for x in tensors]
        if any(loop.level(n) != FIXED for n in nodes):
            nodes = [loop.stacked(n) for n in nodes]
        tracer.check(asked, tuple(map(tracer.tensor, nodes)))


def _obstacle(nodes: list[Node], given: set[Node]) -> str | None:
    """Return why a step cannot be a loop's, if it cannot.

    Args:
        nodes: what it computes.
        given: what it computes it from; all that does not depend on these is no part of it.
    """
    own = set(given)
    for node in ordered(nodes):
        if own.isdisjoint(node.inputs):
            continue
        own.add(node)
        if isinstance(node.primitive and node.primitive.lower, HostCall):
            return f"calls {node.op}, which is NumPy's"
    return None


class _Changes:
    """What a step changes outside of it, as it is not to be in a loop."""

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer
        self._states = tracer.states_now()
        self._arrays = [(x, x.array) for x in tracer.tensors()]

    def undone(self) -> str | None:
        """Undo the changes; return what there were, if there were any."""
        changed = self._tracer.undo_changes(self._states)
        for x, array in self._arrays:
            if x.array is not array:
                x.array = array
                changed = True
        return "changes tensors outside of it (random numbers do, too)" if changed else None


class _Tape:
    """The way back through a loop.

    Args:
        tracer: of the trace.
        loop: forward.
        step: what was traced.
        arguments: the carry and xs of the scan.
        given: the tensors that stood for them in the step.
        returned: what the step returned.
        start: the stamp before the step.
    """

    def __init__(
        self,
        tracer: Any,
        loop: Loop,
        step: Callable[..., Any],
        arguments: tuple[Any, Any],
        given: tuple[list[Tensor], list[Tensor]],
        returned: tuple[Any, Any],
        start: int,
    ) -> None:
        self._tracer = tracer
        self._loop = loop
        self._step = step
        self._arguments = arguments
        self._states, self._slices = map(present, arguments)
        self._given, self._parts = given
        self._after, self._rows = map(present, returned)
        self._start = start
        roots = [*self._after, *self._rows]
        self._is_own = _own(
            roots, [*self._given, *self._parts], lambda x: loop.level(tracer.read(x)) != FIXED
        )
        # What the step reads of outside, or computes of that alone, and what takes errors there.
        self._fixed = self._found_fixed(roots)
        below = tensors_below(self._fixed, self._is_outside)
        self._outside = [x for x in below if self._is_outside(x)]

    def _is_outside(self, x: Tensor) -> bool:
        """Whether a tensor was there before the step."""
        return x.node is None or x.stamp < self._start

    def _found_fixed(self, roots: list[Tensor]) -> list[Tensor]:
        found: dict[Tensor, None] = {x: None for x in roots if x.requires_grad}
        for x in list(self._is_own):
            for y in x.node[1] if x.node is not None else ():
                if isinstance(y, Tensor) and y.requires_grad:
                    found[y] = None
        return [x for x in found if x not in self._is_own]

    @property
    def _inputs(self) -> list[Tensor]:
        return [*self._states, *self._slices, *self._outside]

    def record(self, last: list[Tensor], rows: list[Tensor]) -> None:
        """Record the results of the loop."""
        inputs = self._inputs
        if not any(x.requires_grad for x in inputs):
            return
        whole = self._tracer.tensor(self._loop.node)
        whole.requires_grad = True
        whole.node = (Custom("scan", self._errors), tuple(inputs), {})
        whole.stamp = next_stamp()
        for kind, outs, inner in (("last", last, self._after), ("rows", rows, self._rows)):
            for i, (out, x) in enumerate(zip(outs, inner, strict=True)):
                if x.requires_grad:
                    out.requires_grad = True
                    out.node = (_OUTPUT, (whole,), {"place": (kind, i)})
                    out.stamp = next_stamp()

    def _errors(self, g: Any, y: Tensor) -> dict[int, Tensor]:
        """Return the errors in the inputs, of those in the results."""
        if TRACER.get() is not self._tracer:
            _refuse()
        return self._unrolled(g.of) if RECORDING.get() else self._through_loop(g.of)

    def _unrolled(self, g: dict[tuple[str, int], Tensor]) -> dict[int, Tensor]:
        """Go back step by step, so that the errors can be gone back through themselves."""
        loop, (carry, xs) = self._loop, self._arguments
        if loop.length > _MOST_UNROLLED:
            raise TraceError(
                f"scan: a derivative of a derivative is compiled step by step, and there are "
                f"{loop.length} steps; up to {_MOST_UNROLLED} can be."
            )
        marked = [mark(x) if x.requires_grad else x for x in [*self._states, *self._slices]]
        states, slices = marked[: len(self._states)], marked[len(self._states) :]
        result = in_turn(
            self._step, filled(carry, states), filled(xs, slices), loop.length, loop.reverse
        )
        last, rows = map(present, result)
        pairs = [((last if kind == "last" else rows)[i], e) for (kind, i), e in g.items()]
        pairs = [(root, e) for root, e in pairs if root.requires_grad]
        inputs = [*marked, *self._outside]
        arrived = reverse(
            [root for root, _ in pairs],
            [e for _, e in pairs],
            targets=frozenset(x for x in inputs if x.requires_grad),
            retain_graph=True,
        )
        return {i: arrived[x] for i, x in enumerate(inputs) if x in arrived}

    def _through_loop(self, g: dict[tuple[str, int], Tensor]) -> dict[int, Tensor]:
        """Go back by a loop that runs the other way."""
        tracer, loop = self._tracer, self._loop
        carried, sliced, roots, errors = [], [], [], []
        places = [i for i, x in enumerate(self._given) if x.requires_grad]
        for i in places:
            like = tracer.read(self._given[i])
            node = parameter(like, like.shape)
            error = g.get(("last", i))
            carried.append((node, _zeros(like) if error is None else tracer.read(error)))
            if self._after[i].requires_grad:
                roots.append(self._after[i])
                errors.append(tracer.tensor(node))
        for (kind, i), error in g.items():
            if kind == "rows":
                source = tracer.read(error)
                node = parameter(source, source.shape[1:])
                sliced.append((node, source))
                roots.append(self._rows[i])
                errors.append(tracer.tensor(node))
        back = Loop(
            tracer,
            loop.length,
            reverse=not loop.reverse,
            carried=carried,
            sliced=sliced,
            forward=loop,
        )
        targets = [*self._given, *self._parts, *self._fixed]
        with _open(tracer) as checks:
            arrived = reverse(roots, errors, targets=frozenset(targets), retain_graph=True)
            nodes = {x: tracer.read(error) for x, error in arrived.items()}
        like = {i: tracer.read(self._given[i]) for i in places}
        back.close([nodes.get(self._given[i], _zeros(like[i])) for i in places])
        _ask(tracer, back, checks)
        found: dict[int, Tensor] = {}
        for place, i in enumerate(places):
            if self._states[i].requires_grad and self._given[i] in nodes:
                found[i] = tracer.tensor(back.last(place))
        for i, x in enumerate(self._parts):
            if x in nodes:
                found[len(self._states) + i] = tracer.tensor(back.stacked(nodes[x]))
        return found | self._beyond({x: back.summed(nodes[x]) for x in self._fixed if x in nodes})

    def _beyond(self, sums: dict[Tensor, Node]) -> dict[int, Tensor]:
        """Return the errors outside, of those in what the step computes of that alone."""
        roots = list(sums)
        arrived = reverse(
            roots,
            [self._tracer.tensor(sums[x]) for x in roots],
            targets=frozenset(self._outside),
            retain_graph=True,
        )
        first = len(self._states) + len(self._slices)
        return {first + i: arrived[x] for i, x in enumerate(self._outside) if x in arrived}


def _own(
    roots: list[Tensor], given: list[Tensor], depends: Callable[[Tensor], bool]
) -> dict[Tensor, None]:
    """Return the tensors below roots that depend on what a step is given, and that.

    Args:
        roots: what it returns.
        given: what it is given.
        depends: whether the value of a tensor does; errors may go by other ways.
    """
    users: dict[Tensor, list[Tensor]] = {}
    stop = frozenset(given)
    below = list(tensors_below(roots, stop.__contains__))
    for x in below:
        for y in x.node[1] if x.node is not None and x not in stop else ():
            if isinstance(y, Tensor) and y.requires_grad:
                users.setdefault(y, []).append(x)
    found = dict.fromkeys([*given, *filter(depends, below)])
    stack = list(found)
    while stack:
        for user in users.get(stack.pop(), ()):
            if user not in found:
                found[user] = None
                stack.append(user)
    return found


def _zeros(like: Node) -> Node:
    return made("broadcast_to", constant(np.zeros((), like.dtype)), shape=like.shape)


def _refuse() -> NoReturn:
    raise TraceError(
        "scan: within compile, vmap cannot be around the derivative of a scan that is outside of "
        "it; put the scan into the function that vmap is given."
    )
