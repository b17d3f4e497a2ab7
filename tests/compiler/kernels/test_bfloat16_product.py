"""Products of bfloat16s: rounded factors in 16 bits, summed in float32, however they lie."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.compiler.kernels.micro_kernel import paired_shape
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.primitives.bfloat16 import rounded

SHAPES = [
    (64, 256, 64),
    (100, 130, 77),
    (7, 1024, 200),
    (513, 64, 40),
    (49, 514, 129),
    (333, 129, 64),
    (250, 100, 36),
]
has_pairs = pytest.mark.skipif(paired_shape() is None, reason="no AVX-512 BF16 here")


@pytest.fixture(autouse=True)
def _chosen_threads() -> Iterator[None]:
    yield
    ThreadTuner.always = None


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).normal(size=shape).astype("f")


def product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return what float64 makes of the rounded factors."""
    a, b = (rounded(ss.tensor(z)).numpy().astype("d") for z in (x, y))
    return np.matmul(a, b)


def factors(m: int, k: int, n: int, across: tuple[bool, bool]) -> list[np.ndarray]:
    return [
        numbers(*reversed(shape)).T if is_across else numbers(*shape)
        for shape, is_across in zip([(m, k), (k, n)], across, strict=True)
    ]


def unrounded(x: Any, y: Any) -> Any:
    """Return the product as it is summed, of rounded factors."""
    return rounded(x) @ rounded(y)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("across", [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize(("m", "k", "n"), SHAPES)
def test_products_however_factors_lie(
    m: int, k: int, n: int, across: tuple[bool, bool], threads: int
) -> None:
    ThreadTuner.always = threads
    x, y = factors(m, k, n, across)
    turned = [z.T.copy() if is_across else z for z, is_across in zip((x, y), across, strict=True)]

    def step(a: Any, b: Any) -> Any:
        a, b = (z.T if is_across else z for z, is_across in zip((a, b), across, strict=True))
        return unrounded(a, b)

    got = ss.compile(step)(*map(ss.tensor, turned)).numpy()
    right = product(x, y)
    assert np.abs(got - right).max() <= 1e-5 * np.sqrt(k) * np.abs(right).max()


def test_the_number_of_threads_changes_no_bit() -> None:
    found = []
    x, y = map(ss.tensor, factors(300, 512, 200, (False, True)))
    for threads in (1, 2, 3, 8):
        ThreadTuner.always = threads
        found.append(ss.compile(unrounded)(x, y).numpy())
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


@pytest.mark.parametrize("k", [64, 65])
def test_batches_and_slices(k: int) -> None:
    x, y = numbers(3, 4, 96, 2 * k), numbers(3, 4, 2 * k, 80)

    def step(a: Any, b: Any) -> Any:
        a, b = rounded(a), rounded(b)
        return (
            a[..., 1 : k + 1] @ b[:, :, :k],
            a[1:, :, :, ::2] @ b[1:, :, k:],
            a[0, 0] @ b[:, :, :],
        )

    got = ss.compile(step)(ss.tensor(x), ss.tensor(y))
    right = [
        product(x[..., 1 : k + 1], y[:, :, :k]),
        product(x[1:, :, :, ::2], y[1:, :, k:]),
        product(x[0, 0], y),
    ]
    for a, b in zip(got, right, strict=True):
        assert np.abs(a.numpy() - b).max() <= 1e-4 * np.abs(b).max()


def test_what_is_not_finite_stays_where_it_is() -> None:
    x, y = numbers(64, 128), numbers(128, 64)
    x[3, 127], x[4, 0] = np.inf, np.nan
    got = ss.compile(unrounded)(ss.tensor(x), ss.tensor(y)).numpy()
    assert np.isinf(got[3]).all()
    assert np.isnan(got[4]).all()
    assert np.isfinite(np.delete(got, [3, 4], 0)).all()


@has_pairs
def test_rounded_values_take_half_of_the_memory() -> None:
    model = ss.nn.Sequential(*[ss.nn.Linear(256, 256), ss.nn.ReLU()] * 6)
    x = ss.tensor(numbers(512, 256))
    sizes = []
    for enabled in (False, True):

        @ss.compile
        def step(x: Any, enabled: bool = enabled) -> Any:
            with ss.autocast("bfloat16", enabled=enabled):
                loss = model(x).square().mean()
            for p in model.parameters():
                p.grad = None
            loss.backward()
            return loss

        step(x)
        (build,) = step._builds.values()
        compilation = build.compilation
        if enabled:
            assert any(n.op == "bfloat16_product" for n in compilation.plan.stored)
        sizes.append(compilation.memory.nbytes)
    assert sizes[1] < 0.75 * sizes[0]


WITHOUT = """
import numpy as np, schuss as ss
rng = np.random.default_rng(0)
x, y = (ss.tensor(rng.normal(size=(128, 128)).astype("f")) for _ in range(2))
def step(x, y):
    with ss.autocast("bfloat16"):
        return (x @ y).relu() @ y.T
eager, compiled = step(x, y).numpy(), ss.compile(step)(x, y).numpy()
assert np.abs(eager - compiled).max() <= 0.01 * np.abs(eager).max()
print(float(np.abs(compiled).sum()))
"""


def test_other_processors_compute_the_same() -> None:
    found = []
    for cpu in ({}, {"SCHUSS_CPU": "haswell", "SCHUSS_CPU_FEATURES": "+avx2,+fma"}):
        run = subprocess.run(
            [sys.executable, "-c", WITHOUT], env=os.environ | cpu, capture_output=True, text=True
        )
        assert not run.returncode, run.stderr
        found.append(float(run.stdout))
    assert found[0] == pytest.approx(found[1], rel=1e-3)
