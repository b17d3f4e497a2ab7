"""Verification: partitions run in any order, and what it finds where they may not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.compiler import compile
from schuss.compiler.codegen import calls
from schuss.compiler.graph.graph import GraphError
from schuss.compiler.kernels import matmul_algorithm
from schuss.compiler.schedule import memory, schedule

RNG = np.random.default_rng(0)


def positive(x: Any) -> Any:
    return ss.log(ss.abs(x) + 0.1)


def gram(x: Any) -> Any:
    z = positive(x)
    return z @ z.T


def attention(x: Any) -> Any:
    z = positive(x)
    return ss.softmax(z[:, :8] @ z[:, 8:16].T, -1) @ z[:, 16:]


def batched(x: Any) -> Any:
    z = positive(x.reshape((8, -1, 16)))
    return z @ z[::-1].swapaxes(1, 2)


def contrastive(x: Any) -> Any:
    z = x / (ss.norm(x, axis=1, keepdims=True) + 1e-6)
    return ss.logsumexp(z @ z.T, axis=1).mean()


def slope(x: Any) -> Any:
    return ss.grad(contrastive)(ss.tanh(x))


@pytest.fixture(autouse=True)
def _all_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "SINGLE_THREAD_FLOPS", 0)
    monkeypatch.setattr(schedule, "_WORTH_SHARING", 0)


@pytest.mark.parametrize("function", [gram, attention, batched, contrastive, slope])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_buffer_that_a_stage_reads_twice(function: Callable[..., Any], dtype: str) -> None:
    run = compile(function)
    for _ in range(2):
        x = ss.tensor(RNG.normal(size=(96, 32)).astype(dtype))
        np.testing.assert_allclose(run(x).array, function(x).array, rtol=2e-4, atol=1e-5)


def test_a_missing_private_part_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    # As it was: x counts as private although y is the same memory.
    monkeypatch.setattr(
        matmul_algorithm, "private_values", lambda views: frozenset([views[0][0].root])
    )
    with pytest.raises(GraphError, match="other bits on 2 threads"):
        compile(gram)(ss.randn(96, 32))


def test_a_missing_barrier_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "barriers_before", lambda sets: [False] * len(sets))
    layer = nn.Linear(32, 96)
    with pytest.raises(GraphError, match="partitions: "):
        compile(lambda x: ss.softmax(layer(x).T @ layer(x), 0).sum(1))(ss.randn(96, 32))


def test_a_write_before_the_checks_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    counts, table = ss.tensor([0.0]), ss.tensor([1.0, 2.0])

    def step(i: Any) -> Any:
        counts.assign(counts + 1.0)
        return table[i]

    monkeypatch.setattr(calls, "_place_way_out", lambda calls: False)
    with pytest.raises(GraphError, match="checks: a step that refused a value has changed"):
        compile(step)(ss.tensor([2]))
    assert counts.tolist() == [0.0]


def test_memory_that_is_used_again_too_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    place = memory._Arena.place
    monkeypatch.setattr(
        memory._Arena,
        "place",
        lambda self, life, nbytes: place(self, [(life[0][0], life[0][0])], nbytes),
    )
    monkeypatch.setattr("schuss.compiler.pipeline.verify_plan", lambda *_: None)
    with pytest.raises(GraphError, match="partitions: "):
        compile(lambda x: ss.sort(x, axis=0) @ ss.sort(x * 2.0, axis=1).T + ss.cumsum(x @ x.T, 0))(
            ss.randn(96, 32)
        )
