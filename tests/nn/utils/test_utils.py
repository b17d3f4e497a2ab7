from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss

torch = pytest.importorskip("torch")


def twin(theirs: Any, ours: Any) -> Any:
    ours.load_state_dict({k: v.detach().numpy() for k, v in theirs.state_dict().items()})
    return ours


def test_vectors_of_parameters() -> None:
    net = ss.nn.Sequential(ss.nn.Linear(2, 3), ss.nn.Linear(3, 1))
    vector = ss.nn.utils.parameters_to_vector(net.parameters())
    assert vector.requires_grad
    ss.nn.utils.vector_to_parameters(vector * 2, net.parameters())
    again = ss.nn.utils.parameters_to_vector(net.parameters())
    np.testing.assert_array_equal(again.detach().numpy(), 2 * vector.detach().numpy())
    with pytest.raises(ValueError, match="a vector of 13 elements"):
        ss.nn.utils.vector_to_parameters(vector[1:], net.parameters())


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize("dim", [0, 1, None])
@pytest.mark.parametrize("old", [False, True])
def test_weight_norm(old: bool, dim: int | None) -> None:
    def made(m: Any) -> Any:
        place = m.nn.utils if old else m.nn.utils.parametrizations
        return place.weight_norm(m.nn.Linear(3, 2), dim=dim)

    theirs = made(torch)
    ours = made(ss)
    assert sorted(ours.state_dict()) == sorted(theirs.state_dict())
    twin(theirs, ours)
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    for m, net in ((ss, ours), (torch, theirs)):
        (net(m.tensor(x)) ** 2).sum().backward()
    for (name, a), (_, b) in zip(
        sorted(ours.named_parameters()), sorted(theirs.named_parameters()), strict=True
    ):
        assert a.shape == tuple(b.shape), name
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=2e-4, atol=1e-4)
    y = ours(ss.tensor(x)).detach().numpy()
    if old:
        ss.nn.utils.remove_weight_norm(ours)
    else:
        ss.nn.utils.parametrize.remove_parametrizations(ours, "weight")
    assert sorted(ours.state_dict()) == ["bias", "weight"]
    assert type(ours) is ss.nn.Linear
    np.testing.assert_allclose(ours(ss.tensor(x)).detach().numpy(), y, rtol=1e-6)


@pytest.mark.filterwarnings("ignore:.*weight_norm.* is deprecated")
@pytest.mark.parametrize("old", [False, True])
def test_trained_alike_eager_and_compiled(old: bool) -> None:
    place = ss.nn.utils if old else ss.nn.utils.parametrizations
    losses = []
    for compiled in (False, True):
        ss.manual_seed(0)
        net = ss.nn.Sequential(
            place.weight_norm(ss.nn.Linear(3, 4)), ss.nn.Tanh(), ss.nn.Linear(4, 1)
        )
        optimizer = ss.optim.Adam(net.parameters(), lr=0.05)

        def step(x: Any, net: Any = net, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = ((net(x) - 1) ** 2).mean()
            loss.backward()
            optimizer.step()
            return loss

        run = ss.compile(step) if compiled else step
        x = ss.randn(5, 3)
        losses.append([run(x).item() for _ in range(5)])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def doubled(m: Any) -> Any:
    class Doubled(m.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x * 2

        def right_inverse(self, x: Any) -> Any:
            return x / 2

    return Doubled()


def test_parametrizations_one_after_the_other() -> None:
    for m in (ss, torch):
        p = m.nn.utils.parametrize
        layer = m.nn.Linear(2, 2)
        before = layer.weight.detach().numpy().copy()
        p.register_parametrization(layer, "weight", doubled(m))
        np.testing.assert_array_equal(layer.weight.detach().numpy(), before)
        p.register_parametrization(layer, "weight", doubled(m))
        p.register_parametrization(layer, "bias", doubled(m))
        assert p.is_parametrized(layer)
        assert p.is_parametrized(layer, "bias")
        assert len(layer.parametrizations.weight) == 2
        assert sorted(name for name, _ in layer.named_parameters()) == [
            "parametrizations.bias.original",
            "parametrizations.weight.original",
        ]
        with p.cached():
            assert layer.weight is layer.weight
        p.remove_parametrizations(layer, "bias")
        p.remove_parametrizations(layer, "weight", leave_parametrized=False)
        assert not p.is_parametrized(layer)
        assert isinstance(layer.weight, m.nn.Parameter)


def test_errors() -> None:
    p = ss.nn.utils.parametrize

    class Shorter(ss.nn.Module):
        def forward(self, x: Any) -> Any:
            return x[1:]

    layer = ss.nn.Linear(2, 2)
    with pytest.raises(ValueError, match=r"to stay float32 of shape \(2, 2\), got .* \(1, 2\)"):
        p.register_parametrization(layer, "weight", Shorter())
    assert isinstance(layer.weight, ss.nn.Parameter)
    with pytest.raises(ValueError, match="a parameter or buffer of Linear, got 'wait'"):
        p.register_parametrization(layer, "wait", Shorter())
    with pytest.raises(ValueError, match="a parametrized tensor, got 'weight'"):
        p.remove_parametrizations(layer, "weight")
    with pytest.raises(ValueError, match="a weight with weight norm, got 'weight'"):
        ss.nn.utils.remove_weight_norm(layer)
