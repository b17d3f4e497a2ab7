"""Random uniform: numbers from Philox, a counter-based generator."""

from __future__ import annotations

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.views import Layouts
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.lowering.llvm_types import F32, kind_of
from schuss.lowering.philox import fractions, philox

__all__ = ["RandomUniform"]


class RandomUniform(KernelDescriptor):
    """Numbers in [0, 1) from a key; each step is one block of the generator."""

    def flops(self, node: Node) -> int:
        """Return about how many operations a node takes: ten rounds for each block."""
        return 20 * node.size

    def extent(self, node: Node) -> int:
        """Return how many blocks there are."""
        return max(-(-node.size // _block_size(node)), 1)

    def private(self, node: Node, layouts: Layouts) -> frozenset[Node]:
        """Return the result, where its blocks are of one size."""
        return frozenset([node] if node.size % _block_size(node) == 0 else [])

    def write(self, k: KernelEmitter) -> None:
        """Write a block at a time: as vectors the rounds would be no faster, and longer."""
        f, size, kind = k.f, k.node.size, kind_of(k.node.dtype)
        key = k.view(0)
        seed, draw = (k.load(key, [f.number(i)]) for i in range(2))
        each = _block_size(k.node)
        full, rest = divmod(size, each)
        with f.loop(k.low, k.high) as block:
            words = philox([block + 1, draw, f.number(0), f.number(0)], [seed, f.number(0)])
            numbers = fractions(f, words, kind)
            target = f.address(k.pointer(k.node), block * each, kind)
            if rest:
                last = block.eq(full)
                with f.when(~last):
                    f.emit(f"store {numbers.typed}, ptr {target}, align 4")
                with f.when(last):
                    place = f.reserve(numbers.kind)
                    f.emit(f"store {numbers.typed}, ptr {place}")
                    for i in range(rest):
                        f.store(f.load(place, i, kind), target, i)
            else:
                f.emit(f"store {numbers.typed}, ptr {target}, align 4")


def _block_size(node: Node) -> int:
    """Return how many numbers come of one block."""
    return 8 if kind_of(node.dtype) == F32 else 4
