"""Regions: results put together from copies of inputs, as concat, pad and index gradients."""

from __future__ import annotations

import operator

from schuss.compiler.graph.views import region
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.lowering.kinds import Regions
from schuss.lowering.llvm_types import kind_of

__all__ = ["CopyRegions"]


class CopyRegions(KernelDescriptor):
    """Each input in its region of the result, and a number everywhere else."""

    def write(self, k: KernelEmitter) -> None:
        """Fill the result, then copy one input after the other."""
        lowering = k.node.primitive and k.node.primitive.lower
        assert isinstance(lowering, Regions)
        attributes = k.node.attributes
        fill = lowering.fill(**attributes)
        if fill is not None:
            value = k.f.number(fill, kind_of(k.node.dtype))
            with k.f.loop(0, k.node.size) as i:
                k.f.store(value, k.pointer(k.node), i)
        shapes = [x.shape for x in k.node.inputs]
        for number, part in enumerate(lowering.parts(shapes, **attributes)):
            if k.node.inputs[number].size == 0:
                continue
            target = region(k.node, k.out, operator.itemgetter(part))
            assert target is not None  # a basic index is always a view
            source = k.view(number).broadcast(target.shape)
            with k.loops(target.shape) as place:
                k.store(k.load(source, place), target, place)
