"""Rows at rest: what an update leaves as it is, and need not be read or written.

Where no gradient arrives at a row and a rule's averages of it are zero, most rules change nothing.
Whether one does is found out here from the update itself, in two parts. When it is compiled: which
values are then the same for all elements, and whether every other one that is stored is what was
there, plus or minus one of these. When it runs: whether these values, computed once, are zero (a
learning rate or an epsilon could make them something else).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from schuss.compiler.faces import Rows
from schuss.compiler.graph import Node
from schuss.compiler.scalars import BOOL, F32, I32, I64, Scalar, kind_of

if TYPE_CHECKING:
    from schuss.compiler.loops import LoopNest

__all__ = ["Rest"]


class Rest:
    """When a row may be left alone.

    Args:
        nest: the loop; it sums rows.
    """

    def __init__(self, nest: LoopNest) -> None:
        self._nest = nest
        # The stored values whose old ones have to be zero, and what is added to the others.
        self.averages: list[Node] = []
        self._steps: list[Node] = []
        self.exists = bool(nest.writes) and not nest.reductions and self._find()

    def _find(self) -> bool:
        """Find the averages: all that is stored, but for what a step is added to."""
        stored = [access.node for access in self._nest.writes]
        if any(n.dtype.kind != "f" or not self._is_in_place(n) for n in stored):
            return False
        moving = [n for n in stored if not self._is_kept(n)]
        self.averages = list(moving)
        for node in moving:
            others = [n for n in self.averages if n is not node]
            level = self._level(others)
            step = self._step(node, level)
            if step is not None and all(n in level for n in others):
                self.averages = others
                self._steps.append(step)
        level = self._level(self.averages)
        # Without a step, all that is stored would have to be zero: as good as never.
        steps = bool(self._steps) or len(moving) < len(stored)
        return steps and all(n in level for n in self.averages)

    def _level(self, averages: list[Node]) -> dict[Node, None]:
        """Return the values that are the same for all elements, if these averages are zero."""
        level: dict[Node, None] = {}
        for node in self._nest.stage.nodes:
            same = (self._is_level(node, x, level, averages) for x in node.inputs)
            if self._is_sum(node) or all(same):
                level[node] = None
        return level

    def _is_level(self, node: Node, x: Node, level: dict[Node, None], averages: list[Node]) -> bool:
        inside = self._nest._register(node, x)
        if inside is not None:
            return inside in level
        root = self._nest.layouts.of(x).root
        return root.size == 1 or self._is_old(x, averages)

    @staticmethod
    def _is_sum(node: Node) -> bool:
        return isinstance(node.primitive and node.primitive.lower, Rows)

    def _is_old(self, x: Node, stored: list[Node]) -> bool:
        """Whether `x` is what was where one of `stored` goes."""
        pointer, view = self._nest.pointer, self._nest.layouts.of(x)
        is_read = view.is_whole and view.root not in self._nest.inside
        return is_read and pointer(view.root) in [pointer(n) for n in stored]

    def _is_kept(self, node: Node) -> bool:
        """Whether a node is the old value by its own word, where nothing goes to a row."""
        if node.op != "where":
            return False
        marks = self._nest._register(node, node.inputs[0])
        return marks is not None and self._is_sum(marks) and self._is_old(node.inputs[2], [node])

    def _is_in_place(self, node: Node) -> bool:
        """Whether the loop reads the old value of what it stores."""
        return any(self._is_old(x, [node]) for _, x in self._nest.reads)

    def _step(self, node: Node, level: dict[Node, None]) -> Node | None:
        """Return what is added to or taken from an old value, where a node does nothing else."""
        if node.op not in ("add", "subtract"):
            return None
        x, y = node.inputs
        turns = ((x, y), (y, x)) if node.op == "add" else ((x, y),)
        for old, step in turns:
            found = self._nest._register(node, step)
            if found in level and self._is_old(old, [node]) and old.dtype == step.dtype:
                return found
        return None

    # Writing.

    def changes_nothing(self, operand: Callable[[Node, Node], Scalar]) -> Scalar:
        """Write the values of a row at rest, and return whether they leave everything as it is.

        Args:
            operand: returns a number that all elements share.
        """
        from schuss.compiler.loops import compute

        nest, f = self._nest, self._nest.f
        values: dict[Node, Scalar] = {}
        for node in self._level(self.averages):
            if self._is_sum(node):
                values[node] = f.number(0, kind_of(node.dtype))
                continue
            given = []
            for x in node.inputs:
                inside = nest._register(node, x)
                if inside is not None:
                    given.append(values[inside])
                elif nest.layouts.of(x).root.size == 1:
                    given.append(operand(node, x))
                else:
                    given.append(f.number(0, kind_of(x.dtype)))
            values[node] = compute(node, given)
        found = f.number(1, BOOL)
        for node in [*self.averages, *self._steps]:
            found = found & values[node].eq(0)
        return found

    def note_averages(self, start: Scalar, stop: Scalar, busy: str) -> None:
        """Set the word `busy` if an average from element `start` to `stop` is not zero."""
        f = self._nest.f
        for node in self.averages:
            place = self._nest.pointer(node)
            kind = I32 if kind_of(node.dtype) == F32 else I64
            with f.when(f.load(busy, 0, I64).eq(0)):
                bits = f.reserve(kind)
                f.store(f.number(0, kind), bits, 0)
                with f.loop(start, stop) as i:
                    f.store(f.load(bits, 0, kind) | f.load(place, i, kind), bits, 0)
                f.store(f.load(bits, 0, kind).to(I64), busy, 0)
