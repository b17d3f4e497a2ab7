"""Stages that are the same code for other memory share a function, and others do not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.compiler import compile

DATA = np.random.default_rng(0)


def names_of(function: Any, *shapes: tuple[int, ...]) -> tuple[list[str], bool]:
    """Return the functions of a program's stages, and whether it agrees with eager evaluation."""
    compiled = compile(function)
    xs = [ss.tensor(DATA.normal(size=shape).astype("f4")) for shape in shapes]
    pairs = zip(compiled(*xs), function(*xs), strict=True)
    agree = all(np.allclose(a.array, b.array, rtol=1e-6, atol=1e-7) for a, b in pairs)
    (specializations,) = compiled._specializations.values()
    return [name for name, _ in specializations[0].build.compilation.module.stages], agree


@pytest.mark.parametrize(
    ("function", "shapes", "count"),
    [
        (lambda x, y: (ss.exp(x) * 2, ss.exp(y) * 2), [(4, 5), (4, 5)], 1),
        (lambda x, y: (ss.exp(x) * 2, ss.exp(y) * 2), [(4, 5), (40,)], 1),
        (lambda x, y: (ss.exp(x) * 2, ss.exp(y) * 3), [(4, 5), (4, 5)], 2),
        (lambda x, y: (ss.sum(x, axis=0), ss.sum(y, axis=1)), [(4, 4), (4, 4)], 2),
        (lambda x, y: (ss.cumulative_sum(x, axis=0), ss.cumulative_sum(y, axis=0)), [(4,)] * 2, 1),
        (lambda x, y: (ss.argsort(x), ss.argsort(y, descending=True)), [(7,), (7,)], 2),
        (lambda x, y: (x * y, x * x), [(3, 2), (3, 2)], 2),
    ],
)
def test_the_same_code_is_written_once(function: Any, shapes: Any, count: int) -> None:
    names, agree = names_of(function, *shapes)
    assert agree
    assert len(names) == 2
    assert len(set(names)) == count
