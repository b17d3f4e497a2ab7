"""Pruned weights are what PyTorch makes of them."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import schuss as ss
from schuss.nn.utils import prune as our_prune

torch = pytest.importorskip("torch")
prune = pytest.importorskip("torch.nn.utils.prune")


def network(m: Any) -> Any:
    rng = np.random.default_rng(0)
    net = m.nn.Sequential(m.nn.Conv2d(2, 4, 3), m.nn.Flatten(), m.nn.Linear(4, 3)).double()
    weights = {k: m.tensor(rng.normal(size=tuple(v.shape))) for k, v in net.state_dict().items()}
    net.load_state_dict(weights)
    return net


WAYS: dict[str, Any] = {
    "smallest": lambda p, net: p.l1_unstructured(net[0], "weight", 0.3),
    "count": lambda p, net: p.l1_unstructured(net[2], "weight", amount=5),
    "twice": lambda p, net: (
        p.l1_unstructured(net[0], "weight", 0.5),
        p.l1_unstructured(net[0], name="weight", amount=0.5),
    ),
    "channels": lambda p, net: p.ln_structured(net[0], "weight", amount=0.5, n=2, dim=0),
    "channels after": lambda p, net: (
        p.l1_unstructured(net[2], "weight", 0.25),
        p.ln_structured(net[2], "weight", 0.5, 1, 1),
        p.l1_unstructured(net[2], "bias", 1),
    ),
    "all": lambda p, net: p.global_unstructured(
        [(net[0], "weight"), (net[2], "weight")], pruning_method=p.L1Unstructured, amount=0.6
    ),
    "nothing": lambda p, net: p.identity(net[0], "weight"),
}


@pytest.mark.parametrize("way", WAYS)
def test_training_what_is_pruned(way: str) -> None:
    found = []
    for m, p in ((ss, our_prune), (torch, prune)):
        net = network(m)
        WAYS[way](p, net)
        assert p.is_pruned(net)
        descent = m.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
        x = m.tensor(np.random.default_rng(1).normal(size=(5, 2, 3, 3)))

        def step(x: Any, net: Any = net, descent: Any = descent) -> Any:
            loss = (net(x) ** 2).mean()
            descent.zero_grad()
            loss.backward()
            descent.step()
            return loss

        run = ss.compile(step) if m is ss else step
        losses = [run(x).item() for _ in range(4)]
        names = set(net.state_dict())
        for layer in (net[0], net[2]):
            for name in ("weight", "bias"):
                if hasattr(layer, f"{name}_mask"):
                    p.remove(layer, name)
        assert not p.is_pruned(net)
        values = {k: np.asarray(v) for k, v in net.state_dict().items()}
        found.append((losses, names, values, net(x).detach().numpy()))
    ours, theirs = found
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-9)
    assert ours[1] == theirs[1]
    np.testing.assert_allclose(ours[3], theirs[3], rtol=1e-9)
    for key, value in theirs[2].items():
        np.testing.assert_allclose(ours[2][key], value, rtol=1e-9)


def test_chance_and_copies() -> None:
    ss.manual_seed(0)
    net = network(ss)
    our_prune.random_unstructured(net[0], "weight", 0.25)
    our_prune.random_structured(net[2], "weight", 1, dim=1)
    our_prune.custom_from_mask(net[2], "bias", ss.tensor([1.0, 0.0, 1.0]))
    assert int((net[0].weight_mask == 0).sum()) == 18
    assert (net[2].weight_mask == 0).all(0).sum() == 1
    twin = copy.deepcopy(net)
    our_prune.remove(net[2], "weight")
    assert "weight_orig" not in dict(net[2].named_parameters())
    assert net[2].bias[1] == 0
    assert twin[2].weight.shape == (3, 4)
    our_prune.remove(twin[2], "bias")
    assert (twin[2].weight_orig * twin[2].weight_mask == twin[2].weight).all()


def test_errors() -> None:
    net = network(ss)
    with pytest.raises(ValueError, match="name of a parameter of Linear, got 'weights'"):
        our_prune.l1_unstructured(net[2], "weights", 0.5)
    with pytest.raises(ValueError, match=r"a share up to 1\.0, got 1\.5"):
        our_prune.l1_unstructured(net[2], "weight", 1.5)
    with pytest.raises(ValueError, match="at most 12, which are left, got 13"):
        our_prune.l1_unstructured(net[2], "weight", 13)
    with pytest.raises(ValueError, match="a parameter that is pruned, got 'weight'"):
        our_prune.remove(net[2], "weight")
    with pytest.raises(TypeError, match="unstructured method, got LnStructured"):
        our_prune.global_unstructured(
            [(net[2], "weight")], our_prune.LnStructured, amount=1, n=2, dim=0
        )
