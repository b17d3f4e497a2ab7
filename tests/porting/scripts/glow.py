"""Glow: actnorm, invertible matrices and couplings; it is inverted at the end."""

import numpy as np
import torch
import torch.nn as nn
from torch.distributions.normal import Normal


class ActNorm(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.loc = nn.Parameter(torch.zeros(1, dim, dtype=torch.float64))
        self.log_scale = nn.Parameter(torch.zeros(1, dim, dtype=torch.float64))
        self.register_buffer("initialized", torch.tensor(0, dtype=torch.int64))

    @torch.no_grad()
    def initialize(self, x):
        self.loc.data.copy_(-x.mean(0, keepdim=True))
        self.log_scale.data.copy_(-torch.log(x.std(0, keepdim=True) + 1e-6))
        self.initialized.fill_(1)

    def forward(self, x):
        return (x + self.loc) * self.log_scale.exp(), self.log_scale.sum().expand(x.shape[0])

    def inverse(self, z):
        return z * (-self.log_scale).exp() - self.loc


class InvertibleLinear(nn.Module):
    def __init__(self, dim, rng):
        super().__init__()
        q = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
        self.weight = nn.Parameter(torch.from_numpy(q))

    def forward(self, x):
        return x @ self.weight, torch.slogdet(self.weight)[1] * torch.ones(x.shape[0]).to(x)

    def inverse(self, z):
        return z @ torch.inverse(self.weight)


class Coupling(nn.Module):
    def __init__(self, dim, given):
        super().__init__()
        self.net = given.fill(
            nn.Sequential(nn.Linear(dim // 2, 12), nn.LeakyReLU(0.2), nn.Linear(12, dim))
        )

    def forward(self, x):
        xa, xb = x.chunk(2, 1)
        log_s, t = self.net(xa).tensor_split(2, dim=1)
        s = torch.sigmoid(log_s + 2.0)
        return torch.cat((xa, (xb + t) * s), 1), s.log().flatten(1).sum(-1)

    def inverse(self, z):
        za, zb = torch.tensor_split(z, 2, 1)
        log_s, t = self.net(za).chunk(2, dim=1)
        return torch.hstack([za, zb / torch.sigmoid(log_s + 2.0) - t])


class Glow(nn.Module):
    def __init__(self, dim, depth, given):
        super().__init__()
        self.flows = nn.ModuleList()
        for _ in range(depth):
            self.flows.extend(
                [ActNorm(dim), InvertibleLinear(dim, given.rng), Coupling(dim, given)]
            )

    def forward(self, x):
        total = 0
        for flow in self.flows:
            x, logdet = flow(x)
            total = total + logdet
        return x, total

    def reverse(self, z):
        for flow in reversed(self.flows):
            z = flow.inverse(z)
        return z


def train(given, compiled):
    model = Glow(4, 3, given)
    data = torch.sinh(given.normal(6, 32, 4))
    x = data[0]
    for flow in model.flows:
        if isinstance(flow, ActNorm) and not flow.initialized.item():
            flow.initialize(x)
        x = flow(x)[0].detach()
    prior = Normal(torch.tensor(0.0, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64))
    optimizer = torch.optim.Adamax(model.parameters(), lr=1e-2, eps=1e-7)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)

    def step(x):
        z, logdet = model(x)
        loss = -(prior.log_prob(z).sum(1) + logdet).mean() / (4 * np.log(2))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    step = compiled(step)
    losses = []
    for x in data:
        losses.append(step(x).item())
        scheduler.step()
    with torch.no_grad():
        z, _ = model(data[0])
        assert torch.allclose(model.reverse(z), data[0], atol=1e-6)
    return losses
