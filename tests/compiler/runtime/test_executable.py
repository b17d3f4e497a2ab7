"""Programs: threads, the cache on disk, the listing, verification, memory."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.graph.graph import Graph, GraphError, Node
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.compiler.schedule import schedule
from schuss.native import target
from schuss.nn import functional as F
from schuss.primitives.base import REGISTRY

DATA = np.random.default_rng(0)


def make(seed: int = 0) -> tuple[nn.Module, Any]:
    ss.manual_seed(seed)
    model = nn.Sequential(nn.Linear(30, 70), nn.LayerNorm(70), nn.ReLU(), nn.Linear(70, 5))
    rule = optim.AdamW(model.parameters(), lr=0.01)

    def step(x: Any, y: Any) -> Any:
        loss = F.cross_entropy(F.dropout(model(x), 0.2), y)
        rule.zero_grad()
        loss.backward()
        rule.step()
        return loss

    return model, compile(step)


def test_results_do_not_depend_on_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "SINGLE_THREAD_FLOPS", 0)
    monkeypatch.setattr(schedule, "_WORTH_SHARING", 0)
    x = DATA.normal(size=(200, 30)).astype("f4")
    y = DATA.integers(0, 5, 200)
    index = DATA.integers(0, 200, (5, 33))
    results = []
    for count in (1, 2, 3, 8):
        monkeypatch.setattr(ThreadTuner, "always", count)
        model, step = make()
        losses = [step(x[:64], y[:64]).array, step.scan((x, y), index).array]
        weights = [np.array(v.array) for v in model.state_dict().values()]
        results.append([*losses, *weights])
    for other in results[1:]:
        for a, b in zip(other, results[0], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", [(50, 64), (50, 40), (20, 3, 33), (50, 5), (50,)])
@pytest.mark.parametrize("count", [2, 3])
def test_scattered_rows_do_not_depend_on_the_number_of_threads(
    shape: tuple[int, ...], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "SINGLE_THREAD_FLOPS", 0)
    monkeypatch.setattr(schedule, "_WORTH_SHARING", 0)
    weight = ss.tensor(DATA.normal(size=shape).astype("f4"), requires_grad=True)
    index = ss.tensor(DATA.integers(-shape[0], shape[0], (30, 4)))
    partition = ss.tensor(DATA.normal(size=(30, 4, *shape[1:])).astype("f4"))

    def gradient(w: Any, i: Any, g: Any) -> Any:
        return ss.grad(lambda w: (w[i] * g).sum())(w)

    expected = gradient(weight, index, partition).array
    for threads in (1, count):
        monkeypatch.setattr(ThreadTuner, "always", threads)
        got = compile(gradient)(weight, index, partition).array
        if threads == 1:
            np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
            expected = got
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_lanes_do_not_depend_on_the_number_of_threads(
    axis: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "SINGLE_THREAD_FLOPS", 0)
    monkeypatch.setattr(schedule, "_WORTH_SHARING", 0)

    def along(x: Any) -> Any:
        return (ss.argmax(x, axis=axis), ss.argmin(x, axis=axis), ss.cumulative_sum(x, axis=axis))

    for shape in ((7, 5, 3), (1, 4, 6), (0, 2, 3) if axis else (2, 0, 3)):
        x = ss.tensor(DATA.normal(size=shape))
        for count in (1, 2, 3):
            monkeypatch.setattr(ThreadTuner, "always", count)
            for got, expected in zip(compile(along)(x), along(x), strict=True):
                np.testing.assert_allclose(got.array, expected.array, rtol=1e-12, atol=1e-12)


# The cache.


def compiled_from_disk() -> bool:
    f = compile(lambda x: ss.exp(x) * 1.2345)
    out = f(ss.tensor([0.0, 1.0]))
    np.testing.assert_allclose(out.array, np.exp([0.0, 1.0]) * 1.2345, rtol=1e-6)
    (made,) = list(f._builds.values())
    return bool(made.program.library.from_disk)


def test_the_second_time_comes_from_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHUSS_CACHE", str(tmp_path / "cache"))
    assert not compiled_from_disk()
    assert compiled_from_disk()
    (file,) = (tmp_path / "cache").iterdir()
    whole = file.read_bytes()
    changed = whole[:200] + bytes([whole[200] ^ 1]) + whole[201:]
    for damaged in (b"", whole[:100], whole[:-1], changed, b"x" * 5000):
        file.write_bytes(damaged)
        assert not compiled_from_disk()
        assert file.read_bytes() == whole
        assert compiled_from_disk()


def test_a_folder_that_cannot_be_written_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    monkeypatch.setenv("SCHUSS_CACHE", str(blocked / "cache"))
    assert not compiled_from_disk()
    assert not compiled_from_disk()


def test_processes_at_once_do_no_harm(tmp_path: Path) -> None:
    code = (
        "import schuss as ss\n"
        "from schuss.compiler import compile\n"
        "f = compile(lambda x: ss.log(x) * 3.25)\n"
        "assert abs(f(ss.tensor([1.0])).item()) < 1e-6\n"
    )
    environment = {**os.environ, "SCHUSS_CACHE": str(tmp_path), "PYTHONPATH": _source()}
    running = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(3)]
    assert [p.wait(timeout=60) for p in running] == [0, 0, 0]
    assert all(p.suffix == ".o" for p in tmp_path.iterdir())


def _source() -> str:
    return str(Path(ss.__file__).parents[1])


def test_importing_schuss_loads_no_compiler() -> None:
    code = (
        "import sys, schuss as ss; ss.ones(2) + 1\n"
        "assert 'llvmlite' not in sys.modules\n"
        "assert 'schuss.compiler.runtime.executable' not in sys.modules"
    )
    subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": _source()}, check=True
    )


# Listing, verification, memory.


def test_the_listing_tells_what_was_fused() -> None:
    weight = ss.ones((4, 3))
    text = str(compile(lambda x: ss.relu(x @ weight + 1.0).sum()).graph(ss.ones((2, 4))))
    assert "1 inputs, 1 states (0 updated), 1 outputs" in text
    assert "matmul(x0, s0) float32[2, 3]" in text
    assert "(in a register)" in text
    assert "operations" in text
    assert text.splitlines()[-1].startswith("return v")


def test_verification_names_stage_and_node() -> None:
    x = Node("input", (), {}, (2,), np.dtype("f4"), place=0)
    wrong = Node("exp", (x,), {}, (3,), np.dtype("f4"), primitive=REGISTRY["exp"])
    graph = Graph(inputs=[x], outputs=[wrong])
    with pytest.raises(GraphError, match="some pass: <exp"):
        graph.verify("some pass")
    with pytest.raises(GraphError, match="not among the leaves"):
        Graph(outputs=[x]).verify("some pass")


def test_temporaries_share_memory() -> None:
    def deep(x: Any) -> Any:
        for _ in range(20):
            x = ss.sort(x).values * 0.5
        return x

    f = compile(deep)
    x = ss.randn(1000)
    np.testing.assert_allclose(f(x).array, deep(x).array, rtol=1e-6)
    (made,) = list(f._builds.values())
    assert made.compilation.memory.nbytes < made.compilation.memory.temporary / 4


def test_calls_leave_nothing_behind() -> None:
    model, step = make()
    x = ss.tensor(DATA.normal(size=(16, 30)).astype("f4"))
    y = ss.tensor(DATA.integers(0, 5, 16))
    for _ in range(3):
        step(x, y)
    gc.collect()
    before = len(gc.get_objects())
    for _ in range(200):
        step(x, y)
    gc.collect()
    assert len(gc.get_objects()) - before < 20
    assert sum(p.size for p in model.parameters()) > 0


def test_the_target_is_part_of_the_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    code = (
        "import schuss as ss, numpy as np\n"
        "from schuss.compiler import compile\n"
        "from schuss.native import target\n"
        "f = compile(lambda x: (ss.exp(x) @ ss.ones((40, 24))).sum(axis=0))\n"
        "out = f(ss.ones((19, 40)))\n"
        "assert abs(out.array / (np.e * 40 * 19) - 1).max() < 1e-5\n"
        "print(target.vector_bytes(), target.target_name())\n"
    )
    environment = {**os.environ, "SCHUSS_CACHE": str(tmp_path), "PYTHONPATH": _source()}
    environment |= {"SCHUSS_CPU": "x86-64-v3", "SCHUSS_CPU_FEATURES": "+avx2,+fma"}
    out = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    ).stdout
    assert out.startswith("32 ")
    assert target.target_name() not in out


@pytest.mark.parametrize("shape", [(37, 300, 523), (523, 300, 37), (200, 200, 200)])
def test_large_products_are_shared_and_right(
    shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    m, inner, n = shape
    x, y = DATA.normal(size=(m, inner)), DATA.normal(size=(inner, n))
    for a, b in ((x, y), (x.T.copy().T, y), (x, y.T.copy().T), (x.T.copy().T, y.T.copy().T)):
        f = compile(lambda a, b: ss.matmul(a.T, b.T))
        results = []
        for count in (1, 3):
            monkeypatch.setattr(ThreadTuner, "always", count)
            results.append(f(ss.tensor(a.T), ss.tensor(b.T)).array)
        np.testing.assert_allclose(results[0], x @ y, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(results[0], results[1])


def test_long_sums_keep_their_digits() -> None:
    x = np.full((2, 1_500_000), 0.1, np.float32)
    exact = float(np.float32(0.1)) * 1_500_000
    got = compile(lambda x: (x.sum(axis=1), x.T.sum(axis=0), x.mean()))(x)
    np.testing.assert_allclose(got[0].array, exact, rtol=1e-6)
    np.testing.assert_allclose(got[1].array, exact, rtol=1e-6)
    np.testing.assert_allclose(got[2].item(), np.float32(0.1), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:compile. <lambda> was traced")
def test_old_variants_are_forgotten() -> None:
    f = compile(lambda x, factor: x * float(factor))
    for i in range(20):
        assert f(ss.ones(1), i * 0.5).tolist() == [i * 0.5]
    ((specializations),) = f._specializations.values()
    assert len(specializations) == 16
    gc.collect()
    assert len(f._builds) == 16
