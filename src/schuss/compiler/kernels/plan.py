"""Kernel plans: how one node is computed, decided once for its stage."""

from __future__ import annotations

from dataclasses import dataclass

from schuss.compiler.graph.partition import Partitioning

__all__ = ["KernelPlan"]


@dataclass(frozen=True)
class KernelPlan:
    """How a kernel computes one node; a kernel with a choice to make notes more in a subclass.

    Args:
        partitionings: in which ways threads can share it; the last one suits a single thread, too.
        scratch_bytes: working memory that each thread needs.
    """

    partitionings: tuple[Partitioning, ...]
    scratch_bytes: int = 0
