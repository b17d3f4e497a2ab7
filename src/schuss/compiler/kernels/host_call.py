"""host_call: a primitive's own NumPy value, called from the program."""

from __future__ import annotations

import hashlib

from schuss.compiler.graph.abi import FAILED
from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.views import Strided
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.host_function import HOST_CALL, request_text
from schuss.compiler.kernels.kernel import KernelDescriptor
from schuss.lowering.llvm_types import BOOL, I64, kind_of

__all__ = ["HostCall"]


class HostCall(KernelDescriptor):
    """One call of `host_function`, by the thread that called the program."""

    may_fail = True

    def accepts(self, view: Strided) -> bool:
        """Whether the elements follow each other, as an array of this shape has them."""
        return view.strides_fit()

    def flops(self, node: Node) -> int:
        """Return about how many operations a node takes, as decompositions of its matrices do."""
        return max([x.size * max(x.shape, default=1) for x in node.inputs], default=1)

    def write(self, k: KernelEmitter) -> None:
        """Pass what is asked and where it lies; note in `%status` that it went wrong."""
        f, node = k.f, k.node
        assert node.primitive is not None
        text = request_text(
            node.primitive,
            node.attributes,
            [(x.shape, x.dtype.str) for x in node.inputs],
            (node.shape, node.dtype.str),
        )
        request = f"@host_request_{hashlib.sha256(text.encode()).hexdigest()[:16]}"
        content = "".join(f"\\{byte:02x}" for byte in (*text.encode(), 0))
        f.declared[request] = (
            f'{request} = private constant [{len(content) // 3} x i8] c"{content}"'
        )
        addresses = f.reserve(I64, len(node.inputs) + 1)
        places = [(k.view(i).root, k.view(i).offset) for i in range(len(node.inputs))]
        for i, (root, offset) in enumerate([*places, (node, 0)]):
            address = f.address(k.pointer(root), offset, kind_of(root.dtype))
            f.store(f.make(f"ptrtoint ptr {address} to i64", I64), addresses, i)
        f.declare(f"@{HOST_CALL}", "i32", ["ptr", "ptr"])
        failed = f.make(f"call i32 @{HOST_CALL}(ptr {request}, ptr {addresses})", "i32")
        with f.when(failed.ne(0)):
            f.store(f.number(1, BOOL), "%status", FAILED)
