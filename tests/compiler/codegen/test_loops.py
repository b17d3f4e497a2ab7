"""Loops whose vectors LLVM has to find, where a small thing in their text decides it."""

from __future__ import annotations

import re

import numpy as np
import pytest

import schuss as ss
from schuss.native import object_code
from schuss.native.target import llvm, target_machine


@pytest.mark.parametrize("outside", [-np.inf, -1e9])
def test_a_masked_maximum_is_a_loop_over_vectors(outside: float) -> None:
    mask = ss.tensor(np.tri(64, 128, dtype=bool))
    run = ss.compile(lambda x: ss.max(ss.where(mask, x, outside), axis=2))
    run(ss.ones((4, 64, 128)))
    (build,) = run._builds.values()
    found = []
    for text in build.compilation.module.loops:
        machine = target_machine()
        module = llvm().parse_assembly(text, llvm().create_context())
        module.triple = llvm().get_process_triple()
        module.data_layout = str(machine.target_data)
        object_code.optimise(module, machine)
        found += re.findall(r"@llvm\.maximum\.v\d+f32", str(module))
    assert found
