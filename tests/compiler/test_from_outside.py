"""Going back through what a compiled function returned gives the gradients of eager evaluation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim


def data() -> tuple[ss.Tensor, ss.Tensor]:
    rng = np.random.default_rng(0)
    return ss.tensor(rng.normal(size=(6, 3))), ss.tensor(rng.normal(size=(6, 2)))


def network(*, norm: bool = False) -> nn.Module:
    ss.manual_seed(0)
    parts = [nn.Linear(3, 4), *([nn.BatchNorm1d(4)] if norm else []), nn.Tanh(), nn.Linear(4, 2)]
    return nn.Sequential(*parts).double()


def trained(compiled: bool, *, norm: bool = False, drop: bool = False) -> Any:
    model = network(norm=norm)
    if drop:
        model = nn.Sequential(model, nn.Dropout(0.5))
    forward = ss.compile(lambda x: model(x)) if compiled else model
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    x, y = data()
    losses = []
    for _ in range(5):
        optimizer.zero_grad()
        loss = ((forward(x) - y) ** 2).mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, [t.detach().numpy().copy() for t in model.state_dict().values()]


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("drop", [False, True])
def test_training_through_a_compiled_network(norm: bool, drop: bool) -> None:
    eager = trained(False, norm=norm, drop=drop)
    compiled = trained(True, norm=norm, drop=drop)
    np.testing.assert_allclose(eager[0], compiled[0], rtol=1e-10)
    for a, b in zip(eager[1], compiled[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_by_arguments_and_what_lies_before_them() -> None:
    w = ss.tensor([1.0, 2.0], "float64", requires_grad=True)
    v = ss.tensor([3.0, -1.0], "float64", requires_grad=True)
    f = ss.compile(lambda x, k: (x * v * k, {"sum": x.sum()}))
    found = []
    for run in (f, f.function):
        product, more = run(w * w, 2.0)
        (product.sum() * more["sum"]).backward()
        found.append((w.grad.tolist(), v.grad.tolist()))  # type: ignore[union-attr]
        w.grad = v.grad = None
    assert found[0] == found[1]


def test_higher_orders() -> None:
    x = ss.tensor([0.5, -1.0], "float64", requires_grad=True)
    f = ss.compile(lambda x: (x**3).sum())
    (first,) = ss.autograd.grad(f(x), x, create_graph=True)
    (second,) = ss.autograd.grad(first.sum(), x)
    np.testing.assert_allclose(first.detach().numpy(), 3 * x.detach().numpy() ** 2)
    np.testing.assert_allclose(second.numpy(), 6 * x.detach().numpy())


def test_a_backbone_and_a_head() -> None:
    found = []
    for compiled in (False, True):
        backbone, head = network(), nn.Linear(2, 1).double()
        head.load_state_dict({"weight": np.ones((1, 2)), "bias": np.zeros(1)})
        forward = ss.compile(backbone) if compiled else backbone
        both = [*backbone.parameters(), *head.parameters()]
        optimizer = optim.SGD(both, lr=0.1)
        x, _ = data()
        for _ in range(3):
            optimizer.zero_grad()
            head(forward(x)).mean().backward()
            optimizer.step()
        found.append([p.detach().numpy().copy() for p in both])
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_parameters_that_changed_since_are_an_error() -> None:
    model = network()
    forward = ss.compile(lambda x: model(x))
    loss = forward(data()[0]).sum()
    with ss.no_grad():
        for p in model.parameters():
            p.add_(1.0)
    with pytest.raises(RuntimeError, match="changed in place"):
        loss.backward()


def test_a_graph_is_freed() -> None:
    x = ss.tensor([1.0], requires_grad=True)
    y = ss.compile(lambda x: x * x)(x)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 4  # type: ignore[union-attr]
    with pytest.raises(RuntimeError, match="freed by an earlier backward"):
        y.backward()


def test_a_compiled_module_is_a_module() -> None:
    model = network()
    compiled = ss.compile(model)
    assert isinstance(compiled, nn.Module)
    assert len(list(compiled.parameters())) == 4
    assert list(compiled.state_dict()) == [f"_orig_mod.{k}" for k in model.state_dict()]
    assert compiled.train(False) is compiled
    assert not model.training
    x, y = data()
    np.testing.assert_allclose(compiled(x).detach().numpy(), model(x).detach().numpy(), rtol=1e-12)
    optimizer = optim.SGD(compiled.parameters(), lr=0.5)
    before = ((model(x) - y) ** 2).mean().item()
    for _ in range(5):
        optimizer.zero_grad()
        ((compiled(x) - y) ** 2).mean().backward()
        optimizer.step()
    assert ((model(x) - y) ** 2).mean().item() < before
    outer = nn.Sequential(compiled, nn.Linear(2, 1))
    assert len(list(outer.parameters())) == 6
    assert compiled[0] is model[0]
    assert "Sequential" in repr(compiled)
