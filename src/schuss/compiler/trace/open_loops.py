"""Loops whose steps are being traced: what a tracer keeps for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from schuss.compiler.graph.graph import Graph, Node
from schuss.compiler.trace.loop_call import trace_loop
from schuss.core import Tensor
from schuss.errors import TraceError
from schuss.primitives.checks import ValueCheck

__all__ = ["OpenLoops", "TracesLoops", "refuse_strays"]


@dataclass
class OpenLoops:
    """The loops whose steps are being traced.

    Args:
        checks: those met in each of these steps, the innermost last.
        changes: how often loops within such steps changed what they need.
        traced: whether there was a loop at all.
    """

    checks: list[list[tuple[ValueCheck, tuple[Tensor, ...]]]] = field(default_factory=list)
    changes: int = 0
    traced: bool = False


class TracesLoops:
    """A tracer's part that traces loops, which must not change what is outside of their steps."""

    _held: dict[int, tuple[Tensor, Node]]
    _now: dict[int, Node]

    def __init__(self) -> None:
        super().__init__()
        self.loops = OpenLoops()

    def loop(
        self, step: Callable[..., Any], carry: Any, xs: Any, length: int, reverse: bool
    ) -> tuple[Any, Any] | None:
        """Record a scan as a loop; None where its step has to be traced again and again."""
        return trace_loop(self, step, carry, xs, length, reverse=reverse)

    def states_now(self) -> dict[int, Node]:
        """Return what the tensors from outside of the function are now, by their ids."""
        return dict(self._now)

    def undo_changes(self, before: dict[int, Node]) -> bool:
        """Let states be what they were before; return whether they were something else."""
        changed = False
        for key, (_, first) in self._held.items():
            was = before.get(key, first)
            changed = changed or self._now[key] is not was
            self._now[key] = was
        return changed


def refuse_strays(graph: Graph) -> None:
    """Refuse what a step of a loop computed and was used outside of it."""
    known = set(graph.inputs)
    if any(node.op == "input" and node not in known for node in graph.nodes()):
        raise TraceError(
            "scan: a tensor that a step computes is used outside of it, where there is one for "
            "each step; return it from the step."
        )
