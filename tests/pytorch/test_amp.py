"""The scaling of losses: PyTorch's steps, with and without overflow, and its states."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import schuss as ss


def trained(lib: Any, enabled: bool) -> list[Any]:
    p = lib.tensor([1.0, -2.0], requires_grad=True)
    optimizer = lib.optim.SGD([p], lr=0.1)
    scaler = lib.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2, enabled=enabled)
    found = []
    for k in range(7):
        optimizer.zero_grad()
        loss = (p**4).sum() * (float("inf") if k == 3 else 1.0)
        scaler.scale(loss).backward()
        if k % 2:
            scaler.unscale_(optimizer)
            lib.nn.utils.clip_grad_norm_([p], 2.0)
        if enabled or k != 3:
            scaler.step(optimizer)
        scaler.update()
        found += [*p.tolist(), scaler.get_scale()]
    state = scaler.state_dict()
    scaler.load_state_dict(state)
    return [*found, *state.values(), *scaler.scale([lib.tensor(1.0)])]


@pytest.mark.parametrize("enabled", [True, False])
def test_as_pytorch(enabled: bool) -> None:
    torch = pytest.importorskip("torch")
    np.testing.assert_allclose(
        [float(x) for x in trained(ss, enabled)],
        [float(x) for x in trained(torch, enabled)],
        rtol=1e-6,
    )


def test_mistakes_and_other_devices() -> None:
    with pytest.warns(UserWarning, match="there is no cuda"):
        assert not ss.amp.GradScaler().is_enabled()
    with pytest.raises(ValueError, match="expected init_scale above 0"):
        ss.GradScaler("cpu", init_scale=0.0)
    optimizer = ss.optim.SGD([ss.ones(1).requires_grad_()], lr=0.1)
    scaler = ss.GradScaler("cpu")
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="got it twice"):
        scaler.unscale_(optimizer)
    assert scaler.step(optimizer, lambda: 3) == 3


def test_of_cuda_there_is_none() -> None:
    from schuss.cuda.amp import GradScaler, autocast

    scaler = GradScaler(init_scale=8.0)
    with autocast():
        assert ss.is_autocast_enabled() is False
    assert scaler.get_scale() == 1.0
    assert scaler.state_dict() == {}
