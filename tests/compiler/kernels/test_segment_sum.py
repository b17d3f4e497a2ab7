"""Tables that few rows of a batch are added to: embeddings' gradients and what reads them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler import compile
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.compiler.schedule import schedule

RULES = {
    "adam": lambda p: optim.Adam(p, lr=0.01),
    "adamw": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1),
    "sgd": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
    "plain sgd": lambda p: optim.SGD(p, lr=0.1),
    "rmsprop": lambda p: optim.RMSprop(p, lr=0.01, centered=True),
}


@pytest.fixture(autouse=True)
def _restore(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(schedule, "SINGLE_THREAD_FLOPS", 0)
    monkeypatch.setattr(schedule, "_WORTH_SHARING", 0)
    yield
    ThreadTuner.always = None


def make(rule: str, rows: int, width: int, clip: bool = False) -> tuple[Any, Any]:
    """A table, and a step that looks up its rows twice."""
    ss.manual_seed(0)
    table = nn.Embedding(rows, width, dtype="float64")
    linear = nn.Linear(width, 3, dtype="float64")
    parameters = [*table.parameters(), *linear.parameters()]
    descent = RULES[rule](parameters)

    def step(x: Any, y: Any) -> Any:
        loss = nn.functional.cross_entropy(linear(table(x).mean(1)), y)
        descent.zero_grad()
        loss.backward()
        if clip:
            optim.clip_grad_norm_(parameters, 0.1)
        descent.step()
        return loss

    return table, step


def batches(rows: int, count: int = 4) -> list[tuple[Any, Any]]:
    """The second batch names one row alone."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, rows, (count, 16, 5))
    x[1] = rows - 1
    labels = rng.integers(0, 3, (count, 16))
    return [(ss.tensor(a), ss.tensor(b)) for a, b in zip(x, labels, strict=True)]


def run(rule: str, rows: int, width: int, compiled: bool, **options: Any) -> list[np.ndarray]:
    table, step = make(rule, rows, width, **options)
    called = compile(step) if compiled else step
    losses = [float(called(x, y)) for x, y in batches(rows)]
    return [np.array(losses), np.array(table.weight.array), np.array(table.weight.grad.array)]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("rows", "width"), [(700, 50), (4100, 8), (7, 5000), (600, 64)])
def test_compiled_equals_eager_for_any_number_of_threads(rule: str, rows: int, width: int) -> None:
    expected = run(rule, rows, width, compiled=False)
    found = []
    for count in (1, 2, 3, 8):
        ThreadTuner.always = count
        found.append(run(rule, rows, width, compiled=True))
    for got, wanted in zip(found[0], expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_the_norm_of_a_gradient_reads_it_too() -> None:
    expected = run("adam", 700, 50, compiled=False, clip=True)
    for got, wanted in zip(run("adam", 700, 50, compiled=True, clip=True), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-9, atol=1e-12)


def test_one_table_may_be_looked_up_twice() -> None:
    ss.manual_seed(0)
    table = ss.tensor(np.random.default_rng(0).normal(size=(2000, 20)), requires_grad=True)

    def loss(table: Any, x: Any, y: Any) -> Any:
        return (ss.tanh(table[x]) * table[y]).sum() + (table[y] ** 3).sum()

    slope = ss.grad(loss)
    x, y = (ss.tensor(np.random.default_rng(n).integers(-2000, 2000, (6, 4))) for n in range(2))
    expected = slope(table, x, y)
    got = compile(slope)(table, x, y)
    np.testing.assert_allclose(got.array, expected.array, rtol=1e-13, atol=1e-13)


def test_a_sum_over_rows_reads_what_is_stored() -> None:
    g = ss.tensor(np.random.default_rng(0).normal(size=(30, 40)), requires_grad=True)
    rows = ss.tensor(np.random.default_rng(1).integers(0, 1000, 30))

    def sums(g: Any) -> Any:
        table = ss.tensor(np.zeros((1000, 40)), requires_grad=True)
        (found,) = ss.vjp(lambda t: t[rows], table)[1](g)
        return found.sum(0), found.sum(1), found.max(), found.T * 2.0, found + found.sum(0)

    for got, wanted in zip(compile(sums)(g), sums(g), strict=True):
        np.testing.assert_allclose(got.array, wanted.array, rtol=1e-12, atol=1e-12)


def test_an_index_out_of_range_is_refused() -> None:
    table = ss.tensor(np.zeros((5000, 8)), requires_grad=True)
    slope = compile(ss.grad(lambda t, x: (t[x] * 2.0).sum()))
    slope(table, ss.tensor([1, 4999]))
    with pytest.raises(IndexError, match="out of bounds"):
        slope(table, ss.tensor([1, 5000]))
    slope(table, ss.tensor([1, -5000]))


def test_the_update_sums_the_rows_itself() -> None:
    _, step = make("adam", 700, 50)
    called = compile(step)
    x, y = batches(700)[0]
    called(x, y)
    lines = str(called.graph(x, y)).splitlines()
    (sums,) = [line for line in lines if "segment_sum" in line]
    assert sums.endswith("float64[700, 50]  (a few rows at a time)")
    assert any(line.startswith("defer ") for line in lines)
