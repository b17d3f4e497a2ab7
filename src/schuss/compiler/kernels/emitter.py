"""Kernel emitter: loops, loads and stores of strided views, which the bodies of kernels are of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import Partitioning
from schuss.compiler.graph.views import Layouts, Strided, contiguous
from schuss.compiler.kernels.plan import KernelPlan
from schuss.lowering.ir_builder import Function, Scalar
from schuss.lowering.llvm_types import I64, kind_of

__all__ = ["KernelEmitter", "place_of"]


class KernelEmitter:
    """What a kernel writes the function of its node with.

    Args:
        node: what is computed.
        layouts: the views that its inputs are.
        plan: how it is computed.
        partitioning: how threads share it.
        pointer: returns the parameter that points to a node's buffer.
        f: the function; its parameters `%lo` and `%hi` bound the steps of a thread, `%scratch` is
            working memory of the thread's own, and `%status` points to the status of the step.
        has_epilogue: whether `%epilogue` is to be called with `%table` and the bounds of rows of
            the result, each row once, when these are computed.
        others: further results.
        stages: writes the functions of a step's stages, and returns the calls.
    """

    def __init__(
        self,
        node: Node,
        layouts: Layouts,
        plan: KernelPlan,
        partitioning: Partitioning,
        pointer: Callable[[Node], str],
        f: Function,
        *,
        has_epilogue: bool = False,
        others: Sequence[Node] = (),
        stages: Callable[[Any], Sequence[Any]] = lambda program: (),
    ) -> None:
        self.plan = plan
        self.partitioning = partitioning
        self.has_epilogue = has_epilogue
        self.node = node
        self.others = others
        self.stages = stages
        self.layouts = layouts
        self.pointer = pointer
        self.f = f
        self.low = f.parameter("lo", I64)
        self.high = f.parameter("hi", I64)

    def view(self, i: int) -> Strided:
        """Return the view that input `i` is."""
        return self.layouts.of(self.node.inputs[i])

    @property
    def out(self) -> Strided:
        """The result as a view of itself."""
        return Strided(self.node, 0, self.node.shape, contiguous(self.node.shape))

    def load(self, view: Strided, index: list[Scalar]) -> Scalar:
        """Read an element of a view."""
        kind = kind_of(view.root.dtype)
        return self.f.load(self.pointer(view.root), place_of(view, index), kind)

    def store(self, value: Scalar, view: Strided, index: list[Scalar]) -> None:
        """Write an element of a view."""
        self.f.store(value, self.pointer(view.root), place_of(view, index))

    def copy(
        self, source: Strided, at: list[Scalar], target: Strided, to: list[Scalar], count: int
    ) -> None:
        """Copy so many elements that follow each other."""
        f, kind = self.f, kind_of(source.root.dtype)
        origin = f.address(self.pointer(source.root), place_of(source, at), kind)
        end = f.address(self.pointer(target.root), place_of(target, to), kind)
        nbytes = count * source.root.dtype.itemsize
        f.declare("@llvm.memcpy.p0.p0.i64", "void", ["ptr", "ptr", I64, "i1"])
        f.emit(f"call void @llvm.memcpy.p0.p0.i64(ptr {end}, ptr {origin}, i64 {nbytes}, i1 false)")

    def from_start(self, i: Scalar, n: int) -> Scalar:
        """Return an index of an axis of length n counted from its start, 0 where it is none.

        Then a value check fails, but it may do so after this.
        """
        i = i.lt(0).where(i + n, i)
        return (i.lt(0) | i.ge(n)).where(i.like(0), i)

    @contextmanager
    def loops(self, shape: tuple[int, ...], *, shared: bool = False) -> Iterator[list[Scalar]]:
        """Run the body for every index; with `shared`, a thread's part of the first axis."""
        with ExitStack() as stack:
            index = []
            for a, n in enumerate(shape):
                bounds = (self.low, self.high) if shared and a == 0 else (0, n)
                index.append(stack.enter_context(self.f.loop(*bounds)))
            yield index


def place_of(view: Strided, index: list[Scalar]) -> Scalar | int:
    """Return the offset of an element in its buffer."""
    total: Scalar | int = view.offset
    for i, step, n in zip(index, view.strides, view.shape, strict=True):
        if step and n != 1:
            term = i if step == 1 else i * step
            total = term + total if isinstance(total, Scalar) or total else term
    return total
