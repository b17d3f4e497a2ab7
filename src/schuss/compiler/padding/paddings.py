"""Paddings: programs that serve calls of many lengths, found for a call or made for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from schuss.compiler.build import Build
from schuss.compiler.graph.graph import Graph
from schuss.compiler.padding.axes import Axes, Differs, Lengths, Rows, Shape
from schuss.compiler.padding.masked_graph import masked_graph
from schuss.compiler.padding.padded_program import PaddedProgram
from schuss.compiler.padding.proof import Proof, Traced, prove
from schuss.compiler.padding.varying import VaryingLengths, axes_of_inputs, capacity_for
from schuss.compiler.runtime.ownership import aligned
from schuss.compiler.runtime.python_guard import PythonGuard

__all__ = ["Capacity", "Padding", "Paddings"]

# Traces a call with arrays of other shapes in the place of its own.
Tracing: TypeAlias = Callable[[list[Shape]], Graph]

# Programs are kept for so many combinations of lengths, and for so many ways through the function
# at each; functions whose arguments differ in more than lengths are so many others.
_MOST_CAPACITIES, _MOST_WAYS, _MOST_FAMILIES = 32, 4, 64
# After so many lengths in a row that could not be padded no others are tried.
_MOST_FAILURES = 3


class Capacity:
    """A program at capacity.

    Args:
        graph: traced at capacity.
        traced: what there is to compare of it.
        proof: how it corresponds to a smaller graph.
        inputs: the axes of the arguments.
        lengths: of that smaller one.
    """

    def __init__(
        self, graph: Graph, traced: Traced, proof: Proof, inputs: Sequence[Axes], lengths: Lengths
    ) -> None:
        self._traced = traced
        self._proof = proof
        self._inputs = inputs
        self._constants = list(proof.numbers)
        masked = masked_graph(graph, traced.nodes, proof, lengths)
        self.build = Build(masked, masked.fingerprint())
        self._buffers = [
            aligned(node.shape, node.dtype) if any(axes) else None
            for node, axes in zip(traced.inputs, inputs, strict=True)
        ]
        self._read: list[Any] = []
        self._guard: PythonGuard | None = None

    def serve(self, own: Traced, lengths: Lengths) -> Padding | None:
        """Return the program for calls whose own graph this is, if it computes the same."""
        try:
            proof = prove(own, self._traced, self._inputs, lengths)
        except Differs:
            return None
        if not proof.has_program_of(self._proof):
            return None
        constants = [own.nodes[i].array for i in self._constants]
        numbers = [float(n) for n in lengths.own]
        numbers += [x.item() for x in constants if x is not None]
        inputs = zip(own.inputs, self._traced.inputs, strict=True)
        padded = PaddedProgram(
            self.build.program, self._buffers, self._inputs, proof.outputs, own, lengths
        )
        return Padding(self, padded, numbers, [(x.shape, y.shape) for x, y in inputs])

    def python_guard(self, read: list[Any], make: Callable[[], PythonGuard]) -> PythonGuard:
        """Return the guard of an earlier call that read the same, or else what `make` returns.

        Args:
            read: the modules that a call went through, and what it read every entry of.
            make: returns a guard of its own.
        """
        same = list(map(id, read)) == list(map(id, self._read))
        if self._guard is None or not same or self._guard.changed() is not None:
            self._read, self._guard = read, make()
        return self._guard


@dataclass
class Padding:
    """A program at capacity, for calls of one length.

    Args:
        capacity: has the program.
        program: what runs it.
        numbers: what the program's last numbers are for these calls.
        shapes: for each argument, its shape and the one that it is padded to.
    """

    capacity: Capacity
    program: PaddedProgram
    numbers: list[float]
    shapes: list[tuple[Shape, Shape]]


class _Family:
    """Calls of one function whose arguments differ in lengths alone."""

    def __init__(self) -> None:
        self.varying = VaryingLengths()
        self.failures = 0


class Paddings:
    """The programs at capacity of one function.

    Args:
        drop: called with one that is forgotten, as there are too many.
    """

    def __init__(self, drop: Callable[[Capacity], None]) -> None:
        self._drop = drop
        self._is_full = False
        self._families: dict[Any, _Family] = {}
        self._kept: dict[Any, list[Capacity]] = {}

    def may_serve(self, signature: tuple[Any, ...]) -> bool:
        """Whether a call of another length is not likely to need a program of its own."""
        family = self._families.get(_family_of(signature))
        if self._is_full or family is None or family.failures >= _MOST_FAILURES:
            return False
        return bool(family.varying.groups)

    def find(self, signature: tuple[Any, ...], graph: Graph, trace: Tracing) -> Padding | None:
        """Return what serves a call, or None where a program of its own is right.

        Args:
            signature: of the call.
            graph: the call's own.
            trace: traces the call with arrays of larger shapes.
        """
        family = self._family(signature)
        shapes = [node.shape for node in graph.inputs]
        family.varying.note(shapes)
        groups = family.varying.groups
        lengths = _lengths(shapes, groups)
        if lengths is None or _is_bound(signature, groups):
            return None
        own, inputs = Traced(graph), axes_of_inputs(shapes, groups)
        place = (_family_of(signature), groups, lengths.capacity)
        for capacity in self._kept.get(place, []):
            found = capacity.serve(own, lengths)
            if found is not None:
                return found
        if family.failures >= _MOST_FAILURES:
            return None
        made = _made(own, inputs, lengths, trace)
        family.failures = 0 if made else family.failures + 1
        if made is None:
            return None
        self._keep(place, made)
        return made.serve(own, lengths)

    def keep_only(self, used: Sequence[Padding | None]) -> None:
        """Keep no programs but those that serve calls."""
        capacities = {id(padding.capacity) for padding in used if padding is not None}
        for place, ways in list(self._kept.items()):
            ways[:] = [capacity for capacity in ways if id(capacity) in capacities]
            if not ways:
                del self._kept[place]

    def _family(self, signature: tuple[Any, ...]) -> _Family:
        key = _family_of(signature)
        if key not in self._families and len(self._families) >= _MOST_FAMILIES:
            del self._families[next(iter(self._families))]
        return self._families.setdefault(key, _Family())

    def _keep(self, place: Any, made: Capacity) -> None:
        ways = self._kept.setdefault(place, [])
        ways.insert(0, made)
        dropped = ways[_MOST_WAYS:]
        del ways[_MOST_WAYS:]
        if len(self._kept) > _MOST_CAPACITIES:
            self._is_full = True
            dropped += self._kept.pop(next(iter(self._kept)))
        for capacity in dropped:
            self._drop(capacity)


def _made(own: Traced, inputs: Sequence[Axes], lengths: Lengths, trace: Tracing) -> Capacity | None:
    """Return a program at capacity for a call, or None where it cannot be padded."""
    larger: list[Shape] = []
    for node, axes in zip(own.inputs, inputs, strict=True):
        pairs = zip(node.shape, axes, strict=True)
        larger.append(tuple([lengths.of(x)[1] if isinstance(x, Rows) else n for n, x in pairs]))
    try:
        graph = trace(larger)
        traced = Traced(graph)
        proof = prove(own, traced, inputs, lengths)
    except Exception:  # the function may refuse other lengths in any way
        return None
    return Capacity(graph, traced, proof, inputs, lengths)


def _family_of(signature: tuple[Any, ...]) -> Any:
    """Return what calls have in common that differ in lengths alone."""
    structure, recording, *leaves = signature
    return structure, recording, *[(len(shape), *others) for shape, *others in leaves]


def _lengths(
    shapes: Sequence[Shape], groups: Sequence[Sequence[tuple[int, int]]]
) -> Lengths | None:
    """Return the lengths that vary, where there are some and they can be padded."""
    own = tuple(shapes[group[0][0]][group[0][1]] for group in groups)
    capacity = tuple(n for n in map(capacity_for, own) if n is not None)
    return Lengths(own, capacity) if own and len(capacity) == len(own) else None


def _is_bound(signature: tuple[Any, ...], groups: Sequence[Sequence[tuple[int, int]]]) -> bool:
    """Whether an argument that varies has a gradient of its own, in its shape."""
    leaves = signature[2:]
    return any(leaves[i][2] is not None for group in groups for i, _ in group)
