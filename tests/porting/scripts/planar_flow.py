"""Planar flows fit a density of two moons' kind by the change of variables."""

import math

import torch
import torch.distributions as D
import torch.nn as nn


class PlanarFlow(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.w = nn.Parameter(torch.empty(1, dim))
        self.u = nn.Parameter(torch.empty(1, dim))
        self.b = nn.Parameter(torch.empty(1))
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.uniform_(self.w, -0.1, 0.1)
        nn.init.uniform_(self.u, -0.1, 0.1)
        nn.init.zeros_(self.b)

    def constrained_u(self):
        wu = (self.w * self.u).sum()
        m = -1 + torch.log1p(wu.exp())
        return self.u + (m - wu) * self.w / (self.w.norm(p=2) ** 2 + 1e-8)

    def forward(self, z):
        u = self.constrained_u()
        hidden = torch.tanh(nn.functional.linear(z, self.w, self.b))
        psi = (1 - hidden**2) * self.w
        log_det = torch.log(torch.abs(1 + (psi * u).sum(-1)) + 1e-8)
        return z + u * hidden, log_det


class NormalizingFlow(nn.Module):
    def __init__(self, dim, length):
        super().__init__()
        self.transforms = nn.ModuleList(PlanarFlow(dim) for _ in range(length))

    def forward(self, z):
        total = torch.zeros(z.shape[0], dtype=z.dtype)
        for transform in self.transforms:
            z, log_det = transform(z)
            total = total + log_det
        return z, total


def energy(z):
    z1, z2 = torch.chunk(z, chunks=2, dim=1)
    norm = torch.sqrt(z1**2 + z2**2)
    exp1 = torch.exp(-0.5 * ((z1 - 2) / 0.8) ** 2)
    exp2 = torch.exp(-0.5 * ((z1 + 2) / 0.8) ** 2)
    return (0.5 * ((norm - 2) / 0.4) ** 2 - torch.log(exp1 + exp2 + 1e-9)).squeeze()


def train(given, compiled):
    flow = given.fill(NormalizingFlow(2, 6))
    base = D.MultivariateNormal(
        torch.zeros(2, dtype=torch.float64), torch.eye(2, dtype=torch.float64)
    )
    optimizer = torch.optim.RMSprop(flow.parameters(), lr=1e-2)
    noise = given.normal(8, 40, 2)

    def step(z0):
        zk, log_det = flow(z0)
        loss = (base.log_prob(z0) - log_det + energy(zk)).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(flow.parameters(), 1.0)
        optimizer.step()
        return loss

    step = compiled(step)
    return [step(z).item() / math.log(2) for z in noise]
