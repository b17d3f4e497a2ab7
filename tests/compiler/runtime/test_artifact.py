"""Programs from images: the same as compiled ones, without a pass of the compiler."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.compiled import Compiled
from schuss.compiler.graph.graph import Graph, Node, constant, result
from schuss.compiler.runtime.artifact import Artifact, Place, View
from schuss.lowering.kinds import Elementwise
from schuss.primitives.base import REGISTRY, Primitive, elementwise_shape


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SCHUSS_CACHE", str(tmp_path))
    # Images are only used where no pass is to be verified.
    monkeypatch.delenv("SCHUSS_DEBUG")
    return tmp_path


def was_designed(compiled: Compiled) -> bool:
    """Whether the passes of the compiler ran for the only program of a function."""
    (program,) = compiled._builds.values()
    return not program.is_from_cache


def both_ways(make: Any) -> list[Any]:
    """Return what `make()` gives of a program that is compiled, and of one from its image."""
    found = []
    for is_new in (True, False):
        ss.manual_seed(0)
        compiled, run = make()
        found.append(run())
        assert was_designed(compiled) is is_new
    return found


def agree(found: list[Any]) -> None:
    compiled, loaded = found
    assert len(compiled) == len(loaded) > 0
    for a, b in zip(compiled, loaded, strict=True):
        np.testing.assert_array_equal(a, b)


def training(network: Any, x: Any, y: Any, *, scan: bool) -> Any:
    def make() -> Any:
        model = network()
        optimizer = optim.Adam(model.parameters(), lr=0.01)

        @compile
        def step(x: Any, y: Any) -> Any:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            return loss

        def run() -> list[Any]:
            if scan:
                losses = step.scan((x, y), np.arange(12).reshape(3, 4)).array
            else:
                losses = np.array([step(x, y).item() for _ in range(3)])
            gradients = [p.grad.array for p in model.parameters()]
            return [losses, *gradients, *[p.array for p in model.parameters()]]

        return step, run

    return make


@pytest.mark.parametrize("scan", [False, True])
def test_training(scan: bool) -> None:
    rng = np.random.default_rng(0)
    x = ss.tensor(rng.normal(size=(12, 5)).astype(np.float32))
    y = ss.tensor(rng.integers(0, 3, 12))

    def network() -> Any:
        return nn.Sequential(
            nn.Linear(5, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3)
        )

    agree(both_ways(training(network, x, y, scan=scan)))


def test_gradients_that_are_left_in_parts() -> None:
    rng = np.random.default_rng(0)
    words = ss.tensor(rng.integers(0, 4096, (12, 3)))
    y = ss.tensor(rng.integers(0, 4, 12))

    def network() -> Any:
        return nn.Sequential(nn.Embedding(4096, 16), nn.Flatten(), nn.Linear(48, 4))

    make = training(network, words, y, scan=False)
    agree(both_ways(make))
    step, run = make()
    run()
    (program,) = step._builds.values()
    assert program.program.artifact.deferred


def test_constants_numbers_and_returned_states() -> None:
    table = np.linspace(0, 1, 7, dtype=np.float64)

    def make() -> Any:
        total = ss.tensor(np.zeros(7))

        @compile
        def f(x: Any, by: float) -> Any:
            total.assign(total + x * ss.tensor(table) * by)
            return total, x.sum()

        def run() -> list[Any]:
            found = [f(ss.tensor(table + 1), by) for by in (0.5, 0.25)]
            return [t.array for pair in found for t in pair]

        return f, run

    agree(both_ways(make))


def test_what_is_set_aside() -> None:
    x = ss.tensor(np.arange(24, dtype=np.float32).reshape(6, 4))

    def make() -> Any:
        f = Compiled(lambda x: (x.sum(), ss.exp(-x).sum()), on_demand=True)

        def run() -> list[Any]:
            requested = np.array([True, False, True])
            main, on_demand = f.scan(x, np.arange(6).reshape(3, 2), requested=requested)
            return [main.array, on_demand.array[requested]]

        return f, run

    agree(both_ways(make))


def doubled() -> bool:
    """Compile a function, and return whether the passes ran for it."""
    f = compile(lambda x: ss.exp(x) * 2.0)
    out = f(ss.tensor([0.0, 1.0]))
    np.testing.assert_allclose(out.array, 2 * np.exp([0.0, 1.0]), rtol=1e-6)
    return was_designed(f)


def test_damaged_and_missing_files_are_made_again(cache: Path) -> None:
    assert doubled()
    assert not doubled()
    for kind in ("*.json", "*.o"):
        whole = {path: path.read_bytes() for path in cache.glob(kind)}
        assert whole
        for damage in (lambda b: b"", lambda b: b[:60], lambda b: b[:-1] + b"?", None):
            for path, content in whole.items():
                path.unlink()
                if damage is not None:
                    path.write_bytes(damage(content))
            assert doubled()
            assert {path: path.read_bytes() for path in cache.glob(kind)} == whole
            assert not doubled()


def test_other_constants_are_another_program() -> None:
    def f(by: Any) -> Any:
        return compile(lambda x: x * ss.tensor(by))

    x = ss.tensor(np.ones(3))
    for by in ([1.0, 2.0, 3.0], [1.0, 2.0, 4.0]):
        np.testing.assert_array_equal(f(np.array(by))(x).array, by)


def test_large_constants_are_not_kept_twice(cache: Path) -> None:
    large = np.random.default_rng(0).normal(size=200_000)
    f = compile(lambda x: x * ss.tensor(large))
    assert f(ss.tensor(np.ones(200_000))).array.sum() == large.sum()
    assert not [path for path in cache.glob("*.json") if path.stat().st_size > 1e6]


def test_an_image_is_read_as_it_was_written() -> None:
    artifact = Artifact(
        code="name",
        symbols=["exp"],
        scan="text",
        arena=128,
        fixed=64,
        scratch=0,
        flops=7,
        has_checks=True,
        is_parallel=False,
        numbers=[64],
        outputs=[Place("state", 0), Place("arena", 128)],
        constants=[(64, b"\x00\xff")],
        deferred={2: ("segment_sum", [View("<f4", [2, 3], 64, [12, 4])])},
    )
    assert Artifact.from_bytes(artifact.to_bytes()) == artifact


def fingerprint(primitive: Any, attributes: dict[str, Any]) -> str:
    x = Node("input", (), {}, (2,), np.dtype(np.float32), place=0)
    return Graph(inputs=[x], outputs=[result(primitive, (x,), attributes)]).fingerprint()


def test_a_fingerprint_tells_primitives_from_outside_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = fingerprint(REGISTRY["exp"], {})
    assert ours == fingerprint(REGISTRY["exp"], {})
    monkeypatch.delitem(REGISTRY, "exp")
    other = Primitive(
        "exp",
        value=np.exp2,
        shape=elementwise_shape,
        derivative=(None,),
        lower=Elementwise(lambda x: x),
    )
    assert fingerprint(other, {}) != ours


@pytest.mark.parametrize("function", [lambda x: x, object(), np.arange(2000)])
def test_what_has_no_name_is_not_found_by_another_process(
    monkeypatch: pytest.MonkeyPatch, function: Any
) -> None:
    def spelled() -> str:
        x = constant(np.ones(3))
        x.attributes = {"by": function, "axes": (0, [1, None])}
        return Graph(outputs=[x]).fingerprint()

    here = spelled()
    assert here == spelled()
    monkeypatch.setattr("schuss.compiler.graph.graph._THIS_PROCESS", "another")
    assert spelled() != here
