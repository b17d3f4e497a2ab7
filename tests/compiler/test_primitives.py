"""Every primitive compiled equals its NumPy definition, on the registry's own samples.

The calls of one primitive are compiled into one program, so that the table stays quick.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from schuss.compiler import compile
from schuss.core import leaf
from schuss.primitives.base import REGISTRY

_PATH = Path(__file__).parents[1] / "primitives" / "test_registry.py"
_SPEC = importlib.util.spec_from_file_location("registry_samples", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
table = importlib.util.module_from_spec(_SPEC)
sys.modules["registry_samples"] = table
_SPEC.loader.exec_module(table)

TOLERANCE = {"float32": 4e-6, "float64": 1e-13}


def calls(name: str) -> list[tuple[Any, list[Any], str]]:
    found = []
    for sample in table.SAMPLES[name]:
        for dtype in sample.dtypes:
            found.append((sample.call, table.cast(sample, sample.inputs, dtype), dtype))
            if dtype in table.FLOATS:
                for odd in sample.odd:
                    given = odd if isinstance(odd, tuple) else (odd,)
                    found.append((sample.call, table.cast(sample, given, dtype), dtype))
    return found


@pytest.mark.parametrize("name", sorted(set(REGISTRY) - table.OF_TRACES))
def test_compiled_equals_eager(name: str) -> None:
    cases = calls(name)
    with np.errstate(all="ignore"):
        expected = [call(*[leaf(x) for x in arrays]) for call, arrays, _ in cases]

    @compile
    def every(inputs: Any) -> Any:
        return [call(*xs) for (call, _, _), xs in zip(cases, inputs, strict=True)]

    got = every([[leaf(x) for x in arrays] for _, arrays, _ in cases])
    for mine, wanted, (_, arrays, dtype) in zip(got, expected, cases, strict=True):
        assert mine.dtype == wanted.dtype
        assert mine.shape == wanted.shape
        tolerance = TOLERANCE.get(dtype, 0) if wanted.dtype.kind == "f" else 0
        if name == "random_uniform":
            tolerance = 0
        np.testing.assert_allclose(
            mine.array, wanted.array, rtol=tolerance, atol=tolerance, err_msg=str(arrays)
        )
