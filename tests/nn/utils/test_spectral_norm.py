"""Spectral norm by both names: PyTorch's numbers from the same state, eager and compiled."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn
from schuss.nn.utils import parametrizations, remove_spectral_norm, spectral_norm

X = np.random.default_rng(2).normal(size=(6, 4))


def norms(m: Any, name: str) -> Any:
    utils = m.nn.utils
    return utils.spectral_norm if name == "older" else utils.parametrizations.spectral_norm


def network(m: Any, name: str, state: dict[str, np.ndarray] | None, **options: Any) -> Any:
    norm = norms(m, name)
    made = m.nn.Sequential(
        norm(m.nn.Linear(4, 5), **options), m.nn.Tanh(), norm(m.nn.Linear(5, 2), dim=1)
    ).double()
    if state is not None:
        made.load_state_dict({k: m.tensor(v) for k, v in state.items()})
    return made


def trained(m: Any, made: Any, wrap: Any = lambda f: f) -> list[np.ndarray]:
    optimizer = m.optim.SGD(made.parameters(), lr=0.1)

    @wrap
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        # Two calls, as of a discriminator with real and made data.
        loss = (made(x) ** 2).mean() - made(x + 1).mean()
        loss.backward()
        optimizer.step()
        return loss

    losses = [step(m.tensor(X)).item() for _ in range(5)]
    made.eval()
    results = [np.array(losses), made(m.tensor(X)).detach().numpy()]
    return results + [v.numpy() for v in made.state_dict().values()]


@pytest.mark.parametrize("wrap", [lambda f: f, ss.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("name", ["older", "newer"])
def test_trainings_equal_pytorchs(name: str, times: int, wrap: Any) -> None:
    torch = pytest.importorskip("torch")
    theirs = network(torch, name, None, n_power_iterations=times)
    state = {k: v.numpy().copy() for k, v in theirs.state_dict().items()}
    ours = network(ss, name, state, n_power_iterations=times)
    assert [n for n, _ in ours.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for a, b in zip(trained(ss, ours, wrap), trained(torch, theirs), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["older", "newer"])
def test_the_largest_singular_value_becomes_one(name: str) -> None:
    ss.manual_seed(0)
    layer = norms(ss, name)(nn.Linear(4, 5).double(), n_power_iterations=50)
    layer(ss.tensor(X))
    assert np.linalg.norm(layer.weight.detach().numpy(), 2) == pytest.approx(1.0, abs=1e-6)


def test_a_vector_is_divided_by_its_length() -> None:
    layer = parametrizations.spectral_norm(nn.Linear(4, 5), "bias")
    assert np.linalg.norm(layer.bias.detach().numpy()) == pytest.approx(1.0)


def test_it_is_taken_away() -> None:
    layer = spectral_norm(nn.Linear(4, 5).double())
    layer.eval()
    expected = layer(ss.tensor(X)).detach().numpy()
    assert remove_spectral_norm(layer) is layer
    assert type(layer) is nn.Linear
    assert sorted(layer.state_dict()) == ["bias", "weight"]
    np.testing.assert_allclose(layer(ss.tensor(X)).detach().numpy(), expected, rtol=1e-12)
    with pytest.raises(ValueError, match="expected a weight with spectral norm, got 'weight'"):
        remove_spectral_norm(layer)


@pytest.mark.parametrize("name", ["older", "newer"])
def test_mistakes(name: str) -> None:
    with pytest.raises(ValueError, match="expected the name of a parameter of Linear, got 'w'"):
        norms(ss, name)(nn.Linear(2, 2), "w")
    with pytest.raises(ValueError, match="expected n_power_iterations >= 1, got 0"):
        norms(ss, name)(nn.Linear(2, 2), n_power_iterations=0)
