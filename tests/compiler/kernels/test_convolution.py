"""Convolutions as machine code: how they are shared and cut, other vectors, and same bits."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.compiler.kernels.convolution_geometry import backward_phases, forward_phase
from schuss.native import target
from schuss.nn import functional as F
from schuss.values.convolution import Geometry


def kinds(function: Any, *shapes: tuple[int, ...]) -> list[tuple[str, str, int]]:
    """Return each kernel with how it is shared first, and in how many parts."""
    compiled = ss.compile(function)
    compiled(*[ss.ones(s) for s in shapes])
    (build,) = compiled._builds.values()
    stages = [s for s in build.compilation.plan.stages if s.kernel is not None]
    first = [(s.nodes[0].op, s.kernel.partitionings[0]) for s in stages if s.kernel]
    return [(op, way.kind, way.extent) for op, way in first]


def test_pictures_are_shared_or_panels_where_weights_are_heavy() -> None:
    def run(x: Any, w: Any) -> Any:
        return F.conv2d(x, w, padding=1)

    assert kinds(run, (8, 16, 6, 6), (32, 16, 3, 3)) == [("convolution", "pictures", 8)]
    heavy = [("convolution", "panels", -(-256 // _panel()))]
    assert kinds(run, (4, 128, 4, 4), (256, 128, 3, 3)) == heavy
    assert kinds(run, (1, 4, 4, 4), (8, 4, 3, 3)) == [("convolution", "", 1)]


def _panel() -> int:
    return {64: 64, 32: 16, 16: 8}[target.vector_bytes()]


def test_a_pointwise_convolution_is_a_product() -> None:
    found = kinds(lambda x, w: F.conv2d(x, w), (2, 3, 4, 4), (5, 3, 1, 1))
    assert [op for op, *_ in found] == ["matmul"]


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_phases_meet_each_tap_of_each_position_once(stride: int, dilation: int) -> None:
    geometry = Geometry((11,), (4,), (6,), (stride,), (2,), (dilation,))
    forward = {
        (o, k, o * stride - 2 + k * dilation)
        for o in range(6)
        for k in range(4)
        if 0 <= o * stride - 2 + k * dilation < 11
    }
    found = []
    for phase in backward_phases(geometry, 1, 1):
        (axis,) = phase.axes
        for j in range(axis.rows):
            for m in range(axis.taps):
                o = j * axis.scale + axis.shift + m * axis.shift_step
                if 0 <= o < axis.size:
                    tap, i = axis.tap + m * axis.tap_step, axis.first + j * axis.step
                    found.append((o, tap, i))
        assert phase.kernel_taps((4,)) == [axis.tap + m * axis.tap_step for m in range(axis.taps)]
    assert len(found) == len(set(found))
    assert set(found) == forward
    assert forward_phase(geometry, 1, 1).taps == 4


@pytest.mark.parametrize("groups", [1, 2, 32])
def test_same_bits_on_any_number_of_threads(groups: int) -> None:
    values = np.random.default_rng(0)
    x = ss.tensor(values.normal(size=(16, 32, 14, 14)).astype("float32"))
    w = ss.tensor(values.normal(size=(32, 32 // groups, 3, 3)).astype("float32"))

    @ss.compile
    def run(x: Any, w: Any) -> Any:
        return ss.value_and_grad(
            lambda x, w: F.max_pool2d(F.conv2d(x, w, padding=1, groups=groups), 2).square().sum(),
            argnums=(0, 1),
        )(x, w)

    before = ss.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3, 8):
            ss.set_num_threads(threads)
            loss, gradients = run(x, w)
            found.append([loss.numpy(), *[g.numpy() for g in gradients]])
    finally:
        ss.set_num_threads(before)
    for others in found[1:]:
        for mine, other in zip(found[0], others, strict=True):
            assert mine.tobytes() == other.tobytes()


_OTHER = """
import numpy as np, schuss as ss
from schuss.nn import functional as F
rng = np.random.default_rng(0)
cases = [((3, 5, 9, 8), (37, 5, 3, 2), {"stride": 2, "padding": 1}),
         ((2, 19, 7, 7), (19, 1, 3, 3), {"groups": 19}),
         ((2, 12, 6, 6), (70, 6, 2, 2), {"groups": 2, "dilation": 2})]
for dtype, tolerance in (("float32", 1e-4), ("float64", 1e-12)):
    for shape, weight, options in cases:
        x, w = (ss.tensor(rng.normal(size=s).astype(dtype)) for s in (shape, weight))
        def loss(x, w):
            return F.max_pool2d(F.conv2d(x, w, **options), 2, 1).square().mean()
        slope = ss.grad(loss, argnums=(0, 1))
        for mine, wanted in zip(ss.compile(slope)(x, w), slope(x, w), strict=True):
            assert abs(mine.numpy() - wanted.numpy()).max() < tolerance
print("same")
"""


@pytest.mark.skipif("avx2" not in target.target_features()[1], reason="needs a processor with AVX2")
@pytest.mark.parametrize(
    ("cpu", "features"), [("haswell", "+avx2,+fma"), ("x86-64", "")], ids=["AVX2", "SSE2"]
)
def test_narrower_vectors(cpu: str, features: str) -> None:
    environment = {**os.environ, "SCHUSS_CPU": cpu, "SCHUSS_CPU_FEATURES": features}
    done = subprocess.run(
        [sys.executable, "-c", _OTHER], env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.stdout.strip() == "same", done.stderr


@pytest.mark.parametrize("which", ["convolution", "gradient of the input", "of the weight"])
def test_threads_wait_for_weights_that_others_compute(which: str) -> None:
    """There are as many pictures as outputs, whose weights are computed by the same threads."""
    values = np.random.default_rng(0)
    x, w = (values.normal(size=s).astype("float32") for s in ((16, 64, 6, 6), (16, 64, 3, 3)))

    def run(x: Any, w: Any) -> Any:
        y = F.conv2d(ss.tanh(x), ss.exp(w) * 0.1, padding=1)
        return y if which == "convolution" else (y * y).sum()

    place = {"convolution": None, "gradient of the input": 0, "of the weight": 1}[which]
    function = run if place is None else ss.grad(run, argnums=place)
    given = ss.tensor(x), ss.tensor(w)
    wanted = function(*given).numpy()
    got = ss.compile(function)(*given).numpy()
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4 * abs(wanted).max())
