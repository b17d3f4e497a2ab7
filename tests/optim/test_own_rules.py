"""Rules of descent as PyTorch's users write them: a `step` that goes over `self.state[p]`."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import schuss as ss

torch = pytest.importorskip("torch")


def heavy_ball(m: Any) -> Any:
    class HeavyBall(m.optim.Optimizer):  # type: ignore[misc]
        def __init__(self, params: Any, lr: float = 0.1, momentum: float = 0.9) -> None:
            super().__init__(params, {"lr": lr, "momentum": momentum})

        @m.no_grad()
        def step(self, closure: Any = None) -> Any:
            loss = None
            if closure is not None:
                with m.enable_grad():
                    loss = closure()
            for group in self.param_groups:
                for p in group["params"]:
                    if p.grad is None:
                        continue
                    state = self.state[p]
                    if len(state) == 0:
                        state["step"] = 0
                        state["buffer"] = m.zeros_like(p)
                    state["step"] += 1
                    state["buffer"].mul_(group["momentum"]).add_(p.grad)
                    p.add_(state["buffer"], alpha=-group["lr"] / state["step"] ** 0.5)
            return loss

    return HeavyBall


def trained(m: Any, *, by_closure: bool) -> Any:
    w = m.tensor([[1.0, -2.0], [0.5, 3.0]], dtype=m.float64, requires_grad=True)
    x = m.tensor([[0.3, 1.0], [2.0, -0.7], [1.0, 1.0]], dtype=m.float64)
    optimizer = heavy_ball(m)([w])

    def loss() -> Any:
        optimizer.zero_grad()
        value = ((x @ w) ** 2).mean()
        value.backward()
        return value

    losses = []
    for step in range(6):
        if by_closure:
            losses.append(optimizer.step(loss).item())
        else:
            losses.append(loss().item())
            optimizer.step()
        if step == 3:
            state = copy.deepcopy(optimizer.state_dict())
            assert state["state"][0]["step"] == 4
            optimizer = heavy_ball(m)([w])
            optimizer.load_state_dict(state)
    return losses, w.detach().numpy()


@pytest.mark.parametrize("by_closure", [False, True])
def test_as_in_pytorch(by_closure: bool) -> None:
    ours, theirs = (trained(m, by_closure=by_closure) for m in (ss, torch))
    np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-12)
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-12)
