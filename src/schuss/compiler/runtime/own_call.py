"""Own calls: what a call is that fills a part of a program's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schuss.compiler.graph.graph import Graph
from schuss.core import Array

__all__ = ["OwnCall"]


@dataclass(frozen=True)
class OwnCall:
    """A call that fills a part of a program's arrays.

    Args:
        graph: its own one, of which the value checks count.
        arrays: its own ones.
        results: where its outputs are in the program's.
    """

    graph: Graph
    arrays: Sequence[Array]
    results: list[Array]
