"""Averages of weights: PyTorch's, value for value; files of either; the last learning rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.optim import swa_utils

torch = pytest.importorskip("torch")


def kinds(m: Any) -> dict[str, dict[str, Any]]:
    u = m.optim.swa_utils
    return {
        "plain": {},
        "plain of buffers, too": {"use_buffers": True},
        "mean": {"avg_fn": u.get_swa_avg_fn()},
        "exponential": {"avg_fn": u.get_ema_avg_fn(0.8)},
        "exponential, at once": {"multi_avg_fn": u.get_ema_multi_avg_fn(0.7)},
        "exponential of buffers, too": {
            "multi_avg_fn": u.get_ema_multi_avg_fn(0.7),
            "use_buffers": True,
        },
        "own": {"avg_fn": lambda a, w, n: a + (w - a) * 0.25 / (n + 1)},
    }


def network(m: Any) -> Any:
    made = m.nn.Sequential(m.nn.Linear(3, 4), m.nn.BatchNorm1d(4), m.nn.Linear(4, 1)).double()
    rng = np.random.default_rng(3)
    with m.no_grad():
        for p in made.parameters():
            p.copy_(m.from_numpy(rng.normal(size=tuple(p.shape))))
    return made


def batches(m: Any) -> list[Any]:
    rng = np.random.default_rng(5)
    return [[m.from_numpy(rng.normal(size=(8, 3))), m.zeros(8)] for _ in range(6)]


def averages(m: Any, kind: str, compiled: Any = lambda f: f) -> tuple[Any, list[np.ndarray]]:
    model = network(m)
    averaged = m.optim.swa_utils.AveragedModel(model, **kinds(m)[kind])
    optimizer = m.optim.SGD(model.parameters(), lr=0.05)

    @compiled
    def step(x: Any) -> Any:
        optimizer.zero_grad()
        loss = (model(x) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    @compiled
    def evaluate(x: Any) -> Any:
        return averaged(x)

    found = []
    for x, _ in batches(m):
        step(x)
        averaged.update_parameters(model)
        averaged.eval()
        found.append(evaluate(x).detach().numpy().ravel())
    averaged.train()
    m.optim.swa_utils.update_bn(batches(m), averaged)
    found += [v.detach().numpy().ravel() for v in averaged.state_dict().values()]
    return averaged, found


@pytest.mark.parametrize("compiled", [lambda f: f, ss.compile], ids=["eager", "compiled"])
@pytest.mark.parametrize("kind", kinds(ss))
def test_averages_are_pytorchs(kind: str, compiled: Any) -> None:
    averaged, found = averages(ss, kind, compiled)
    other, expected = averages(torch, kind)
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-13)
    assert averaged.training
    assert averaged.module[1].momentum == 0.1
    assert list(averaged.state_dict()) == list(other.state_dict())


def test_an_averaged_network_goes_on_from_pytorchs_file(tmp_path: Any) -> None:
    other, _ = averages(torch, "plain")
    torch.save(other.state_dict(), tmp_path / "averaged.pt")
    model = network(ss)
    averaged = swa_utils.AveragedModel(model)
    averaged.load_state_dict(ss.load(tmp_path / "averaged.pt"))
    assert averaged.n_averaged.item() == 6
    averaged.update_parameters(model)
    other.update_parameters(network(torch))
    for p, q in zip(averaged.parameters(), other.parameters(), strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-12)


@pytest.mark.parametrize("strategy", ["cos", "linear"])
@pytest.mark.parametrize("epochs", [0, 1, 5])
def test_the_last_rates_are_pytorchs(epochs: int, strategy: str) -> None:
    found = []
    for m in (ss, torch):
        parameters = [m.tensor([1.0], requires_grad=True) for _ in range(2)]
        groups = [{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 0.5}]
        optimizer = m.optim.SGD(groups, lr=0.1)
        first = m.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
        last = m.optim.swa_utils.SWALR(optimizer, [0.02, 0.7], epochs, strategy)
        rates = []
        for step in range(12):
            optimizer.step()
            (last if step > 3 else first).step()
            rates.append([group["lr"] for group in optimizer.param_groups])
        found.append(rates)
    np.testing.assert_allclose(*found, rtol=1e-12)


def test_a_network_without_batch_normalisation_is_left_alone() -> None:
    model = nn.Linear(2, 1).eval()
    swa_utils.update_bn([ss.ones((3, 2))], model)
    assert not model.training


def test_mistakes() -> None:
    with pytest.raises(ValueError, match=r"expected decay from 0 to 1, got 1\.5"):
        swa_utils.get_ema_avg_fn(1.5)
    with pytest.raises(ValueError, match="expected avg_fn or multi_avg_fn, got both"):
        swa_utils.AveragedModel(
            nn.Linear(1, 1),
            avg_fn=swa_utils.get_swa_avg_fn(),
            multi_avg_fn=swa_utils.get_swa_multi_avg_fn(),
        )
    optimizer = optim.SGD([ss.tensor([1.0])], lr=0.1)
    with pytest.raises(ValueError, match="expected anneal_strategy 'cos' or 'linear', got 'root'"):
        swa_utils.SWALR(optimizer, 0.1, anneal_strategy="root")
    with pytest.raises(ValueError, match="expected anneal_epochs >= 0, got -1"):
        swa_utils.SWALR(optimizer, 0.1, anneal_epochs=-1)
    assert optim.swa_utils is swa_utils
    with pytest.raises(AttributeError, match="no attribute 'swa'"):
        _ = optim.swa
