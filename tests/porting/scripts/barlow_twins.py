"""Barlow twins and VICReg: features of two views agree, and tell different things."""

import torch
import torch.nn.functional as F
from torch import nn


def off_diagonal(x):
    n, m = x.shape
    assert n == m
    return x.flatten()[:-1].view(n - 1, n + 1)[:, 1:].flatten()


class BarlowTwins(nn.Module):
    def __init__(self, sizes=(9, 16, 12), lambd=5e-3):
        super().__init__()
        layers = []
        for i in range(len(sizes) - 2):
            layers += [
                nn.Linear(sizes[i], sizes[i + 1], bias=False),
                nn.BatchNorm1d(sizes[i + 1]),
                nn.ReLU(True),
            ]
        layers.append(nn.Linear(sizes[-2], sizes[-1], bias=False))
        self.net = nn.Sequential(*layers)
        self.bn = nn.BatchNorm1d(sizes[-1], affine=False)
        self.lambd = lambd

    def forward(self, y1, y2):
        z1, z2 = self.net(y1), self.net(y2)
        c = self.bn(z1).T @ self.bn(z2)
        c.div_(y1.shape[0])
        on_diag = torch.diagonal(c).add_(-1).pow_(2).sum()
        off_diag = off_diagonal(c).pow_(2).sum()
        return on_diag + self.lambd * off_diag


def vicreg(x, y, sim=25.0, std=25.0, cov=1.0):
    repr_loss = F.mse_loss(x, y)
    x, y = x - x.mean(dim=0), y - y.mean(dim=0)
    std_x, std_y = torch.sqrt(x.var(dim=0) + 1e-4), torch.sqrt(y.var(dim=0) + 1e-4)
    std_loss = torch.mean(F.relu(1 - std_x)) / 2 + torch.mean(F.relu(1 - std_y)) / 2
    n, d = x.shape
    cov_x, cov_y = (x.T @ x) / (n - 1), (y.T @ y) / (n - 1)
    cov_loss = off_diagonal(cov_x).pow_(2).sum().div(d) + off_diagonal(cov_y).pow_(2).sum().div(d)
    return sim * repr_loss + std * std_loss + cov * cov_loss


def train(given, compiled):
    x, noise = given.normal(20, 9), 0.3 * given.normal(2, 6, 20, 9)
    twins = given.fill(BarlowTwins())
    opt = torch.optim.Adam(twins.parameters(), lr=1e-2)
    encoder = given.fill(nn.Sequential(nn.Linear(9, 16), nn.ELU(), nn.Linear(16, 6)))
    opt2 = torch.optim.SGD(encoder.parameters(), lr=1e-3, momentum=0.9)

    @compiled
    def twins_step(a, b):
        loss = twins.forward(a, b)
        opt.zero_grad()
        loss.backward()
        opt.step()
        return loss

    @compiled
    def vic_step(a, b):
        loss = vicreg(encoder(a), encoder(b))
        opt2.zero_grad()
        loss.backward()
        opt2.step()
        return loss

    out = []
    for a, b in zip(noise[0].unbind(), noise[1].unbind()):
        out += [twins_step(x + a, x + b).item(), vic_step(x + a, x + b).item()]
    return out
