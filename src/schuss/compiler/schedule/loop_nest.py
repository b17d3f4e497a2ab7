"""Loop nests: the loops of a stage, and where each of its values is read and written."""

from __future__ import annotations

from dataclasses import dataclass

from schuss.compiler.graph.graph import Node, literal
from schuss.compiler.graph.views import Strided, contiguous
from schuss.compiler.kernels.segment_sum import rows_per_block
from schuss.compiler.schedule.stages import Plan, Stage, loop_shape
from schuss.lowering.kinds import Elementwise, Reduction, SegmentSum

__all__ = ["COLUMNS", "Access", "Nest"]

# Columns whose sums are kept on the stack while the rows go by.
COLUMNS = 128


@dataclass
class Access:
    """A view with one stride for each loop."""

    node: Node
    offset: int
    strides: list[int]


class Nest:
    """The loops of one stage.

    Args:
        stage: what is computed.
        plan: views, and which values have to be stored.
    """

    def __init__(self, stage: Stage, plan: Plan) -> None:
        assert stage.shape is not None
        self.stage = stage
        self.layouts = plan.layouts
        self.sums = [n for n in stage.nodes if self.has_lowering(n, SegmentSum)]
        self.inside = {*self.sums, *[n for n in stage.nodes if self.has_lowering(n, Elementwise)]}
        self.reductions = [n for n in stage.nodes if self.has_lowering(n, Reduction)]
        stored = set(plan.stored)
        self.shape = list(stage.shape)
        self.reduced = [a in (stage.axes or ()) for a in range(len(self.shape))]
        self.reads: dict[tuple[Node, Node], Access] = {}
        for node in stage.nodes:
            for x in () if self.has_lowering(node, SegmentSum) else node.inputs:
                if not self.register(node, x) and literal(x) is None:
                    self.reads[node, x] = self._access(node, x)
        self.writes = [
            Access(n, 0, list(contiguous(tuple(self.shape))))
            for n in stage.nodes
            if n in self.inside and n in stored
        ]
        self.results = [self._result(n) for n in self.reductions]
        self._collapse()

    @staticmethod
    def has_lowering(node: Node, kind: type) -> bool:
        """Whether a node's lowering is of this kind."""
        return isinstance(node.primitive and node.primitive.lower, kind)

    def register(self, node: Node, x: Node) -> Node | None:
        """Return the value of this very loop that `x` is, if it is one."""
        view = self.layouts.of(x)
        shape = node.shape if node in self.inside else x.shape
        same = view.root in self.inside and view.is_whole and loop_shape(shape) == self.stage.shape
        return view.root if same and loop_shape(x.shape) == self.stage.shape else None

    def _access(self, node: Node, x: Node) -> Access:
        shape = node.shape if node in self.inside else x.shape
        view: Strided = self.layouts.of(x).broadcast(shape)
        view = view.without_units()
        return Access(view.root, view.offset, list(view.strides))

    def _result(self, node: Node) -> Access:
        kept = tuple(n for n, gone in zip(self.shape, self.reduced, strict=True) if not gone)
        steps = iter(contiguous(kept))
        return Access(node, 0, [0 if gone else next(steps) for gone in self.reduced])

    @property
    def accesses(self) -> list[Access]:
        """All places where memory is used, but for sums of rows."""
        return [*self.reads.values(), *self.writes, *self.results]

    def _collapse(self) -> None:
        """Join neighbouring loops wherever every access goes on without a gap."""
        accesses = self.accesses
        a = 0
        while a + 1 < len(self.shape):
            inner = self.shape[a + 1]
            fits = self.reduced[a] == self.reduced[a + 1] and all(
                x.strides[a] == x.strides[a + 1] * inner for x in accesses
            )
            if not fits:
                a += 1
                continue
            self.shape[a : a + 2] = [self.shape[a] * inner]
            del self.reduced[a]
            for x in accesses:
                del x.strides[a]
        # Fusion sees to it, for each block of rows is summed once.
        assert not self.sums or len(self.shape) == 1

    @property
    def axis(self) -> int | None:
        """The loop that threads share; None where there is nothing to share."""
        return self.reduced.index(False) if False in self.reduced else None

    @property
    def extent(self) -> int:
        """How many steps there are to share: of the loop, or blocks of rows that it sums."""
        if self.axis is None:
            return 1
        if self.sums:
            rows = self.sums[0].shape[0]
            return -(-rows // rows_per_block(self.sums[0].size // rows))
        return self.shape[self.axis]

    @property
    def is_any_length(self) -> bool:
        """Whether the code does not depend on the lengths: there is one loop, from `%lo` on."""
        return len(self.shape) == 1 and not self.reductions and not self.sums

    @property
    def by_columns(self) -> bool:
        """Whether the last loop is kept while others are reduced."""
        return bool(self.reductions) and any(self.reduced) and not self.reduced[-1]
