"""Subnormal numbers are zero within a compiled step, and nowhere else."""

from __future__ import annotations

import platform

import numpy as np
import pytest

import schuss as ss
from schuss.compiler import compile
from schuss.compiler.runtime.thread_tuner import ThreadTuner

KNOWN = ("x86_64", "AMD64", "aarch64", "arm64")


@pytest.mark.skipif(platform.machine() not in KNOWN, reason="the processor has no such mode")
@pytest.mark.parametrize("threads", [1, 2])
def test_subnormal_numbers_count_as_zero(threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ThreadTuner, "always", threads)
    small = np.full(500_000, 1e-20, np.float32)
    square = compile(lambda x: x * x * 1e25)
    assert not square(ss.tensor(small)).numpy().any()
    assert (small * small > 0).all()
