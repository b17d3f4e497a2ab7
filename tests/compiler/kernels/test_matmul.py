"""Matrix products in compiled functions: all algorithms, whatever the shapes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

import schuss as ss
from schuss.compiler.kernels import micro_kernel
from schuss.compiler.kernels.blas import Blas
from schuss.compiler.kernels.matmul import PlainLoops
from schuss.compiler.kernels.packed_gemm import PackedGemm
from schuss.compiler.kernels.register_tiles import RegisterTiles
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.lowering.llvm_types import F32, F64
from schuss.native import target

SHAPES = [
    (64, 128, 64),
    (128, 512, 300),
    (97, 131, 203),
    (40, 33, 1000),
    (300, 70, 50),
    (128, 10, 512),
    (10, 600, 128),
    (33, 257, 300),
    (7, 4099, 31),
    (49, 65, 4097),
]


@pytest.fixture(autouse=True)
def _chosen_threads() -> Iterator[None]:
    yield
    ThreadTuner.always = None


generated = pytest.mark.skipif(
    not micro_kernel.is_supported(F32, 64), reason="BLAS's where there is no fused multiply-add"
)


def product(mode: str) -> ss.compile:
    def laid(x: ss.Tensor, how: str) -> ss.Tensor:
        return x.mT if how == "T" else x

    return ss.compile(lambda x, y: laid(x, mode[0]) @ laid(y, mode[1]))


def factors(
    shape: tuple[int, int, int], mode: str, dtype: str, batch: tuple[int, ...] = ()
) -> list[np.ndarray]:
    m, n, k = shape
    rng = np.random.default_rng(0)
    a = rng.normal(size=(*batch, m, k)).astype(dtype)
    b = rng.normal(size=(*batch, k, n)).astype(dtype)
    pairs = zip((a, b), mode, strict=True)
    return [np.ascontiguousarray(np.swapaxes(x, -1, -2)) if how == "T" else x for x, how in pairs]


def expected(arrays: list[np.ndarray], mode: str) -> np.ndarray:
    a, b = (
        np.swapaxes(x, -1, -2).astype(np.float64) if how == "T" else x.astype(np.float64)
        for x, how in zip(arrays, mode, strict=True)
    )
    return a @ b


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mode", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_the_definition_on_any_number_of_threads(
    shape: tuple[int, int, int], mode: str, dtype: str
) -> None:
    arrays = factors(shape, mode, dtype)
    compiled = product(mode)
    found = []
    for count in (1, 2, 3, 8):
        ThreadTuner.always = count
        found.append(compiled(*map(ss.tensor, arrays)).numpy())
    scale = np.sqrt(shape[2]) * (1e-5 if dtype == "float32" else 1e-14)
    np.testing.assert_allclose(found[0], expected(arrays, mode), atol=scale)
    for other in found[1:]:
        np.testing.assert_array_equal(other, found[0])


@pytest.mark.parametrize("mode", ["NN", "NT", "TN"])
def test_batches_of_large_products(mode: str) -> None:
    arrays = factors((65, 70, 80), mode, "float32", (3,))
    out = product(mode)(*map(ss.tensor, arrays)).numpy()
    np.testing.assert_allclose(out, expected(arrays, mode), atol=1e-4)


@pytest.mark.parametrize("mode", ["NN", "NT", "TN"])
def test_columns_of_a_wider_matrix(mode: str) -> None:
    arrays = factors((96, 128, 64), mode, "float32")
    wide = [np.pad(a, ((1, 2), (3, 5)), constant_values=np.nan) for a in arrays]

    def inner(x: ss.Tensor, how: str) -> ss.Tensor:
        part = x[1:-2, 3:-5]
        return part.mT if how == "T" else part

    compiled = ss.compile(lambda x, y: inner(x, mode[0]) @ inner(y, mode[1]))
    out = compiled(*map(ss.tensor, wide)).numpy()
    np.testing.assert_allclose(out, expected(arrays, mode), atol=1e-4)


@pytest.mark.parametrize("mode", ["NN", "NT", "TN"])
def test_what_is_not_finite_stays_in_its_row_and_column(mode: str) -> None:
    arrays = factors((70, 130, 90), mode, "float32")
    row = (slice(None), 67) if mode[0] == "T" else (67, slice(None))
    arrays[0][row] = np.inf
    column = (129, slice(None)) if mode[1] == "T" else (slice(None), 129)
    arrays[1][column] = np.nan
    out = product(mode)(*map(ss.tensor, arrays)).numpy()
    finite = np.isfinite(out)
    assert not finite[67].any()
    assert np.isnan(out[:, 129]).all()
    assert finite[np.arange(70) != 67][:, :129].all()


@generated
def test_every_cut_gives_the_same_bits() -> None:
    """A product of some rows is those rows of the product."""
    x, y = map(ss.tensor, factors((128, 192, 256), "NT", "float32"))
    whole = product("NT")(x, y).numpy()
    part = product("NT")(ss.tensor(x.numpy()[:64]), y).numpy()
    np.testing.assert_array_equal(part, whole[:64])


@pytest.mark.parametrize("mode", ["NN", "NT", "TN", "TT"])
@pytest.mark.parametrize("shape", [(3, 4, 5), (40, 33, 20), (8, 16, 300), (2, 2, 0)], ids=str)
def test_integers(shape: tuple[int, int, int], mode: str) -> None:
    arrays = [(8 * x).astype("int64") for x in factors(shape, mode, "float64")]
    out = product(mode)(*map(ss.tensor, arrays))
    assert out.dtype == np.int64
    np.testing.assert_array_equal(out.numpy(), expected(arrays, mode))


CHOSEN = {
    # Tiles read the rows of y as they lie, a few of their copies, or a panel that they pack.
    ((16, 16, 64), "NN", "float32"): RegisterTiles,
    ((16, 16, 16), "NT", "float32"): RegisterTiles,
    ((128, 6, 512), "NT", "float32"): RegisterTiles,
    ((128, 512, 300), "NT", "float32"): PackedGemm,
    ((300, 70, 50), "TN", "float64"): PackedGemm,
    # Too narrow for a panel of any processor.
    ((4096, 7, 600), "NN", "float32"): Blas,
    ((3, 4, 5), "NN", "int64"): PlainLoops,
    ((3, 4, 0), "NN", "float32"): PlainLoops,
}


@generated
def test_each_algorithm_has_its_products() -> None:
    for (shape, mode, dtype), algorithm in CHOSEN.items():
        compiled = product(mode)
        inputs = [ss.tensor(x) for x in factors(shape, mode, dtype)]
        compiled(*inputs)
        (build,) = compiled._builds.values()
        (chosen,) = [s.kernel for s in build.compilation.plan.stages if s.kernel is not None]
        assert type(chosen) is algorithm, (shape, mode, dtype)
        assert (chosen.partitionings[-1].count, chosen.partitionings[-1].extent) == (1, 1)


@pytest.mark.parametrize(("kind", "size"), [(F32, 4), (F64, 8)])
def test_scratch_holds_the_panels(kind: str, size: int) -> None:
    shape = micro_kernel.tile_shape(kind)
    nc = shape.nc(512)
    assert nc % shape.nr == 0
    assert shape.scratch_bytes(512, 10**6) >= size * 512 * (nc + micro_kernel.MC)
    assert shape.scratch_bytes(512, 1) < shape.scratch_bytes(512, 10**6)


_OTHER = """
import numpy as np, schuss as ss
rng = np.random.default_rng(0)
for dtype, tolerance in (("float32", 1e-4), ("float64", 1e-12)):
    a = rng.normal(size=(97, 203)).astype(dtype)
    b = rng.normal(size=(203, 131)).astype(dtype)
    for x, y, f in (
        (a, b, lambda x, y: x @ y),
        (a, b.T.copy(), lambda x, y: x @ y.mT),
        (a.T.copy(), b, lambda x, y: x.mT @ y),
    ):
        out = ss.compile(f)(ss.tensor(x), ss.tensor(y)).numpy()
        assert abs(out - a @ b).max() < tolerance
print("same")
"""


@pytest.mark.skipif("avx2" not in target.target_features()[1], reason="needs a processor with AVX2")
@pytest.mark.parametrize(
    ("cpu", "features"), [("haswell", "+avx2,+fma"), ("x86-64", "")], ids=["AVX2", "SSE2"]
)
def test_narrower_vectors(cpu: str, features: str) -> None:
    environment = {**os.environ, "SCHUSS_CPU": cpu, "SCHUSS_CPU_FEATURES": features}
    done = subprocess.run(
        [sys.executable, "-c", _OTHER], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.stdout.strip() == "same", done.stderr
