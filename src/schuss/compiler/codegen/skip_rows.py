"""Unchanged rows: what an update leaves as it is, and need not be read or written.

Where no gradient arrives at a row, gradient descent without momentum changes nothing, nor does a
rule that says so, as those for sparse gradients do. Whether an update is like that is found out
here from the update itself, in two parts. When it is compiled: whether every value that is stored
is what was there, plus or minus one that is the same for all elements. When it runs: whether these
values, computed once, are zero (a learning rate could make them something else).

Rules whose averages are zero at a row leave it alone, too, but to look at the averages takes as
long as to move the row: which way each row goes cannot be foreseen.
"""

from __future__ import annotations

from collections.abc import Callable

from schuss.compiler.codegen.elementwise import compute
from schuss.compiler.graph.graph import Node
from schuss.compiler.schedule.loop_nest import Nest
from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.kinds import SegmentSum
from schuss.lowering.llvm_types import BOOL, kind_of

__all__ = ["UnchangedRows"]


class UnchangedRows:
    """When a row may be left alone.

    Args:
        nest: the loop, which sums rows.
        pointer: returns the parameter that points to a node's buffer.
        f: the function that is written.
    """

    def __init__(self, nest: Nest, pointer: Callable[[Node], str], f: Function) -> None:
        self._nest = nest
        self._pointer = pointer
        self._f = f
        # What is added to the stored values, or taken from them.
        self._steps: list[Node] = []
        self.exists = bool(nest.writes) and not nest.reductions and self._find()

    def _find(self) -> bool:
        """Find the steps."""
        level = self._level()
        for access in self._nest.writes:
            if self._is_kept(access.node):
                continue
            step = self._step(access.node, level)
            if step is None:
                return False
            self._steps.append(step)
        return True

    def _level(self) -> dict[Node, None]:
        """Return the values that are the same for all elements of rows that nothing goes to."""
        level: dict[Node, None] = {}
        for node in self._nest.stage.nodes:
            if self._is_sum(node) or all(self._is_level(node, x, level) for x in node.inputs):
                level[node] = None
        return level

    def _is_level(self, node: Node, x: Node, level: dict[Node, None]) -> bool:
        inside = self._nest.register(node, x)
        return inside in level if inside is not None else self._nest.layouts.of(x).root.size == 1

    @staticmethod
    def _is_sum(node: Node) -> bool:
        return isinstance(node.primitive and node.primitive.lower, SegmentSum)

    def _is_old(self, x: Node, stored: Node) -> bool:
        """Whether `x` is what was where `stored` goes."""
        pointer, view = self._pointer, self._nest.layouts.of(x)
        is_read = view.is_whole and view.root not in self._nest.inside
        return is_read and pointer(view.root) == pointer(stored)

    def _is_kept(self, node: Node) -> bool:
        """Whether a node is the old value by its own word, where nothing goes to a row."""
        if node.op != "where":
            return False
        marks = self._nest.register(node, node.inputs[0])
        return marks is not None and self._is_sum(marks) and self._is_old(node.inputs[2], node)

    def _step(self, node: Node, level: dict[Node, None]) -> Node | None:
        """Return what is added to or taken from an old value, where a node does nothing else."""
        if node.op not in ("add", "subtract"):
            return None
        x, y = node.inputs
        turns = ((x, y), (y, x)) if node.op == "add" else ((x, y),)
        for old, step in turns:
            found = self._nest.register(node, step)
            if found in level and self._is_old(old, node) and old.dtype == step.dtype:
                return found
        return None

    # Writing.

    def write_check(self, operand: Callable[[Node, Node], Scalar]) -> Scalar:
        """Write the values of a row at rest, and return whether they leave everything as it is.

        Args:
            operand: returns a number that all elements share.
        """
        nest, f = self._nest, self._f
        values: dict[Node, Scalar] = {}
        for node in self._level():
            if self._is_sum(node):
                values[node] = f.number(0, kind_of(node.dtype))
                continue
            given = []
            for x in node.inputs:
                inside = nest.register(node, x)
                if inside is not None:
                    given.append(values[inside])
                else:
                    given.append(operand(node, x))
            values[node] = compute(node, given)
        found = f.number(1, BOOL)
        for node in self._steps:
            found = found & values[node].eq(0)
        return found
