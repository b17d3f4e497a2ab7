"""Registry of kernels: the descriptor for each name that primitives lower to."""

from __future__ import annotations

from schuss.compiler.graph.graph import GraphError, Node
from schuss.compiler.kernels.argmax import ExtremePosition
from schuss.compiler.kernels.argsort import Argsort
from schuss.compiler.kernels.bfloat16_product import Bfloat16Product
from schuss.compiler.kernels.convolution import Convolution
from schuss.compiler.kernels.convolution_weight import ConvolutionWeight
from schuss.compiler.kernels.cumulative_sum import CumulativeSum
from schuss.compiler.kernels.gather import Gather
from schuss.compiler.kernels.host_call import HostCall
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.compiler.kernels.loop import Loop
from schuss.compiler.kernels.matmul import Matmul
from schuss.compiler.kernels.panel_product import PanelProduct
from schuss.compiler.kernels.random_uniform import RandomUniform
from schuss.compiler.kernels.regions import CopyRegions
from schuss.compiler.kernels.scatter_add import ScatterAdd
from schuss.compiler.kernels.segment_lists import SegmentLists
from schuss.compiler.kernels.windows import Windows
from schuss.lowering.kinds import Kernel

__all__ = ["KERNELS", "kernel_of"]

KERNELS: dict[str, KernelDescriptor] = {
    "argmax": ExtremePosition(largest=True),
    "argmin": ExtremePosition(largest=False),
    "argsort": Argsort(),
    "bfloat16_product": Bfloat16Product(),
    "convolution": Convolution(is_backward=False),
    "convolution_input": Convolution(is_backward=True),
    "convolution_weight": ConvolutionWeight(),
    "cumulative_sum": CumulativeSum(),
    "gather": Gather(),
    "host_call": HostCall(),
    "loop": Loop(),
    "matmul": Matmul(),
    "panel_product": PanelProduct(),
    "random_uniform": RandomUniform(),
    "regions": CopyRegions(),
    "scatter_add": ScatterAdd(),
    "segment_lists": SegmentLists(),
    **{f"window_{name}": Windows(name) for name in ("max", "place", "put", "take")},
}


def kernel_of(node: Node) -> KernelDescriptor | None:
    """Return the kernel that computes a node; None where a loop does, or nothing has to.

    Raises:
        GraphError: when its primitive names a kernel that is not there.
    """
    lowering = node.primitive and node.primitive.lower
    if not isinstance(lowering, Kernel):
        return None
    try:
        return KERNELS[lowering.name]
    except KeyError:
        raise GraphError(
            f"{node}: expected one of the kernels {sorted(KERNELS)}, got {lowering.name!r}; "
            "add it to schuss.compiler.kernels.registry."
        ) from None
