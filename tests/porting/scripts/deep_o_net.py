"""A DeepONet learns antiderivatives; schedules one after another and at once."""

import torch
import torch.nn as nn
from torch.optim.lr_scheduler import (
    ChainedScheduler,
    ConstantLR,
    CyclicLR,
    ExponentialLR,
    LinearLR,
    MultiplicativeLR,
    SequentialLR,
)


class DeepONet(nn.Module):
    def __init__(self, sensors, p=8):
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(sensors, 16), nn.Tanh(), nn.Linear(16, p))
        self.trunk = nn.Sequential(nn.Linear(1, 16), nn.Tanh(), nn.Linear(16, p), nn.Tanh())
        self.b = nn.Parameter(torch.tensor(0.0))

    def forward(self, u, y):
        return torch.einsum("bp,np->bn", self.branch(u), self.trunk(y)) + self.b


def schedulers(optimizer):
    yield SequentialLR(
        optimizer,
        [LinearLR(optimizer, 0.1, total_iters=2), ExponentialLR(optimizer, 0.8)],
        milestones=[2],
    )


def train(given, compiled):
    grid = torch.linspace(0, 1, 12, dtype=torch.float64)
    coefficients = given.normal(10, 3)
    basis = torch.stack([torch.ones_like(grid), grid, torch.cos(3 * grid)])
    primitive = torch.stack([grid, grid**2 / 2, torch.sin(3 * grid) / 3])
    u, s = coefficients @ basis, coefficients @ primitive
    out = []
    for kind in range(4):
        net = given.fill(DeepONet(12))
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
        if kind == 0:
            (scheduler,) = schedulers(optimizer)
        elif kind == 1:
            scheduler = ChainedScheduler(
                [
                    ConstantLR(optimizer, factor=0.5, total_iters=2),
                    ExponentialLR(optimizer, gamma=0.9),
                ]
            )
        elif kind == 2:
            scheduler = MultiplicativeLR(
                optimizer, lr_lambda=lambda epoch: 0.95 if epoch < 3 else 0.7
            )
        else:
            scheduler = CyclicLR(
                optimizer,
                base_lr=1e-3,
                max_lr=1e-2,
                step_size_up=2,
                mode="triangular2",
                cycle_momentum=False,
            )

        def step(u, s, net=net, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (
                torch.linalg.norm(net(u, grid.unsqueeze(1)) - s, dim=1)
                .div(torch.linalg.norm(s, dim=1))
                .mean()
            )
            loss.backward()
            optimizer.step()
            return loss

        step = compiled(step)
        for _ in range(5):
            out.append(step(u, s).item())
            scheduler.step()
            out.append(scheduler.get_last_lr()[-1])
    return out
