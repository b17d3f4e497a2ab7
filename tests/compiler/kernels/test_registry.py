"""The registry of kernels: a descriptor for each that primitives lower to, and no others."""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
import pytest

import schuss as ss
from schuss import primitives
from schuss.compiler.graph.graph import GraphError, Node
from schuss.compiler.kernels.cost import cost_of
from schuss.compiler.kernels.registry import KERNELS, kernel_of
from schuss.lowering.kinds import Kernel
from schuss.primitives.base import REGISTRY

F8 = np.dtype("float64")

# Primitives are loaded when they are needed; here all of them are.
for _module in pkgutil.iter_modules(primitives.__path__, "schuss.primitives."):
    importlib.import_module(_module.name)


def test_every_kernel_has_its_descriptor() -> None:
    named = {p.lower.name for p in REGISTRY.values() if isinstance(p.lower, Kernel)}
    assert named == set(KERNELS)


def test_a_name_that_is_not_there() -> None:
    class Lost:
        lower = Kernel("lost")

    node = Node("lost", (), {}, (), F8, primitive=Lost())  # type: ignore[arg-type]
    with pytest.raises(GraphError, match="one of the kernels .*, got 'lost'; add it"):
        kernel_of(node)


def test_costs() -> None:
    x = Node("input", (), {}, (3, 4), F8)
    y = Node("input", (), {}, (4, 5), F8)

    def node(name: str, shape: tuple[int, ...], *inputs: Node) -> Node:
        return Node(name, inputs, {}, shape, F8, primitive=REGISTRY[name])

    assert cost_of(x) == 0
    assert cost_of(node("matmul", (3, 5), x, y)) == 2 * 3 * 4 * 5
    assert cost_of(node("add", (3, 4), x, x)) == 12
    assert cost_of(node("sum", (), x)) == 12
    assert cost_of(node("reshape", (12,), x)) == 0
    assert cost_of(node("segment_sum", (100, 4), x, y)) == 412
    assert cost_of(node("row_marks", (100, 4), y)) == 400


def test_concat_lowers_to_regions() -> None:
    step = ss.compile(lambda x: ss.concat([x, 2.0 * x]))
    step(ss.ones(3))
    (build,) = step._builds.values()
    (kernel,) = [s for s in build.compilation.plan.stages if s.is_kernel]
    assert kernel_of(kernel.nodes[0]) is KERNELS["regions"]
