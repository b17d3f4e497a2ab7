"""A whole descent, network, loss, clipping, rule and schedule together, against PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import schuss as ss
from schuss import nn, optim
from schuss.optim import lr_scheduler


def network(layers):
    return layers.Sequential(
        layers.Linear(6, 16),
        layers.BatchNorm1d(16),
        layers.GELU(),
        layers.Linear(16, 16),
        layers.LayerNorm(16),
        layers.SiLU(),
        layers.Linear(16, 4),
    )


def test_a_hundred_steps_of_training_equal_pytorchs():
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(100, 6)), rng.integers(0, 4, 100)
    factors = np.array([1.0, 2.0, 0.5, 1.0])
    ss.manual_seed(0)
    ours = network(nn).double()
    theirs = network(torch.nn).double()
    theirs.load_state_dict({k: torch.tensor(v.numpy()) for k, v in ours.state_dict().items()})
    losses = []
    for model, make, library, rules, schedulers, clip in (
        (ours, ss.tensor, nn.functional, optim, lr_scheduler, optim.clip_grad_norm_),
        (
            theirs,
            torch.tensor,
            torch.nn.functional,
            torch.optim,
            torch.optim.lr_scheduler,
            torch.nn.utils.clip_grad_norm_,
        ),
    ):
        optimizer = rules.AdamW(model.parameters(), lr=0.01)
        scheduler = schedulers.OneCycleLR(optimizer, max_lr=0.02, total_steps=101)
        for _ in range(100):
            loss = library.cross_entropy(
                model(make(x)), make(y), make(factors), label_smoothing=0.1
            )
            optimizer.zero_grad()
            loss.backward()
            clip(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
    np.testing.assert_allclose(losses[:100], losses[100:], rtol=1e-7)
    assert losses[99] < 0.75 * losses[0]
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-6, atol=1e-8)
