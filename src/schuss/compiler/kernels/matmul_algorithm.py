"""Interface of the matrix product's algorithms: the problem, its partitionings, what is written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from schuss.compiler.graph.graph import Node
from schuss.compiler.graph.partition import Partitioning, private_values
from schuss.compiler.graph.views import Strided
from schuss.compiler.kernels.emitter import KernelEmitter
from schuss.compiler.kernels.plan import KernelPlan
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.llvm_types import F32, F64, kind_of

__all__ = ["BY_MATRICES", "BY_PARTS", "BY_ROWS", "Cut", "MatmulAlgorithm", "Product"]

# Kinds of partitionings: along leading axes, along rows of the result, or in parts of a cut.
BY_MATRICES, BY_ROWS, BY_PARTS = "matrices", "rows", "parts"
# Elements of y that each thread may pack for itself, so that a product can be shared by rows.
_PACKED_TWICE = 65_536
# A part has at least so many operations. Parts do not depend on the number of threads, so that the
# sums of BLAS do not either.
_LEAST_FLOPS = 400_000


@dataclass(frozen=True)
class Product:
    """x @ y, as far as the choice of an algorithm depends on it.

    Args:
        node: the product.
        x: the first factor, as it lies; shape (..., m, inner).
        y: the second factor, as it lies; shape (..., inner, n).
    """

    node: Node
    x: Strided
    y: Strided

    @property
    def m(self) -> int:
        """Rows of the result."""
        return self.node.shape[-2]

    @property
    def n(self) -> int:
        """Columns of the result."""
        return self.node.shape[-1]

    @property
    def inner(self) -> int:
        """Length of the axis that is summed over."""
        return self.x.shape[-1]

    @property
    def flops(self) -> int:
        """Operations for the matrices at one index of the leading axes."""
        return 2 * self.m * self.n * self.inner

    @property
    def kind(self) -> str:
        """LLVM's type of the result's elements."""
        return kind_of(self.node.dtype)

    @property
    def is_float(self) -> bool:
        """Whether it is a product of floats."""
        return self.kind in (F32, F64)

    @property
    def is_batched(self) -> bool:
        """Whether there are leading axes."""
        return len(self.node.shape) > 2

    @property
    def wanted_parts(self) -> int:
        """Into how many parts it may be cut."""
        return 1 if self.is_batched else max(self.flops // _LEAST_FLOPS, 1)

    @property
    def is_packed_by_all(self) -> bool:
        """Whether y is so small that each thread may pack all of it."""
        return self.inner * self.n <= _PACKED_TWICE

    def partitionings(self, *ways: Partitioning | None) -> tuple[Partitioning, ...]:
        """Return in which ways threads can share it, given those for a single pair of matrices."""
        if not self.is_batched:
            return (*[way for way in ways if way is not None], Partitioning(1))
        first = self.node.shape[0]
        is_apart = self.x.shape[:1] == (first,) and len(self.x.shape) == len(self.node.shape)
        private = self._private(x_too=is_apart)
        return Partitioning(first, private, first, BY_MATRICES), Partitioning(1)

    def by_rows(self, *, allows_epilogue: bool) -> Partitioning | None:
        """Return the partitioning along rows of the result, if there are several."""
        if self.m < 2 or self.is_batched:
            return None
        return Partitioning(self.m, self._private(), self.m, BY_ROWS, allows_epilogue)

    def _private(self, *, x_too: bool = True) -> frozenset[Node]:
        """Return the values of which each index along the first axis has a part of its own."""
        # Of y, a step reads all; and y may be x's own memory.
        return private_values([(self.x, 0 if x_too else None), (self.y, None)]) | {self.node}


@dataclass(frozen=True)
class Cut:
    """A product in parts.

    Args:
        by_columns: whether it is the result's columns that are cut, or its rows.
        length: how many there are of them.
        each: how many of them are in a part.
    """

    by_columns: bool
    length: int
    each: int

    @property
    def partitioning(self) -> Partitioning | None:
        """How threads share the parts, if there are several."""
        parts = -(-self.length // self.each)
        return Partitioning(parts, frozenset(), parts, BY_PARTS) if parts > 1 else None


@dataclass(frozen=True)
class MatmulAlgorithm(KernelPlan, ABC):
    """How one matrix product is computed."""

    @abstractmethod
    def write(self, k: KernelEmitter, x: Strided, y: Strided, index: list[Scalar]) -> None:
        """Write what `k.partitioning` gives to a thread of x @ y.

        Args:
            k: what it is written with.
            x: the first factor, broadcast along the leading axes.
            y: the second factor, likewise.
            index: of the leading axes.
        """
