"""Primitives that programs have NumPy evaluate: threads, scans, the cache on disk, errors."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import linalg
from schuss.compiler.kernels.host_function import request_text, take_error
from schuss.primitives.base import REGISTRY

RNG = np.random.default_rng(0)
SQUARE = RNG.normal(size=(6, 4, 4)) + 4 * np.eye(4)


@pytest.fixture(autouse=True)
def _threads_as_before() -> Any:
    before = ss.get_num_threads()
    yield
    ss.set_num_threads(before)


def between_parallel_stages(x: Any, a: Any) -> Any:
    large = (x * 2.0 + 1.0).tanh() @ x.T
    inverse = linalg.inv(a + large.mean() * 0.0)
    return (large * inverse.sum()).exp().sum(axis=0), inverse


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_threads_wait_for_the_one_that_calls(threads: int) -> None:
    ss.set_num_threads(threads)
    large = np.random.default_rng(1).normal(size=(700, 300)) * 1e-3
    x, a = ss.tensor(large), ss.tensor(SQUARE)
    compiled = ss.compile(between_parallel_stages)
    wanted = between_parallel_stages(x, a)
    # More calls than are verified, and than the number of threads is tried for.
    for _ in range(12):
        for got, right in zip(compiled(x, a), wanted, strict=True):
            np.testing.assert_allclose(got.array, right.array, rtol=1e-11)


def test_callers_in_several_python_threads() -> None:
    compiled = ss.compile(lambda a: linalg.inv(a) * 2.0)
    failed = []

    def call(scale: float) -> None:
        a = ss.tensor(SQUARE * scale)
        right = 2.0 * np.linalg.inv(SQUARE * scale)
        found = [compiled(a).array for _ in range(50)]
        failed.extend(scale for x in found if not np.allclose(x, right, rtol=1e-12))

    callers = [threading.Thread(target=call, args=(s,)) for s in (1.0, 2.0, 3.0)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert not failed


def test_inputs_that_lie_otherwise() -> None:
    @ss.compile
    def of_views(a: Any) -> Any:
        return linalg.inv(a.mT), linalg.inv(a[::2, ::-1]), linalg.inv(a[1:]), linalg.det(a)

    t = SQUARE.swapaxes(1, 2)
    right = [np.linalg.inv(x) for x in (t, SQUARE[::2, ::-1], SQUARE[1:])]
    right.append(np.linalg.det(SQUARE))
    for got, wanted in zip(of_views(ss.tensor(SQUARE)), right, strict=True):
        np.testing.assert_allclose(got.array, wanted, rtol=1e-12)


def test_scan() -> None:
    weight = ss.tensor(np.zeros((4, 4)))

    @ss.compile
    def step(a: Any) -> Any:
        weight.add_(linalg.inv(a).sum(axis=0))
        return weight.sum()

    found = step.scan(ss.tensor(SQUARE), [[0, 1], [2, 3], [4, 5]])
    right = np.linalg.inv(SQUARE).reshape(3, 2, 4, 4).sum(axis=1).cumsum(axis=0)
    np.testing.assert_allclose(found.array, right.sum(axis=(1, 2)), rtol=1e-12)
    np.testing.assert_allclose(weight.array, right[-1], rtol=1e-12)
    with pytest.raises(linalg.LinAlgError, match="solve: expected an invertible matrix"):
        step.scan(ss.tensor(np.ones((2, 4, 4))), [[0], [1]])
    assert take_error() is None


_SCRIPT = """
import numpy as np, schuss as ss
from schuss import linalg
f = ss.compile(lambda a: linalg.slogdet(a).logabsdet * 3.0)
print(float(f(ss.tensor(np.diag([1.0, 2.0, 4.0])))))
"""


def test_a_program_from_the_cache(tmp_path: Path) -> None:
    environment = {**os.environ, "SCHUSS_CACHE": str(tmp_path), "SCHUSS_DEBUG": ""}
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", _SCRIPT],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert float(done.stdout) == pytest.approx(3 * np.log(8.0), rel=1e-14)
    assert list(tmp_path.rglob("*.o"))


def test_what_a_stage_can_ask_for() -> None:
    layout = ((2, 2), "<f8")
    text = request_text(REGISTRY["svd"], {"full": True}, [layout], ((2, 10), "<f8"))
    assert text == "('svd', {'full': True}, [((2, 2), '<f8')], ((2, 10), '<f8'))"
    with pytest.raises(ValueError, match="attributes of plain numbers"):
        request_text(REGISTRY["svd"], {"full": np.True_}, [layout], layout)
