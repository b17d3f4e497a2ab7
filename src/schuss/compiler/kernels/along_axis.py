"""Kernels along one axis: threads share the first of the other axes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from schuss.compiler.graph.graph import Node
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.lowering.ir_builder import Scalar

__all__ = ["AlongAxis", "lanes"]


class AlongAxis(KernelDescriptor):
    """A kernel that goes along the attribute `axis` of its input, for each index of the others."""

    def extent(self, node: Node) -> int:
        """Return the length of the first of the other axes."""
        return next(iter(_other_lengths(node)), 1)


@contextmanager
def lanes(k: KernelEmitter) -> Iterator[list[Scalar]]:
    """Run the body for a thread's indices of the axes but for `axis`, where the index is 0."""
    axis = k.node.attributes["axis"]
    with k.loops(_other_lengths(k.node), shared=True) as index:
        yield [*index[:axis], k.f.number(0), *index[axis:]]


def _other_lengths(node: Node) -> tuple[int, ...]:
    shape, axis = node.inputs[0].shape, node.attributes["axis"]
    return shape[:axis] + shape[axis + 1 :]
