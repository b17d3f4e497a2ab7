"""Rematerialization: values that are computed again where they are read, not kept.

Backward reads what forward computed on the way: of an activation, say, several values that all come
of one. To write each to memory and read it again takes longer than to compute it anew from what is
there anyway, and a large network's values of that kind are most of its memory.
"""

from __future__ import annotations

from collections.abc import Iterable

from schuss.compiler.graph.graph import Node, again
from schuss.compiler.schedule.fusion import Fuser
from schuss.compiler.schedule.stages import Stage, has_rows, loop_shape
from schuss.lowering.kinds import Elementwise
from schuss.primitives.bfloat16 import BITS

__all__ = ["rematerialize"]

# Smaller values stay in the nearest caches.
_LEAST_BYTES = 65_536
# Operations that take about as long as to write or to read a byte in the caches' lower levels.
_OPERATIONS_PER_BYTE = 5


def rematerialize(fuser: Fuser) -> None:
    """Let loops compute what they read of earlier loops, where that is cheaper.

    Args:
        fuser: has put all nodes into stages; nodes and stages are changed.
    """
    reads = _Reads(fuser)
    for stage in fuser.in_order():
        if not stage.is_kernel and stage.nodes:
            _Values(fuser, stage, reads).replace()
    alive = set(fuser.graph.nodes())
    for stage in fuser.stages:
        stage.nodes = [node for node in stage.nodes if node in alive]


class _Reads:
    """Which stages read which values, and which nodes do; and what is stored for its own sake."""

    def __init__(self, fuser: Fuser) -> None:
        self.fuser = fuser
        self.of: dict[Node, dict[Stage, list[Node]]] = {}
        for node in fuser.graph.nodes():
            self.add(node)
        self.roots = {fuser.layouts.of(x).root for x in fuser.graph.roots()}
        self.changed = {s.node for s in fuser.graph.states if s.updated is not None}

    def add(self, node: Node) -> None:
        """Note what a node of a stage reads."""
        stage = self.fuser.stage_of.get(node)
        if stage is not None:
            for x in node.inputs:
                root = self.fuser.layouts.of(x).root
                self.of.setdefault(root, {}).setdefault(stage, []).append(node)


class _Values:
    """The values of one stage that others read."""

    def __init__(self, fuser: Fuser, stage: Stage, reads: _Reads) -> None:
        self.fuser = fuser
        self.stage = stage
        self.reads = reads
        found = {
            v: {s: nodes for s, nodes in reads.of.get(v, {}).items() if s is not stage}
            for v in stage.nodes
        }
        self.readers = {v: by_stage for v, by_stage in found.items() if by_stage}
        # What need not be stored if all that read it compute it; and what is stored in any case.
        self.optional = [v for v in self.readers if v not in reads.roots and self._is_optional(v)]
        wanted = [v for v in stage.nodes if v in self.readers or v in reads.roots]
        self.stored = set(wanted) - set(self.optional)

    def _is_optional(self, value: Node) -> bool:
        if value.nbytes < _LEAST_BYTES or not _is_elementwise(value):
            return False
        return all(
            self._can_compute(reader) and all(self._is_in_place(value, n) for n in nodes)
            for reader, nodes in self.readers[value].items()
        )

    def _can_compute(self, reader: Stage) -> bool:
        same = reader.shape == self.stage.shape and reader.on_demand is self.stage.on_demand
        return same and not has_rows(reader)

    def _is_in_place(self, value: Node, reader: Node) -> bool:
        """Whether a node reads a value just where it is at in its loop."""
        views = [self.fuser.layouts.of(x) for x in reader.inputs]
        return all(
            view.is_whole and loop_shape(view.shape) == self.stage.shape
            for view in views
            if view.root is value
        )

    def replace(self) -> None:
        """Compute all of the optional values, or else some of them, where they are read."""
        if self._pays(self.optional):
            self._apply(self.optional)
            return
        for value in self.optional:
            if self._pays([value]):
                self._apply([value])
                self.stored.discard(value)

    def _needed(self, values: Iterable[Node]) -> tuple[dict[Node, None], dict[Node, None]]:
        """Return what has to be computed for some values, and what is read for that."""
        computed: dict[Node, None] = {}
        read: dict[Node, None] = {}
        waiting = list(values)
        while waiting:
            node = waiting.pop()
            if node in computed:
                continue
            computed[node] = None
            for x in node.inputs:
                view = self.fuser.layouts.of(x)
                is_here = self.fuser.stage_of.get(view.root) is self.stage
                # Bits are there to be kept in the place of what they are made of.
                is_kept = view.root in self.stored or view.root.primitive is BITS
                if is_here and _is_elementwise(view.root) and not is_kept:
                    waiting.append(view.root)
                else:
                    read[view.root] = None
        return computed, read

    def _pays(self, values: list[Node]) -> bool:
        """Whether to compute values again moves less memory, and takes no longer."""
        if not values:
            return False
        saved = sum(v.nbytes * (1 + len(self.readers[v])) for v in values)
        added = operations = 0
        for reader, wanted in self._by_reader(values).items():
            computed, read = self._needed(wanted)
            known = {self.fuser.layouts.of(x).root for n in reader.nodes for x in n.inputs}
            added += sum(self._moved(x) for x in read if x not in known and x.array is None)
            operations += sum(_cost(node) * node.size for node in computed)
            # To read a state later may mean that its update has to be copied into it at the end.
            if any(x in self.reads.changed and x.nbytes >= _LEAST_BYTES for x in read):
                return False
        return saved > added and operations <= _OPERATIONS_PER_BYTE * (saved - added)

    def _moved(self, read: Node) -> int:
        """Return the bytes to read a value, and to write it if nobody has read it so far."""
        is_new = read.primitive is BITS and read not in self.readers
        return read.nbytes * (1 + is_new)

    def _by_reader(self, values: Iterable[Node]) -> dict[Stage, list[Node]]:
        found: dict[Stage, list[Node]] = {}
        for value in values:
            for reader in self.readers[value]:
                found.setdefault(reader, []).append(value)
        return found

    def _apply(self, values: list[Node]) -> None:
        for reader, wanted in self._by_reader(values).items():
            computed, _ = self._needed(wanted)
            copies = _Copies(self.fuser, computed)
            changed = [n for v in wanted for n in self.readers[v][reader]]
            for node in dict.fromkeys(changed):
                node.inputs = tuple(map(copies.of, node.inputs))
            for copy in copies.made:
                reader.nodes.append(copy)
                self.fuser.stage_of[copy] = reader
                self.reads.add(copy)
        for value in values:
            mine = self.reads.of[value].get(self.stage, [])
            self.reads.of[value] = {self.stage: mine} if mine else {}


class _Copies:
    """Copies of some nodes, with views of them."""

    def __init__(self, fuser: Fuser, originals: dict[Node, None]) -> None:
        self._fuser = fuser
        self._originals = originals
        self._of: dict[Node, Node] = {}
        self.made: list[Node] = []

    def of(self, node: Node) -> Node:
        """Return the copy of a node, or of a view of one; others are themselves."""
        if self._fuser.layouts.of(node).root not in self._originals:
            return node
        found = self._of.get(node)
        if found is None:
            found = self._of[node] = again(node, tuple(map(self.of, node.inputs)))
            if node in self._originals:
                self.made.append(found)
        return found


def _is_elementwise(node: Node) -> bool:
    return isinstance(node.primitive and node.primitive.lower, Elementwise)


def _cost(node: Node) -> int:
    lowering = node.primitive and node.primitive.lower
    return lowering.cost if isinstance(lowering, Elementwise) else 0
