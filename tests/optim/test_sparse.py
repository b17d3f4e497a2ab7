"""Sparse gradients: PyTorch's sequence of 100 steps, eager and compiled, and who refuses them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.compiler.runtime.thread_tuner import ThreadTuner
from schuss.primitives.row_gradient import RowGradient

RULES = [
    ("SparseAdam", {"lr": 0.01}),
    ("SparseAdam", {"lr": 0.01, "betas": (0.8, 0.9), "eps": 1e-3, "maximize": True}),
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01}),
]
WIDTH, STEPS = 12, 100


def start(rows: int) -> tuple[Any, ...]:
    """The table, a matrix behind it, and the batches; many hold a row more than once."""
    rng = np.random.default_rng(0)
    x = rng.integers(0, max(rows // 2, 4), (STEPS, 8, 3))
    x[::7] = 1
    y = rng.integers(0, 3, (STEPS, 8))
    return rng.normal(size=(rows, WIDTH)), rng.normal(size=(WIDTH, 3)), x, y


def make(rows: int, name: str, options: dict[str, Any], **table: Any) -> tuple[Any, Any, Any]:
    weight, matrix, _, _ = start(rows)
    layer = nn.Embedding(rows, WIDTH, sparse=True, dtype="float64", **table)
    layer.weight.assign(weight)
    rule = getattr(optim, name)(layer.parameters(), **options)

    def step(x: Any, y: Any) -> Any:
        loss = nn.functional.cross_entropy(layer(x).mean(1) @ ss.tensor(matrix), y)
        rule.zero_grad()
        loss.backward()
        rule.step()
        return loss

    return layer, rule, step


def train(rows: int, name: str, options: dict[str, Any], compiled: bool) -> list[np.ndarray]:
    layer, rule, step = make(rows, name, options)
    called = ss.compile(step) if compiled else step
    _, _, x, y = start(rows)
    for i in range(STEPS):
        called(ss.tensor(x[i]), ss.tensor(y[i]))
    state = {k: v for k, v in rule.state[layer.weight].items() if k != "step"}
    return [layer.weight.array, layer.weight.grad.array, *[v.array for v in state.values()]]


# PyTorch's Adagrad makes sparse tensors without saying whether they are to be checked.
@pytest.mark.filterwarnings("ignore:Sparse invariant checks")
@pytest.mark.parametrize(("name", "options"), RULES)
@pytest.mark.parametrize("rows", [10, 4100])
def test_pytorch_takes_the_same_steps(name: str, options: dict[str, Any], rows: int) -> None:
    torch = pytest.importorskip("torch")
    weight, matrix, x, y = start(rows)
    table = torch.nn.Embedding(rows, WIDTH, sparse=True).double()
    table.weight.data = torch.tensor(weight)
    rule = getattr(torch.optim, name)(table.parameters(), **options)
    for i in range(STEPS):
        out = table(torch.tensor(x[i])).mean(1) @ torch.tensor(matrix)
        loss = torch.nn.functional.cross_entropy(out, torch.tensor(y[i]))
        rule.zero_grad()
        loss.backward()
        rule.step()
    expected = table.weight.detach().numpy()
    for compiled in (False, True):
        got = train(rows, name, options, compiled)[0]
        np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("name", "options"), RULES)
@pytest.mark.parametrize("rows", [10, 4100])
def test_compiled_equals_eager(
    name: str, options: dict[str, Any], rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = train(rows, name, options, compiled=False)
    found = []
    for count in (1, 3):
        monkeypatch.setattr(ThreadTuner, "always", count)
        found.append(train(rows, name, options, compiled=True))
    for one, other, wanted in zip(*found, expected, strict=True):
        np.testing.assert_allclose(one, wanted, rtol=1e-8, atol=1e-12)
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("compiled", [False, True])
def test_rows_that_are_not_looked_up_stay(compiled: bool) -> None:
    layer, rule, step = make(4100, "SparseAdam", {"lr": 0.1}, padding_idx=2)
    before = np.array(layer.weight.array)
    called = ss.compile(step) if compiled else step
    for rows in ([[1, 2, 7]], [[7, 7, 9]], [[2, 2, 2]]):
        called(ss.tensor(rows), ss.tensor([0]))
    moved = (layer.weight.array != before).any(1).nonzero()[0]
    np.testing.assert_array_equal(moved, [1, 7, 9])
    assert rule.state[layer.weight]["step"].item() == 3.0


def test_a_sparse_gradient_reads_as_a_whole_one() -> None:
    sparse, dense = (nn.Embedding(20, 3, padding_idx=4, sparse=s) for s in (True, False))
    dense.weight.assign(sparse.weight)
    for layer in (sparse, dense):
        for rows in ([[3, 4], [3, 3]], [[19, 4]]):
            (layer(ss.tensor(rows)) ** 3).sum().backward()
    gradient = sparse.weight.grad
    assert type(gradient) is RowGradient
    assert gradient.rows.array.tolist() == [3, 4, 3, 3, 19, 4]
    assert gradient.shape == (20, 3)
    assert gradient.dtype == np.float32
    expected = dense.weight.grad.array
    rows, sums = gradient.coalesced()
    np.testing.assert_array_equal(rows, [3, 4, 19])
    for got, wanted in (
        (sums, expected[rows]),
        ((gradient * 2.0).coalesced()[1], 2 * expected[rows]),
        ((2.0 * gradient).array, 2 * expected),
        ((-gradient).array, -expected),
        ((gradient + dense.weight.grad).array, 2 * expected),
        ((gradient * gradient).array, expected**2),
        (copy.deepcopy(gradient).array, expected),
        (gradient.array, expected),
    ):
        np.testing.assert_allclose(got, wanted, rtol=1e-6)
    optim.clip_grad_norm_(sparse.parameters(), 1e-3)
    optim.clip_grad_norm_(dense.parameters(), 1e-3)
    assert sparse.weight.grad.rows is not None
    np.testing.assert_allclose(sparse.weight.grad.array, dense.weight.grad.array, rtol=1e-6)
    sparse.weight.grad.assign(dense.weight.grad * 0.0)
    assert sparse.weight.grad.rows is None
    assert not sparse.weight.grad.array.any()


def test_the_derivative_agrees_with_differences() -> None:
    rows = ss.tensor([[0, 2], [2, 2]])

    def loss(weight: Any) -> Any:
        return (nn.functional.embedding(rows, weight, sparse=True) ** 3).sum()

    weight = ss.tensor(np.random.default_rng(0).normal(size=(4, 3)), requires_grad=True)
    ss.check_gradients(loss, weight)
    twice = ss.grad(lambda w: (ss.grad(loss)(w) ** 2).sum())(weight)
    assert twice.array[1].tolist() == [0, 0, 0]
    assert (twice.array[[0, 2]] != 0).all()


def test_what_others_hold_is_not_changed() -> None:
    layer, rule, step = make(30, "SparseAdam", {"lr": 0.1})
    x, y = ss.tensor([[1, 2, 3]]), ss.tensor([0])
    step(x, y)
    held = layer.weight.numpy()
    saved = copy.deepcopy(held), rule.state_dict()["state"][0]["exp_avg"]
    average = np.array(saved[1].array)
    step(x, y)
    np.testing.assert_array_equal(held, saved[0])
    np.testing.assert_array_equal(saved[1].array, average)
    assert (layer.weight.array[1] != held[1]).all()


@pytest.mark.parametrize("name", ["Adam", "AdamW", "RMSprop"])
@pytest.mark.parametrize("compiled", [False, True])
def test_other_rules_refuse(name: str, compiled: bool) -> None:
    _, _, step = make(30, name, {})
    called = ss.compile(step) if compiled else step
    with pytest.raises(RuntimeError, match=f"{name}: expected a dense gradient, got a sparse one"):
        called(ss.tensor([[1]]), ss.tensor([0]))


@pytest.mark.parametrize("name", ["SGD", "Adagrad"])
def test_weight_decay_is_refused(name: str) -> None:
    _, _, step = make(30, name, {"weight_decay": 0.1})
    with pytest.raises(RuntimeError, match="expected weight_decay 0 with a sparse gradient"):
        step(ss.tensor([[1]]), ss.tensor([0]))


def test_a_dense_gradient_is_refused() -> None:
    layer = nn.Linear(2, 3)
    rule = optim.SparseAdam(layer.parameters())
    layer(ss.tensor([[1.0, 2.0]])).sum().backward()
    with pytest.raises(RuntimeError, match="SparseAdam: expected a sparse gradient, got a dense"):
        rule.step()
    with pytest.raises(ValueError, match="expected two betas"):
        optim.SparseAdam(layer.parameters(), betas=(0.9,))
