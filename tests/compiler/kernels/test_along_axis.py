"""Kernels along one axis: the same bits however many threads share the other axes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.compiler.schedule import schedule


@pytest.fixture(autouse=True)
def _share_all(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(schedule, "SINGLE_THREAD_FLOPS", 0)
    monkeypatch.setattr(schedule, "_WORTH_SHARING", 0)
    yield
    ThreadTuner.always = None


def outputs(x: Any) -> list[Any]:
    return [
        f(x, axis=axis)
        for f in (ss.argsort, ss.argmax, ss.argmin, ss.cumulative_sum)
        for axis in range(3)
    ]


@pytest.mark.parametrize("shape", [(5, 40, 7), (1, 300, 2), (64, 1, 3)])
def test_equals_eager_on_any_number_of_threads(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).integers(0, 9, shape).astype("float64")
    x.flat[::11] = np.nan
    compiled = ss.compile(outputs)
    for count in (1, 2, 3, 8):
        ThreadTuner.always = count
        for got, expected in zip(compiled(ss.tensor(x)), outputs(ss.tensor(x)), strict=True):
            np.testing.assert_array_equal(got.numpy(), expected.numpy())
    (build,) = compiled._builds.values()
    assert any(p.is_parallel for p in build.compilation.schedule.partitions.values())
