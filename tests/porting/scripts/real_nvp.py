"""A normalising flow of affine couplings (RealNVP)."""

import math

import torch


def train(given, compiled):
    nn = torch.nn

    class Coupling(nn.Module):
        def __init__(self, mask):
            super().__init__()
            self.register_buffer("mask", mask)
            self.s = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2), nn.Tanh())
            self.t = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))

        def forward(self, x):
            kept = x * self.mask
            s = self.s(kept) * (1 - self.mask)
            t = self.t(kept) * (1 - self.mask)
            z = kept + (1 - self.mask) * (x - t) * torch.exp(-s)
            return z, -s.sum(dim=-1)

    class Flow(nn.Module):
        def __init__(self, layers):
            super().__init__()
            masks = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(layers // 2, 1)
            self.layers = nn.ModuleList(Coupling(m) for m in masks)

        def log_prob(self, x):
            total = x.new_zeros(x.shape[0])
            for layer in reversed(self.layers):
                x, logdet = layer(x)
                total = total + logdet
            base = -0.5 * (x**2 + math.log(2 * math.pi)).sum(-1)
            return base + total

    flow = given.fill(Flow(4))
    optimizer = torch.optim.Adam(flow.parameters(), lr=5e-3)

    def step(x):
        loss = -flow.log_prob(x).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(flow.parameters(), 1.0)
        optimizer.step()
        return loss

    step = compiled(step)
    x = given.normal(30, 2)
    x[:, 1] = x[:, 1] * 0.3 + x[:, 0] ** 2
    return [step(x).item() for _ in range(5)]
