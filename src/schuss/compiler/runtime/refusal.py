"""Refusals: the error to raise where a program's value check failed, before it changed anything."""

from __future__ import annotations

from collections.abc import Sequence

from schuss.compiler.graph.evaluate import raise_if_refused
from schuss.compiler.graph.graph import Graph, Node
from schuss.compiler.kernels.host_function import take_error
from schuss.core import Array

__all__ = ["refusal", "refusal_in_scan"]


def refusal(graph: Graph, inputs: Sequence[Array], numbers: Sequence[Array]) -> BaseException:
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

    failed = take_error()
    if failed is not None:
        return failed
    for check in graph.checks:
        try:
            raise_if_refused(check, value_of)
        except Exception as error:
            return error
    return ValueError(
        "compile: a value is at the very limit of what is allowed, and beyond it as the compiled "
        f"function rounds: {'; '.join(str(check.asked) for check in graph.checks)}."
    )


def refusal_in_scan(
    graph: Graph, inputs: Sequence[Array], numbers: Sequence[Array], step: int
) -> BaseException:
    """Return likewise the error of a step of a scan, which says which one it was."""
    error = refusal(graph, inputs, numbers)
    done = f"the {step} before it are done" if step else "nothing has changed"
    error.args = (f"{error} This was step {step} of the scan, counted from 0; {done}.",)
    return error
