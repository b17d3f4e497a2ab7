"""One element of an elementwise primitive, in LLVM text."""

from __future__ import annotations

from typing import Any

import numpy as np

from schuss.compiler.graph.graph import Node
from schuss.lowering.ir_builder import Scalar
from schuss.lowering.kinds import Elementwise
from schuss.lowering.llvm_types import kind_of
from schuss.primitives.base import result_dtype

__all__ = ["compute"]


def compute(node: Node, operands: list[Scalar]) -> Scalar:
    """Write one element of an elementwise primitive."""
    assert node.primitive is not None
    lowering = node.primitive.lower
    assert isinstance(lowering, Elementwise)
    dtypes: list[np.dtype[Any]] = [x.dtype for x in node.inputs[lowering.uncast :]]
    common = kind_of(result_dtype(*dtypes))
    cast = [x if i < lowering.uncast else x.to(common) for i, x in enumerate(operands)]
    return lowering.expression(*cast).to(kind_of(node.dtype))  # type: ignore[no-any-return]  # of Any
