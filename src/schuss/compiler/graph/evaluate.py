"""Evaluation of some of a graph's nodes by NumPy: what refused values are, for the error."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from schuss.compiler.graph.graph import Check, Node, ordered
from schuss.core import Array

__all__ = ["raise_if_refused"]


def raise_if_refused(check: Check, value_of: Callable[[Node], Array]) -> None:
    """Raise the check's error where the values are refused.

    Args:
        check: what is asked of which values.
        value_of: returns the value of a node that is read and not computed.
    """
    values: dict[Node, Array] = {}
    with np.errstate(all="ignore"):
        for node in ordered(check.nodes):
            if node.primitive is None:
                values[node] = value_of(node) if node.array is None else node.array
            else:
                found = node.primitive.value(*[values[x] for x in node.inputs], **node.attributes)
                values[node] = np.asarray(found, node.dtype)
    check.asked.require(*[values[x] for x in check.nodes])
