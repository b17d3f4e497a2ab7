"""Checkpointing gives the same numbers, and keeps less."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.utils.checkpoint import checkpoint, checkpoint_sequential


class Blocks(nn.Module):
    def __init__(self, count, width, *, kept, p=0.0):
        super().__init__()
        self.kept = kept
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(p),
                nn.Linear(4 * width, width),
            )
            for _ in range(count)
        )  # fmt: skip

    def forward(self, x):
        for block in self.blocks:
            x = x + (block(x) if self.kept else nn.checkpoint(block, x))
        return x


def training(*, kept, compiled, count=3, width=8, rows=16, p=0.2):
    ss.manual_seed(3)
    model = Blocks(count, width, kept=kept, p=p)
    optimizer = ss.optim.Adam(model.parameters(), lr=1e-2)
    x = ss.randn(rows, width)

    def step(x):
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    step = ss.compile(step) if compiled else step
    losses = [step(x).item() for _ in range(3)]
    return step, losses, [p.numpy().copy() for p in model.parameters()]


@pytest.mark.parametrize("compiled", [False, True])
def test_training_with_dropout_is_the_same(compiled):
    """To the bit where nothing is fused."""
    _, losses, weights = training(kept=True, compiled=compiled)
    _, others, found = training(kept=False, compiled=compiled)
    tolerance = 1e-5 if compiled else 0.0
    np.testing.assert_allclose(losses, others, rtol=tolerance)
    for x, y in zip(weights, found, strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance * 1e-2)


def test_a_compiled_step_takes_a_fraction_of_the_memory():
    def arena(*, kept):
        step, _, _ = training(kept=kept, compiled=True, count=12, width=32, rows=512, p=0.0)
        (build,) = step._builds.values()
        return build.compilation.memory.nbytes

    assert arena(kept=True) > 2.5 * arena(kept=False)


def test_nothing_is_kept_between_the_passes():
    made = []

    def block(x):
        y = ss.tanh(x * 2)
        made.append(weakref.ref(y))
        return y * y

    x = ss.tensor(np.ones(3), requires_grad=True)
    y = checkpoint(block, x)
    gc.collect()
    assert made[0]() is None
    y.sum().backward()
    assert len(made) == 2


def test_structures_keywords_and_values_closed_over():
    w = ss.tensor([2.0, 3.0], dtype="float64", requires_grad=True)

    def block(pair, *, scale, flag):
        assert flag == "on"
        a, b = pair["a"], pair["b"]
        return {"product": a * b * w, "sum": (a + b) * scale, "index": ss.argmax(a), "none": None}

    def run(call):
        a = ss.tensor([1.0, 2.0], dtype="float64", requires_grad=True)
        b, scale = (ss.tensor(x, dtype="float64", requires_grad=True) for x in (0.5, 4.0))
        w.grad = None
        found = call({"a": a, "b": b}, scale=scale, flag="on")
        assert found["index"].item() == 1
        assert found["none"] is None
        (found["product"].sum() + (found["sum"] ** 2).sum()).backward()
        return [x.grad.numpy() for x in (a, b, scale, w)]

    for x, y in zip(run(block), run(lambda *a, **k: checkpoint(block, *a, **k)), strict=True):
        np.testing.assert_allclose(x, y, rtol=1e-15)


def test_derivatives_of_derivatives():
    w = ss.tensor(np.random.default_rng(0).normal(size=(3, 3)))

    def network(x):
        return checkpoint(lambda x: ss.tanh(x @ w), checkpoint(lambda x: ss.sin(x @ w), x)).sum()

    ss.check_gradients(network, w * 0.3)
    ss.check_gradients(lambda x: (ss.grad(network)(x) ** 2).sum(), w * 0.3)


def test_hooks_are_called_once():
    seen = []
    layer = nn.Linear(2, 2)
    layer.weight.register_hook(lambda g: seen.append(g.numpy().copy()))
    checkpoint(layer, ss.ones(1, 2)).sum().backward()
    assert len(seen) == 1
    np.testing.assert_array_equal(seen[0], layer.weight.grad.numpy())


def test_random_numbers_after_the_backward_pass_are_those_without():
    def draws(call):
        ss.manual_seed(5)
        x = ss.tensor([1.0, 2.0], requires_grad=True)
        call(lambda x: x * ss.rand(2), x).sum().backward()
        return [*x.grad.tolist(), *ss.rand(2).tolist()]

    assert draws(lambda f, x: f(x)) == draws(checkpoint)


def test_without_gradients_it_is_a_call():
    with ss.no_grad():
        assert not checkpoint(nn.Linear(2, 2), ss.ones(1, 2)).requires_grad
    assert checkpoint(lambda x: x + 1, ss.ones(2)).tolist() == [2.0, 2.0]


@pytest.mark.parametrize("segments", [1, 2, 3, 9])
def test_a_sequence_in_segments(segments):
    model = nn.Sequential(*[nn.Sequential(nn.Linear(3, 3), nn.Tanh()) for _ in range(5)])
    x = ss.randn(4, 3)
    model(x).sum().backward()
    mine = [p.grad.numpy().copy() for p in model.parameters()]
    model.zero_grad()
    checkpoint_sequential(model, segments, x, use_reentrant=False).sum().backward()
    for y, p in zip(mine, model.parameters(), strict=True):
        np.testing.assert_array_equal(y, p.grad.numpy())


def test_numbers_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    from torch.utils.checkpoint import checkpoint as theirs

    values = np.random.default_rng(1).normal(size=(4, 3))
    x, y = ss.tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    checkpoint(lambda a: (a.sin() * a).exp(), x, use_reentrant=False).sum().backward()
    theirs(lambda a: (a.sin() * a).exp(), y, use_reentrant=False).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-13)


def test_within_vmap():
    def loss(x):
        return checkpoint(lambda x: ss.tanh(x) * x, x).sum()

    x = ss.randn(5, 3)
    np.testing.assert_allclose(
        ss.func.vmap(ss.func.grad(loss))(x).numpy(),
        ss.func.vmap(ss.func.grad(lambda x: (ss.tanh(x) * x).sum()))(x).numpy(),
    )
