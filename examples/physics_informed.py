"""A physics-informed network: the vibration of a string, u'' + k^2 u = 0, from its equation alone.

The network is u(x); second derivatives by x are in the loss, and the loss is gone down by the
derivatives of that by the weights: three orders in one compiled step.

    python examples/physics_informed.py [--steps 2000]
"""

from __future__ import annotations

import argparse
import math

import numpy as np

import schuss as ss
from schuss import nn, optim

WAVES = 1.5 * math.pi


def main(arguments: list[str] | None = None) -> float:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=2000)
    options = parser.parse_args(arguments)

    ss.manual_seed(0)
    model = nn.Sequential(
        nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1)
    )
    optimizer = optim.Adam(model.parameters(), lr=5e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, options.steps)

    @ss.compile
    def step(x: ss.Tensor) -> ss.Tensor:
        x = x.detach().requires_grad_()
        u = model(x)
        (slope,) = ss.autograd.grad(u.sum(), x, create_graph=True)
        (bend,) = ss.autograd.grad(slope.sum(), x, create_graph=True)
        equation = ((bend / WAVES**2 + u) ** 2).mean()
        # The string begins at 0 with slope k, so that u is sin(k x).
        ends = u[0, 0] ** 2 + (slope[0, 0] / WAVES - 1.0) ** 2
        loss = equation + ends
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    x = np.linspace(0, 1, 64, dtype=np.float32)[:, None]
    for number in range(1, options.steps + 1):
        loss = step(ss.tensor(x))
        schedule.step()
        if number % 400 == 0 or number in (1, options.steps):
            print(f"step {number}: loss {loss.item():.6f}")

    with ss.no_grad():
        error = float(abs(model(ss.tensor(x)).numpy() - np.sin(WAVES * x)).max())
    print(f"largest distance from sin(k x): {error:.4f}")
    return error


if __name__ == "__main__":
    main()
