"""Stage keys: stages of one key share their code, as an optimiser's for many parameters do."""

from __future__ import annotations

from typing import Any

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.views import Layouts
from schuss.compiler.schedule.memory import Buffer, Memory
from schuss.compiler.schedule.stages import Stage

__all__ = ["StageKey"]


class StageKey:
    """What decides the code of a stage, and what may differ: where its buffers lie.

    Args:
        stage: what is computed.
        layouts: the views that its inputs are.
        memory: the buffers of all values.
    """

    def __init__(self, stage: Stage, layouts: Layouts, memory: Memory) -> None:
        self._memory = memory
        self._places: dict[int, int] = {}
        # One node for each buffer, in the order in which the stage names them.
        self.holders: list[Node] = []
        inside = {node: i for i, node in enumerate(stage.nodes)}
        parts: list[Any] = [stage.shape, stage.axes]
        for node in stage.nodes:
            attributes = repr(node.attributes) if node.attributes else ""
            parts += [node.op, attributes, node.shape, node.dtype]
            for x in node.inputs:
                view = layouts.of(x)
                number = x.array.tobytes() if x.array is not None and x.size == 1 else None
                parts += [view.offset, view.shape, view.strides, x.dtype, number]
                parts += [inside.get(view.root), self._holder(view.root), view.root.shape]
            parts.append(self._holder(node))
        # Two stages of one key have the same code.
        self.key = tuple(parts)

    def _holder(self, node: Node) -> int | None:
        buffer = self._memory.of.get(node)
        if buffer is None:
            return None
        place = self._places.setdefault(id(buffer), len(self.holders))
        if place == len(self.holders):
            self.holders.append(node)
        return place

    def place_of(self, buffer: Buffer) -> int:
        """Return the place among the holders of a buffer that the stage names."""
        return self._places[id(buffer)]
