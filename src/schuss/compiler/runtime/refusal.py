"""Refusals: the error to raise where a program's value check failed, before it changed anything."""

from __future__ import annotations

from collections.abc import Sequence

from schuss.compiler.graph.evaluate import raise_if_refused
from schuss.compiler.graph.graph import Graph, Node
from schuss.core import Array

__all__ = ["place_in_scan", "refusal"]


def refusal(graph: Graph, inputs: Sequence[Array], numbers: Sequence[Array]) -> Exception:
    """Return the error that the function raises when it is evaluated at once.

    As nothing has changed, NumPy finds the values that were refused: where they are, and what.

    Args:
        graph: of the program.
        inputs: of the step.
        numbers: of the graph, as they are at the step.
    """

    def value_of(node: Node) -> Array:
        if node.op == "input":
            return inputs[node.place]
        return numbers[node.place] if node.op == "number" else graph.states[node.place].tensor.array

    for check in graph.checks:
        try:
            raise_if_refused(check, value_of)
        except Exception as error:
            return error
    return ValueError(
        "compile: a value is at the very limit of what is allowed, and beyond it as the compiled "
        f"function rounds: {'; '.join(str(check.asked) for check in graph.checks)}."
    )


def place_in_scan(step: int) -> str:
    """Return what the error of a scan says about where it happened."""
    done = f"the {step} before it are done" if step else "nothing has changed"
    return f"This was step {step} of the scan, counted from 0; {done}."
